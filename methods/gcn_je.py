"""HGCN-JE: entities by highway graph convolutions from their names, then joint with relations.

A relation is approximated by the means of its heads and of its tails; in a second stage an entity
is its convolved vector beside the sum of its relations. Without gates it is GCN-JE, the name in
tables. The alignment of relations themselves (JR) needs relation links and is not made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import WORD_DIM, word_vectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import GCNLayer, HighwayGate, glorot_uniform
from mmea_bench.methods.core.layers.relation_matrices import (
    relation_means,
    underweighted_adjacency,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.losses.listed_distances import listed_margin_loss
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.negatives import nearest_pair_negatives
from mmea_bench.methods.core.training.optimisers import tensorflow_adam


@dataclass(frozen=True)
class GCNJEParams:
    """Hyper-parameters of HGCN-JE; defaults are those of its released code for ZH-EN."""

    modalities: tuple[str, ...] = ("structure", "name")  # without names rows start at random
    gates: bool = True  # between the layers; without them it is GCN-JE
    n_layers: int = 2  # code
    joint: bool = True  # whether there is a second stage, with relations
    joint_start: int = 461  # epochs of the first stage, by language; code
    relation_dim: int = 100  # code
    margin: float = 1.0  # code
    n_negatives: int = 125  # nearest entities of both KGs, of each end of a link; code
    refresh_every: int = 50  # epochs between two lists of negatives, code
    epochs: int = 1000  # of both stages, code
    learning_rate: float = 0.001  # Adam, made anew for the second stage; code
    eval_every: int = 100


class GCNJE(Method):
    """HGCN-JE as its released code trains it, full batches in two stages."""

    paper = Paper(
        authors="Wu, Liu, Feng, Wang, Zhao",
        title="Jointly Learning Entity and Relation Representations for Entity Alignment",
        venue="EMNLP",
        year=2019,
        url="https://aclanthology.org/D19-1023/",
        code_url="https://github.com/StephanieWyt/HGCN-JE-JR",
        code_commit="d2621e0",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "name")
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = GCNJEParams
    # Released code. The rows that SelfMEA quotes lie below untrained name vectors, so that they
    # are no numbers of this code with names.
    published_scoring = Scoring("manhattan", csls=0)
    published_settings: ClassVar = {
        "dbp15k-zh-en": {"joint_start": 461},
        "dbp15k-ja-en": {"joint_start": 421},
        "dbp15k-fr-en": {"joint_start": 341},
    }
    variants: ClassVar = {
        "GCN-JE": {"gates": False},
        "HGCN": {"joint": False},
        "w/o name": {"modalities": ("structure",)},
        "GCN-JE, random inputs": {"gates": False, "modalities": ("structure",)},
    }
    test_params: ClassVar = {
        "epochs": 40,
        "joint_start": 20,
        "relation_dim": 16,
        "n_negatives": 10,
        "refresh_every": 10,
        "eval_every": 20,
    }

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, dim + relation_dim] on each side."""
        params: GCNJEParams = self.params
        graph = JointGraph.of(view)
        is_named = "name" in self.used_modalities(view.modalities)
        if is_named:
            start = word_vectors(view, ctx, unit=False)
        else:
            start = random_rows(graph.n_entities, ctx)
        generator = ctx.generator("initial values")
        model = JointModel(graph, start, params, generator, ctx.device)
        stages = _Stages(model, graph.seed_pairs(view).to(ctx.device), params)

        @torch.no_grad()
        def embed() -> Embeddings:
            return graph.split(stages.vectors(), similarity="manhattan")

        schedule = Schedule(params.epochs, None, None, params.eval_every)
        return train(model.parameters(), stages.step, embed, schedule, ctx)


