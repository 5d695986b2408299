"""Rounds between which mutual nearest neighbours become seeds for good."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Alignment, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule


class Promotions:
    """Seed links, and mutual nearest neighbours that join them at the end of every round.

    Every entity without a seed may be promoted, whatever its score; the released programs of RREA,
    Dual-AMN and their successors know which entities have a partner.

    Args:
        graph: Union graph.
        view: With the seed links.
        ctx: Its log is told.
        first: Last epoch of the first round.
        every: Epochs of each later round.
        epochs: Of the training, whose end promotes nothing.
        csls_k: Neighbourhood of CSLS, 0 without.
    """

    def __init__(
        self,
        graph: JointGraph,
        view: TrainView,
        ctx: RunContext,
        *,
        first: int,
        every: int,
        epochs: int,
        csls_k: int = 0,
    ) -> None:
        rule = BootstrapRule("mutual", float("-inf"), csls_k=csls_k, edits=False)
        sizes = graph.n_source, graph.n_entities
        self._labels = Bootstrapping(graph.seed_pairs(view), *sizes, rule, ctx.log)
        self._first, self._every, self._epochs = first, every, epochs

    @property
    def pairs(self) -> Tensor:
        """Seed links and then what was promoted, joint ids, [n, 2]."""
        return self._labels.pairs

    def after_epoch(self, epoch: int, embed: Callable[[], Alignment]) -> None:
        """Promotes, where a round ends.

        Args:
            epoch: Just trained, counted from 1.
            embed: Current vectors or scores of pairs.
        """
        since = epoch - self._first
        if since >= 0 and since % self._every == 0 and epoch < self._epochs:
            self._labels.look(epoch, embed())
