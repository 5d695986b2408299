"""RKDEA's teacher: TransE on the triples of both KGs, with copies along the seed links."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.losses.margins import margin_loss
from mmea_bench.methods.core.losses.translation import translation_distances
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.negatives import FilteredCorruption, UniformCandidates
from mmea_bench.methods.core.training.optimisers import adam
from mmea_bench.methods.core.training.triple_corruption import TripleBatches
from mmea_bench.methods.parts.rkdea.gated import GatedConvolutions

TeacherEncoder = Literal["table", "gcn"]


@dataclass(frozen=True)
class TeacherSizes:
    """Sizes and schedule of the teacher, as the method's parameters have them."""

    teacher_encoder: TeacherEncoder
    teacher_dim: int
    teacher_margin: float
    teacher_negatives: int
    teacher_batch_size: int
    n_layers: int
    learning_rate: float


class Teacher(nn.Module):
    """Unit vectors of entities under which ``|h + r - t|^2`` is small for triples.

    Args:
        graph: Union graph; relations of the two KGs are kept apart.
        seed_pairs: Along which triples are copied, joint ids, [n_seed, 2].
        adjacency: Of the option ``gcn``, in which the vectors are outputs of gated layers.
        sizes: Sizes and rates.
        ctx: Device and generators.
    """

    def __init__(
        self,
        graph: JointGraph,
        seed_pairs: Tensor,
        adjacency: FixedMatrix,
        sizes: TeacherSizes,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values of the teacher")
        std = 1 / math.sqrt(sizes.teacher_dim)
        shapes = ((size, sizes.teacher_dim) for size in (graph.n_entities, 2 * graph.n_relations))
        self.entities, self.relations = (normal_parameter(each, std, generator) for each in shapes)
        self.convolutions: GatedConvolutions | None = None
        if sizes.teacher_encoder == "gcn":
            self.convolutions = GatedConvolutions(sizes.teacher_dim, sizes.n_layers, generator)
        self.to(ctx.device)
        self._adjacency, self._margin = adjacency, sizes.teacher_margin
        self._batches = teacher_batches(graph, seed_pairs, sizes, ctx)
        self._updates = MiniBatchSteps(adam(sizes.learning_rate)(self.parameters()))

    def vectors(self) -> Tensor:
        """Unit vectors of all entities, [n_entities, teacher_dim]."""
        rows: Tensor = self.entities
        if self.convolutions is not None:
            rows = self.convolutions(normalize(rows, dim=1), self._adjacency)[-1]
        return normalize(rows, dim=1)

    def epoch(self, epoch: int) -> float:
        """A step for each batch of all triples; the mean loss."""
        return self._updates.mean_loss(self._losses(epoch))

    def _losses(self, epoch: int) -> Iterator[Tensor]:
        for batch in self._batches.epoch(epoch):
            own, others = translation_distances(self.vectors(), self.relations, batch, "squared l2")
            yield margin_loss(own, others, self._margin)


def teacher_batches(
    graph: JointGraph, seed_pairs: Tensor, sizes: TeacherSizes, ctx: RunContext
) -> TripleBatches:
    """All triples and their copies along seed links, with negatives from a triple's own KG.

    No negative is a triple or a copy; they are drawn anew in every epoch.
    """
    triples = TripleSet.of(graph, own_relations=True).with_swaps(seed_pairs.numpy())
    side = torch.from_numpy(~triples.from_source).long()
    everyone = UniformCandidates.of_graphs(graph.n_source, graph.n_entities)
    corruption = FilteredCorruption(
        torch.from_numpy(triples.triples), side, graph.n_entities, everyone
    )
    return TripleBatches(corruption, sizes.teacher_negatives, 1, sizes.teacher_batch_size, ctx)
