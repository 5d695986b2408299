"""Rounds between which mutual nearest neighbours become seeds for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Alignment, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule


@dataclass(frozen=True)
class RoundSettings:
    """When pairs are promoted; the names are those of a method's parameters.

    Attributes:
        epochs: Of the training, whose end promotes nothing.
        bootstrap_every: Epochs of a round.
        bootstrap_start: Last epoch of the first round; None is that of a round like the others.
        csls_k: Neighbourhood of CSLS, 0 without.
    """

    epochs: int
    bootstrap_every: int
    bootstrap_start: int | None = None
    csls_k: int = 0

    @property
    def first_promotion(self) -> int:
        """Epoch after which pairs are promoted for the first time; 0 is never."""
        first = self.bootstrap_every if self.bootstrap_start is None else self.bootstrap_start
        return first if first < self.epochs else 0

    def is_promoting(self, epoch: int) -> bool:
        """Whether a round ends with this epoch, counted from 1, and another one follows."""
        first = self.first_promotion
        return 0 < first <= epoch < self.epochs and (epoch - first) % self.bootstrap_every == 0


class Promotions:
    """Seed links, and mutual nearest neighbours that join them at the end of every round.

    Every entity without a seed may be promoted, whatever its score; the released programs of RREA,
    Dual-AMN and their successors know which entities have a partner.

    Args:
        graph: Union graph.
        view: With the seed links.
        settings: When, and by which scores.
        ctx: Its log is told.
    """

    def __init__(
        self, graph: JointGraph, view: TrainView, settings: RoundSettings, ctx: RunContext
    ) -> None:
        rule = BootstrapRule("mutual", float("-inf"), csls_k=settings.csls_k, edits=False)
        sizes = graph.n_source, graph.n_entities
        self._labels = Bootstrapping(graph.seed_pairs(view), *sizes, rule, ctx.log)
        self.settings = settings

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
        if self.settings.is_promoting(epoch):
            self._labels.look(epoch, embed())