class JointModel(nn.Module):
    """Trained input vectors with unit length, their convolutions, and relations made of them.

    Args:
        graph: Union graph.
        start: Where the input vectors start, of any length, [n_entities, dim].
        params: Gates, layers and sizes.
        generator: CPU generator of the initial values.
        device: Where it runs.
    """

    def __init__(
        self,
        graph: JointGraph,
        start: Tensor,
        params: GCNJEParams,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        dim = start.shape[1]
        self.inputs = nn.Parameter(start.clone())
        self.layers = nn.ModuleList(
            GCNLayer(dim, dim, generator, weight="diagonal", bias=False)
            for _ in range(params.n_layers)
        )
        n_gates = params.n_layers if params.gates else 0
        self.gates = nn.ModuleList(HighwayGate(dim, generator) for _ in range(n_gates))
        if params.joint:
            self.relation_weight = glorot_uniform(2 * dim, params.relation_dim, generator)
        self.to(device)
        self._adjacency = underweighted_adjacency(graph, device)
        self._means = relation_means(graph, device)
        self._roles = relation_roles(graph, device)

    def entities(self) -> Tensor:
        """``x' = g ReLU(S (x w)) + (1 - g) x``, layer by layer, from unit rows on: [n, dim]."""
        vectors = normalize(self.inputs, dim=1)
        for position, layer in enumerate(self.layers):
            new = relu(layer(vectors, self._adjacency))
            vectors = self.gates[position](new, vectors) if len(self.gates) else new
        return vectors

    def joint(self) -> Tensor:
        """Entities beside the sums of their relations, [n_entities, dim + relation_dim]."""
        entities = self.entities()
        ends = torch.cat([means @ entities for means in self._means], dim=1)
        return torch.cat([entities, self._roles @ (ends @ self.relation_weight)], dim=1)


class _Stages:
    """Steps on entities at first and on joint vectors afterwards, with an optimiser of its own."""

    def __init__(self, model: JointModel, pairs: Tensor, params: GCNJEParams) -> None:
        self._model, self._pairs, self._params = model, pairs, params
        self._updates = self._new_updates()
        self._negatives = torch.empty(0)
        self._is_joint = False

    def _new_updates(self) -> MiniBatchSteps:
        return MiniBatchSteps(tensorflow_adam(self._params.learning_rate)(self._model.parameters()))

    def vectors(self) -> Tensor:
        """Vectors of the current stage."""
        return self._model.joint() if self._is_joint else self._model.entities()

    def step(self, epoch: int) -> float:
        """One step on all seed links."""
        params, n_done = self._params, epoch - 1
        if params.joint and not self._is_joint and n_done >= params.joint_start:
            self._is_joint, self._updates = True, self._new_updates()
        return self._updates.mean_loss(self._losses(n_done))

    def _losses(self, n_done: int) -> Iterator[Tensor]:
        params, vectors = self._params, self.vectors()
        if n_done % params.refresh_every == 0:
            # After a change of stage the old lists stay until their time is over. Nobody is left
            # out: the entity itself adds a pull of its own, as in the released code.
            everyone = torch.arange(len(vectors), device=vectors.device)
            self._negatives = nearest_pair_negatives(
                vectors,
                self._pairs,
                (everyone, everyone),
                params.n_negatives,
                "manhattan",
                near_partner=False,
                skip_partner=False,
            )
        yield listed_margin_loss(vectors, self._pairs, self._negatives, params.margin)


def relation_roles(graph: JointGraph, device: torch.device | None = None) -> FixedMatrix:
    """How many roles (head, tail) an entity has in a relation, [n_entities, n_relations].

    Zero, one or two, however many triples there are.
    """
    ends = np.concatenate([graph.distinct(column, 1) for column in (0, 2)])
    cells, counts = np.unique(ends[:, 0] * graph.n_relations + ends[:, 1], return_counts=True)
    shape = (graph.n_entities, graph.n_relations)
    pattern = SparsePattern(cells // shape[1], cells % shape[1], shape, device)
    return FixedMatrix(pattern, torch.from_numpy(counts.astype(np.float32)))


def random_rows(n_rows: int, ctx: RunContext) -> Tensor:
    """Normal rows of unit length, in place of name vectors, [n_rows, WORD_DIM]."""
    return normalize(torch.randn(n_rows, WORD_DIM, generator=ctx.generator("no names")), dim=1)
