"""ITransE: the released program of IPTransE, which has no paths.

Translations by the Manhattan distance within the unit ball, one negative for each triple, plain
steps. From some epoch on pairs of near entities are listed now and then; a triple that holds one
of them trains once more with the partner in its place, with a probability that falls with the
distance of the pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.shared_ids import SharedGraph
from mmea_bench.methods.core.losses.translation import distinct_ids, triple_distances
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.training.bootstrapping import ScoredPairs, threshold_candidates
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.negatives import FilteredCorruption, UniformCandidates
from mmea_bench.methods.core.training.row_adagrad import GatheredRows, put_rows
from mmea_bench.methods.core.training.triple_corruption import Pools

_NEAREST = 100
"""Targets of an entity among which its soft partner is sought; ours, for all pairs of two large
KGs that lie near enough would not fit in memory."""


@dataclass(frozen=True)
class ITransERule:
    """How ITransE trains.

    Attributes:
        dim: Columns of both tables.
        margin: Of the loss.
        learning_rate: Of every step.
        batch_size: Triples of a step.
        soft_labels: Whether pairs are listed.
        label_start: First epoch with a look for them.
        label_every: Epochs between two looks.
        max_distance: Largest whole part of a pair's Manhattan distance.
        first_labels: Pairs of the first look at most.
        further_labels: More of them at each later look.
    """

    dim: int
    margin: float
    learning_rate: float
    batch_size: int
    soft_labels: bool
    label_start: int
    label_every: int
    max_distance: int
    first_labels: int
    further_labels: int


class BallSGD(GatheredRows):
    """Plain steps on the gathered rows, which stay within the unit ball.

    Args:
        tables: What is trained, [n_rows, dim] each.
        learning_rate: Of every step.
    """

    def __init__(self, tables: Sequence[nn.Parameter], learning_rate: float) -> None:
        super().__init__(tables)
        self._learning_rate = learning_rate

    @torch.no_grad()
    def step(self) -> None:
        """Moves the gathered rows against their gradients and back into the ball."""
        for table, (wanted, rows) in zip(self._tables, self._gathered, strict=True):
            if rows.grad is not None:
                moved = rows - self._learning_rate * rows.grad
                put_rows(table, wanted, moved / moved.norm(dim=1, keepdim=True).clamp_min(1.0))
        self._gathered = []


@dataclass(frozen=True, eq=False)
class SoftPartners:
    """Partner of each entity by the soft labels.

    Attributes:
        partner: Shared id of the partner, [n_ids]; the entity itself where it has none.
        probability: With which it stands in, [n_ids]; 0 where there is none.
    """

    partner: Tensor
    probability: Tensor

    @classmethod
    def nobody(cls, n_ids: int) -> SoftPartners:
        """Before the first look."""
        return cls(torch.arange(n_ids), torch.zeros(n_ids))

    @classmethod
    def of(cls, n_ids: int, pairs: Tensor, distances: Tensor, largest: int) -> SoftPartners:
        """Partners of pairs whose probability is ``sigmoid(largest - floor(distance))``.

        Args:
            n_ids: Shared ids.
            pairs: Shared ids, one-to-one, [n, 2].
            distances: Manhattan distances, [n].
            largest: Whole distance up to which pairs are listed.
        """
        found = cls.nobody(n_ids)
        for own, other in (pairs.T, pairs.flip(1).T):
            found.partner[own] = other
            found.probability[own] = torch.sigmoid(largest - distances.floor()).float()
        return found


def exchanged(
    triples: Tensor, negatives: Tensor, soft: SoftPartners, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Triples and negatives once more, for each end that its partner stands in for.

    Args:
        triples: [b, 3].
        negatives: Of the same rows, [b, 3].
        soft: Partners; each of the four ends is exchanged alone, with its own probability.
        generator: On the CPU.

    Returns:
        [m, 3] each.
    """
    both = torch.cat([triples, negatives], dim=1)  # columns 0, 2, 3 and 5 are entities
    parts = []
    for column in (0, 2, 3, 5):
        ends = both[:, column]
        drawn = torch.rand(len(ends), generator=generator) < soft.probability[ends]
        copies = both[drawn]
        copies[:, column] = soft.partner[copies[:, column]]
        parts.append(copies)
    found = torch.cat(parts)
    return found[:, :3], found[:, 3:]


def nearest_first(found: ScoredPairs, at_most: int) -> ScoredPairs:
    """The pairs of a greedy one-to-one choice, best score first, so many at the most."""
    rows: set[int] = set()
    columns: set[int] = set()
    kept: list[int] = []
    for place in np.argsort(-found.scores, kind="stable"):
        row, column = int(found.rows[place]), int(found.columns[place])
        if len(kept) == at_most:
            break
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
            kept.append(int(place))
    return found.chosen(np.array(kept, dtype=np.int64))


