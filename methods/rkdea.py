"""RKDEA: a graph student that imitates how entities lie to each other in a translation model.

An interpretation: no code was released and the paper's losses and sizes are not known to us. What
is here: a TransE teacher, trained first and frozen; a student of two gated convolutions that learns
seed links by an L1 margin against the nearest entities; and between them the relational
distillation of Park et al. (lengths of ``h - t``, angles between triples of one relation), whose
weight is learned as an uncertainty. Names, attributes and images are not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import normal_parameter
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.losses.listed_distances import listed_margin_loss
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.negatives import nearest_pair_negatives
from mmea_bench.methods.core.training.optimisers import adam
from mmea_bench.methods.parts.rkdea.distillation import distillation_loss
from mmea_bench.methods.parts.rkdea.gated import GatedConvolutions
from mmea_bench.methods.parts.rkdea.teacher import Teacher, TeacherEncoder, TeacherSizes


@dataclass(frozen=True)
class RKDEAParams:
    """Hyper-parameters of RKDEA; all are ours, as no source states any."""

    teacher_encoder: TeacherEncoder = "table"  # gcn puts two gated layers above it
    teacher_dim: int = 200
    teacher_margin: float = 1.0
    teacher_negatives: int = 5  # uniform, of each triple
    teacher_batch_size: int = 5000  # triples
    teacher_epochs: int = 300
    dim: int = 300  # of the student's table, and of each of its blocks
    n_layers: int = 2  # gated; abstract and a summary
    margin: float = 1.0
    n_negatives: int = 25  # nearest entities, of each end of a link
    refresh_every: int = 10  # steps between two lists of negatives
    distils: bool = True  # whether there is a teacher
    angle_weight: float = 2.0  # against the distance term; Park et al.
    adaptive: bool = True  # whether the weight of the distillation is learned; abstract
    distilled_triples: int = 5000  # a batch of each step
    epochs: int = 1000  # full-batch steps of the student
    learning_rate: float = 1e-3  # Adam, of both
    eval_every: int = 100


class RKDEA(Method):
    """RKDEA (interpretation): the teacher's epochs come first, then the student's."""

    paper = Paper(
        authors="Li, Zhang, Xing",
        title=(
            "Jointly Learning Knowledge Embedding and Neighborhood Consensus with Relational "
            "Knowledge Distillation for Entity Alignment"
        ),
        venue="arXiv",
        year=2022,
        url="https://arxiv.org/abs/2201.11249",
        interpretation="No code was found.",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = RKDEAParams
    # No source states how its rows were scored; this is the interpretation's.
    published_scoring = Scoring("manhattan", csls=0)
    variants: ClassVar = {
        "w/o distillation": {"distils": False},
        "w/o angles": {"angle_weight": 0.0},
        "fixed weight": {"adaptive": False},
        "GCN teacher": {"teacher_encoder": "gcn"},
    }
    test_params: ClassVar = {
        "teacher_dim": 24,
        "teacher_batch_size": 500,
        "teacher_epochs": 40,
        "dim": 64,
        "n_negatives": 8,
        "refresh_every": 30,
        "distilled_triples": 300,
        "epochs": 120,
        "learning_rate": 2e-2,
        "eval_every": 40,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, (n_layers + 1) dim], compared by L1 distance."""
        params: RKDEAParams = self.params
        graph = JointGraph.of(view)
        adjacency = adjacency_matrix(graph, ctx.device)
        student = Student(graph.n_entities, adjacency, params, ctx)
        seeds = graph.seed_pairs(view)
        teacher: Teacher | None = None
        if params.distils:
            sizes = taken_from(params, TeacherSizes)
            teacher = Teacher(graph, seeds, adjacency, sizes, ctx)
        lessons = Lessons(graph, seeds, student, teacher, params, ctx)

        @torch.no_grad()
        def embed() -> Embeddings:
            return graph.split(student.vectors(), similarity="manhattan")

        first = params.teacher_epochs if params.distils else 0
        schedule = Schedule(
            first + params.epochs, None, None, params.eval_every, earliest_stop=first
        )
        models: Sequence[nn.Module] = (student,) if teacher is None else (student, teacher)
        trained = [parameter for model in models for parameter in model.parameters()]
        return train(trained, lessons.step, embed, schedule, ctx)


