"""IPTransE: translations and relation paths in one space, with soft labels on the way.

An interpretation: the authors released no code with paths, and no table states by what form its row
was made. What is here is the form of the toolkit OpenEA. Seed partners share a vector; a relation
resembles the sum of two that lead to the same place; every hundred epochs the nearest
target of each entity without a seed, where it is near enough, gives copied triples that weigh as
much as the pair is similar. Ours: 1000 epochs and no early stop, labels among all entities
without a seed, one epoch of copied triples behind each look for them, and two million paths at
most. Trained in every epoch (a variant) they outweigh the triples of dense graphs, where most of
them are wrong: Hits@1 falls from the third look on. The authors' own program, without paths, is the
variant ``ITransE``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.shared_ids import SharedGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.layers.weightless_gcn import truncated_normal
from mmea_bench.methods.core.losses.translation import CorruptedTriples, translation_distances
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.training.bootstrapping import threshold_candidates
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.row_adagrad import RowAdagrad
from mmea_bench.methods.core.training.triple_corruption import Pools
from mmea_bench.methods.parts.iptranse.itranse import ITransERule, ITransETraining
from mmea_bench.methods.parts.iptranse.path_gaps import path_gaps
from mmea_bench.methods.parts.iptranse.paths import RelationPaths, relation_paths


@dataclass(frozen=True)
class IPTransEParams:
    """Hyper-parameters of IPTransE; defaults are those of OpenEA."""

    form: Literal["OpenEA", "ITransE"] = "OpenEA"  # the authors released the second alone
    dim: int = 100  # code
    margin: float = 1.5  # of triples and of paths, code
    path_weight: float = 0.1  # code; 0 makes no paths
    max_path_weight: int = 100  # items that weigh more are left out, code
    n_paths: int = 2_000_000  # at most, ours
    soft_labels: bool = True
    label_start: int = 0  # first epoch with a look for labels; 1000 in the released program
    label_every: int = 100  # epochs between two looks, code
    label_epochs: int = 1  # epochs behind each look in which its copied triples train, ours
    threshold: float = 0.7  # cosine above which a nearest target counts, code
    # The rest of the labels is read by ITransE alone, all from its program.
    max_distance: int = 3  # Manhattan, its whole part
    first_labels: int = 5000  # of the first look, at most
    further_labels: int = 1000  # more at each later one
    batch_size: int = 5000  # triples, code
    epochs: int = 1000  # ours; OpenEA stops on links that are test links, after 2000 at most
    learning_rate: float = 0.01  # Adagrad, code
    initial_sum: float = 0.1  # of squared gradients, TensorFlow
    eval_every: int = 100

    @property
    def first_look(self) -> int:
        """First epoch after which labels are looked for."""
        return self.label_every * max(1, math.ceil(self.label_start / self.label_every))


class IPTransE(Method):
    """IPTransE as OpenEA trains it, without its early stop."""

    paper = Paper(
        authors="Zhu, Xie, Liu, Sun",
        title="Iterative Entity Alignment via Joint Knowledge Embeddings",
        venue="IJCAI",
        year=2017,
        url="https://www.ijcai.org/proceedings/2017/595",
        code_url="https://github.com/thunlp/IEAJKE",
        interpretation="Two programs differ in most constants; which was run is not known.",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = IPTransEParams
    # No source states how its rows were scored; the interpretation has the cosine, and the code of
    # `ITransE` the Manhattan distance.
    published_scoring = Scoring(csls=0)
    variants: ClassVar = {
        "w/o paths": {"path_weight": 0.0},
        "w/o soft labels": {"soft_labels": False},
        "soft labels in every epoch": {"label_epochs": 100},
        "ITransE": {
            "form": "ITransE",
            "dim": 50,
            "margin": 1.0,
            "path_weight": 0.0,
            "label_start": 1000,
            "label_every": 500,
            "batch_size": 1000,  # ours: one triple at a time there, on eight threads
            "epochs": 3000,
            "learning_rate": 1e-3,
        },
    }
    test_params: ClassVar = {
        "epochs": 40,
        "dim": 32,
        "batch_size": 1000,
        "label_every": 20,
        "threshold": 0.4,
        "eval_every": 10,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether labels are learned before the last epoch is over."""
        params: IPTransEParams = self.params
        return params.soft_labels and params.epochs > params.first_look

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on triples, paths and soft labels; returns unit vectors of all entities."""
        params: IPTransEParams = self.params
        graph = JointGraph.of(view)
        training: IPTransETraining | ITransETraining
        if params.form == "ITransE":
            rule = taken_from(params, ITransERule)
            training = ITransETraining(graph, view, without_seed(graph, view), rule, ctx)
        else:
            training = IPTransETraining(graph, view, params, ctx)
        schedule = Schedule(
            params.epochs,
            optimiser=None,
            eval_every=params.eval_every,
            earliest_stop=params.first_look if self.is_iterative else 0,
            round_epochs=params.label_every if params.soft_labels else 0,
        )
        return train(
            training.tables, training.step, training.embed, schedule, ctx, training.after_epoch
        )


class IPTransETraining:
    """Tables, paths and soft labels.

    Args:
        graph: Union graph of the view.
        view: What may be seen.
        params: Hyper-parameters.
        ctx: Device and generators.

    Attributes:
        tables: Raw rows of (shared) entities and of relations, scaled to unit length where read.
        soft: Triples copied along soft labels, [n, 3], and the similarity of the label of
            each, [n].
    """

    def __init__(
        self, graph: JointGraph, view: TrainView, params: IPTransEParams, ctx: RunContext
    ) -> None:
        self._graph, self._params, self._ctx = graph, params, ctx
        self._shared = SharedGraph.of(graph, view)
        side = (~self._shared.source_side).long()
        self._side, self._no_seed = side, without_seed(graph, view)
        of_kg = (torch.arange(graph.n_entities) >= graph.n_source).long()
        self._of_kg = Pools.of(of_kg, self._shared.ids, 2)
        self.paths = self._paths(ctx.numpy_generator("paths"))
        generator = ctx.generator("initial values")
        self.tables = [
            nn.Parameter(
                truncated_normal(size, params.dim, generator, 1 / math.sqrt(params.dim)).to(
                    ctx.device
                )
            )
            for size in (self._shared.n_ids, graph.n_relations)
        ]
        self._adagrad = RowAdagrad(self.tables, params.learning_rate, params.initial_sum)
        self._updates = MiniBatchSteps(self._adagrad)
        self._draws = ctx.generator("negatives")
        self.soft = torch.empty(0, 3, dtype=torch.int64), torch.empty(0)

    def _paths(self, rng: np.random.Generator) -> RelationPaths:
        """Paths within either KG; none where they weigh nothing."""
        params, triples = self._params, self._shared.triples.numpy()
        is_source = self._shared.source_side.numpy()
        sides = [triples[is_source], triples[~is_source]] if params.path_weight else []
        found = [relation_paths(side, params.max_path_weight) for side in sides]
        relations = [np.empty((0, 3), dtype=np.int64), *(paths.relations for paths in found)]
        weights = [np.empty(0, dtype=np.int64), *(paths.weights for paths in found)]
        return RelationPaths(np.concatenate(relations), np.concatenate(weights)).at_most(
            params.n_paths, rng
        )

    def step(self, epoch: int) -> float:
        """An epoch over triples and paths; behind a look one over the copies along its labels."""
        mean = self._updates.mean_loss(self._triple_losses())
        if (epoch - 1) % self._params.label_every < self._params.label_epochs:
            self._updates.mean_loss(self._soft_losses())
        return mean

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        """Looks for soft labels anew."""
        params = self._params
        if not params.soft_labels or epoch < params.label_start or epoch % params.label_every:
            return
        vectors = normalize(self.tables[0], dim=1)
        sources, targets = (self._shared.ids[side] for side in self._no_seed)
        device = self._ctx.device
        blocks = ScoreMatrix(vectors[sources.to(device)], vectors[targets.to(device)], "cosine")
        found = threshold_candidates(blocks, params.threshold, 1)
        pairs = np.stack([sources.numpy()[found.rows], targets.numpy()[found.columns]], axis=1)
        plain = TripleSet(self._shared.triples.numpy(), self._shared.source_side.numpy())
        copies, _, pair = plain.copies_along(pairs)
        self.soft = torch.from_numpy(copies), torch.from_numpy(found.scores[pair]).float()
        if len(copies):
            self._ctx.log.pseudo_labels_from(epoch + 1)

    @torch.no_grad()
    def embed(self) -> Embeddings:
        """Unit vectors of all entities."""
        vectors = normalize(self.tables[0], dim=1)
        return self._graph.split(vectors[self._shared.ids.to(self._ctx.device)])

    def _triple_losses(self) -> Iterator[Tensor]:
        triples, params = self._shared.triples, self._params
        stand_ins = self._of_kg.draw(self._side, 1, self._draws)
        batches = torch.split(
            torch.randperm(len(triples), generator=self._draws), params.batch_size
        )
        n_paths = len(self.paths.weights)
        paths = torch.tensor_split(torch.randperm(n_paths, generator=self._draws), len(batches))
        for rows, of_paths in zip(batches, paths, strict=True):
            entities, relations, batch = self._gathered(triples[rows], stand_ins[rows])
            own, others = translation_distances(entities, relations, batch, "squared l2")
            loss = relu(params.margin + own.unsqueeze(1) - others).sum()
            if len(of_paths):
                loss = loss + params.path_weight * self._path_loss(relations, of_paths)
            yield loss

    def _soft_losses(self) -> Iterator[Tensor]:
        triples, weights = self.soft
        if not len(triples):
            return
        stand_ins = torch.randint(self._shared.n_ids, (len(triples), 1), generator=self._draws)
        order = torch.randperm(len(triples), generator=self._draws)
        for rows in torch.split(order, self._params.batch_size):
            gathered = self._gathered(triples[rows], stand_ins[rows])
            own, others = translation_distances(*gathered, "squared l2")
            costs = relu(self._params.margin + own.unsqueeze(1) - others).squeeze(1)
            yield (weights[rows].to(costs) * costs).sum()

    def _gathered(
        self, triples: Tensor, stand_ins: Tensor
    ) -> tuple[Tensor, Tensor, CorruptedTriples]:
        """Unit rows of a batch's entities, those of all relations, and the batch in their places.

        A fair coin decides which end the one negative of each triple replaces.
        """
        at_head = torch.rand(stand_ins.shape, generator=self._draws) < 0.5
        entity_ids, _, local = CorruptedTriples(triples, stand_ins, at_head).distinct()
        own = torch.stack([local.triples[:, 0], triples[:, 1], local.triples[:, 2]], dim=1)
        everything = torch.arange(self._graph.n_relations)
        device = self._ctx.device
        rows = self._adagrad.gather((entity_ids.to(device), everything.to(device)))
        entities, relations = (unit_rows(part) for part in rows)
        parts = (part.to(device) for part in (own, local.stand_ins, at_head))
        return entities, relations, CorruptedTriples(*parts)

    def _path_loss(self, relations: Tensor, chosen: Tensor) -> Tensor:
        """Margin loss of some paths against a random relation, each over its weight."""
        device = relations.device
        others = torch.randint(len(relations), (len(chosen),), generator=self._draws).to(device)
        items = torch.from_numpy(self.paths.relations[chosen.numpy()]).to(device)
        weights = torch.from_numpy(self.paths.weights[chosen.numpy()]).to(relations)
        return path_loss(relations, items, others, weights, self._params.margin)


def path_loss(
    relations: Tensor, items: Tensor, others: Tensor, weights: Tensor, margin: float
) -> Tensor:
    """Sum of ``[|r1 + r2 - r|^2 + margin - |r1 + r2 - r'|^2]+ / w``.

    Args:
        relations: [n_relations, dim].
        items: (r1, r2, r), [n, 3].
        others: r', [n].
        weights: w, [n].
        margin: Of the loss.
    """
    gaps = path_gaps(relations, items, others)
    return (relu(gaps + margin) / weights).sum()


def without_seed(graph: JointGraph, view: TrainView) -> tuple[Tensor, Tensor]:
    """Joint ids of source and of target entities that stand in no seed link."""
    free = torch.ones(graph.n_entities, dtype=torch.bool)
    free[graph.seed_pairs(view).flatten()] = False
    ids = torch.nonzero(free).squeeze(1)
    return ids[ids < graph.n_source], ids[ids >= graph.n_source]