class ITransETraining:
    """Tables and soft labels.

    Args:
        graph: Union graph of the view.
        view: What may be seen.
        free: Joint ids of source and of target entities without a seed link.
        rule: Hyper-parameters.
        ctx: Device and generators.

    Attributes:
        tables: Rows of (shared) entities and of relations, within the unit ball.
        soft: Partners by the last list of labels.
    """

    def __init__(
        self,
        graph: JointGraph,
        view: TrainView,
        free: tuple[Tensor, Tensor],
        rule: ITransERule,
        ctx: RunContext,
    ) -> None:
        self._graph, self._rule, self._ctx, self._free = graph, rule, ctx, free
        self._shared = shared = SharedGraph.of(graph, view)
        generator = ctx.generator("initial values")
        # A deviation of 1 / dim, not of its root, in the program.
        self.tables = [
            nn.Parameter(
                (torch.randn(size, rule.dim, generator=generator) / rule.dim).to(ctx.device)
            )
            for size in (shared.n_ids, graph.n_relations)
        ]
        self._rows = BallSGD(self.tables, rule.learning_rate)
        self._updates = MiniBatchSteps(self._rows)
        one_kg = torch.zeros(len(shared.triples), dtype=torch.int64)
        everyone = UniformCandidates(
            Pools(torch.arange(shared.n_ids), torch.tensor([shared.n_ids]))
        )
        self._corruption = FilteredCorruption(shared.triples, one_kg, shared.n_ids, everyone)
        self._draws = ctx.generator("negatives")
        self.soft = SoftPartners.nobody(shared.n_ids)
        self._n_looks = 0

    def step(self, _epoch: int) -> float:
        """An epoch over all triples."""
        return self._updates.mean_loss(self._losses())

    def _losses(self) -> Iterator[Tensor]:
        drawn = self._corruption.draw(1, self._draws)
        triples, negatives = drawn.triples, drawn.negatives().squeeze(1)
        order = torch.randperm(len(triples), generator=self._draws)
        for rows in torch.split(order, self._rule.batch_size):
            own, others = triples[rows], negatives[rows]
            if self._n_looks:
                more = exchanged(own, others, self.soft, self._draws)
                own, others = torch.cat([own, more[0]]), torch.cat([others, more[1]])
            yield self._loss(own, others)

    def _loss(self, triples: Tensor, negatives: Tensor) -> Tensor:
        """``sum [margin + d(triple) - d(negative)]+`` of Manhattan distances."""
        both = torch.cat([triples, negatives])
        entity_ids, entity_of = distinct_ids(both[:, [0, 2]].flatten())
        relation_ids, relation_of = distinct_ids(both[:, 1])
        device = self._ctx.device
        tables = self._rows.gather((entity_ids.to(device), relation_ids.to(device)))
        heads, tails = entity_of.view(-1, 2).T
        local = torch.stack([heads, relation_of, tails], dim=1).to(device)
        own, others = triple_distances(tables[0], tables[1], local, "l1").chunk(2)
        return relu(self._rule.margin + own - others).sum()

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        """Lists the soft labels anew, more of them from look to look."""
        rule = self._rule
        if not rule.soft_labels or epoch < rule.label_start or epoch % rule.label_every:
            return
        sources, targets = (self._shared.ids[side] for side in self._free)
        device = self._ctx.device
        rows, columns = (self.tables[0][side.to(device)] for side in (sources, targets))
        # The program compares whole parts of distances, so that all below the next one pass.
        blocks = ScoreMatrix(rows, columns, "manhattan")
        near = threshold_candidates(blocks, -(rule.max_distance + 1.0), _NEAREST)
        at_most = rule.first_labels + self._n_looks * rule.further_labels
        found = nearest_first(near, at_most)
        pairs = torch.stack([sources[found.rows], targets[found.columns]], dim=1)
        distances = torch.from_numpy(-found.scores)
        self.soft = SoftPartners.of(self._shared.n_ids, pairs, distances, rule.max_distance)
        self._n_looks += 1
        if len(pairs):
            self._ctx.log.pseudo_labels_from(epoch + 1)

    @torch.no_grad()
    def embed(self) -> Embeddings:
        """Vectors of all entities, compared by the Manhattan distance."""
        vectors = self.tables[0][self._shared.ids.to(self._ctx.device)]
        return self._graph.split(vectors, similarity="manhattan")