class Student(nn.Module):
    """A free table under gated convolutions, and the weight of what it is taught.

    Args:
        n_entities: Of both KGs.
        adjacency: Normalised, by the number of distinct neighbours.
        params: Sizes.
        ctx: Device and generator.
    """

    def __init__(
        self, n_entities: int, adjacency: FixedMatrix, params: RKDEAParams, ctx: RunContext
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        scale = 1 / math.sqrt(params.dim)
        self.table = normal_parameter((n_entities, params.dim), scale, generator)
        self.convolutions = GatedConvolutions(params.dim, params.n_layers, generator)
        if params.distils and params.adaptive:
            self.log_variance = nn.Parameter(torch.zeros(()))
        self.to(ctx.device)
        self._adjacency = adjacency

    def vectors(self) -> Tensor:
        """Table and outputs of the layers side by side, each with unit rows."""
        blocks = self.convolutions(normalize(self.table, dim=1), self._adjacency)
        return torch.cat([normalize(block, dim=1) for block in blocks], dim=1)

    def weighted(self, distilled: Tensor) -> Tensor:
        """``e^-a L + a`` with the learned ``a``; ``L`` itself where nothing is learned."""
        if not hasattr(self, "log_variance"):
            return distilled
        return torch.exp(-self.log_variance) * distilled + self.log_variance


class Lessons:
    """Epochs of the teacher, then steps of the student.

    Args:
        graph: Union graph.
        seeds: Joint ids, [n_seed, 2].
        student: What is asked for in the end.
        teacher: None where the student learns from seed links alone.
        params: Schedule and sizes.
        ctx: Device and generator.
    """

    def __init__(
        self,
        graph: JointGraph,
        seeds: Tensor,
        student: Student,
        teacher: Teacher | None,
        params: RKDEAParams,
        ctx: RunContext,
    ) -> None:
        self._student, self._teacher, self._params = student, teacher, params
        self._seeds, self._device = seeds.to(ctx.device), ctx.device
        everyone = torch.arange(graph.n_entities, device=ctx.device)
        self._among = everyone[graph.n_source :], everyone[: graph.n_source]
        self._triples = torch.from_numpy(graph.triples)
        self._draws = ctx.generator("distilled triples")
        self._updates = MiniBatchSteps(adam(params.learning_rate)(student.parameters()))
        self._negatives = torch.empty(0)
        self._taught: Tensor | None = None

    def step(self, epoch: int) -> float:
        """An epoch of the teacher while it lasts, else one step of the student."""
        if self._teacher is not None and epoch <= self._params.teacher_epochs:
            return self._teacher.epoch(epoch)
        first = self._params.teacher_epochs if self._teacher is not None else 0
        return self._updates.step(self.loss(epoch - first - 1))

    def loss(self, n_done: int) -> Tensor:
        """Margin loss on the seed links and the weighted distillation.

        Args:
            n_done: Steps that the student has made.
        """
        params, vectors = self._params, self._student.vectors()
        if n_done % params.refresh_every == 0:
            # Blocks of unit length: the inner product orders as the Euclidean distance does.
            self._negatives = nearest_pair_negatives(
                *(vectors, self._seeds, self._among, params.n_negatives, "inner"),
                near_partner=False,
                skip_partner=True,
            )
        loss = listed_margin_loss(vectors, self._seeds, self._negatives, params.margin)
        if self._teacher is None:
            return loss
        if self._taught is None:
            self._taught = self._teacher.vectors().detach()
        size = min(params.distilled_triples, len(self._triples))
        chosen = torch.randperm(len(self._triples), generator=self._draws)[:size]
        batch = self._triples[chosen].to(self._device)
        distilled = distillation_loss(self._taught, vectors, batch, params.angle_weight)
        return loss + self._student.weighted(distilled)
