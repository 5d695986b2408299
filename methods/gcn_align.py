"""GCN-Align: cross-lingual alignment by two graph convolutions without weight matrices.

Structure features (a trainable table) and attribute features (a trained projection of attribute
names) each pass two convolutions over a relation-weighted adjacency; both are trained by an L1
margin loss on the seed links and compared by the L1 distance of their weighted concatenation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.features import attribute_bags
from mmea_bench.methods.core.inputs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.losses.batch import paired_margin_loss
from mmea_bench.methods.core.training.loop import Schedule, sgd, train


@dataclass(frozen=True)
class GCNAlignParams:
    """Hyper-parameters of GCN-Align; defaults are those of its released code."""

    modalities: tuple[str, ...] = ("structure", "attribute")
    structure_dim: int = 200  # code
    attribute_dim: int = 100  # code
    n_attributes: int = 2000  # most frequent attribute names, code
    structure_share: float = 0.9  # weight of the structure distance, code
    margin: float = 3.0  # code
    n_negatives: int = 5  # per side, code
    refresh_every: int = 10  # epochs between two draws of negatives, code
    weight_floor: float = 0.3  # of a relation's functionality, code
    epochs: int = 2000  # code
    learning_rate: float = 20.0  # plain SGD on the raw table, code
    eval_every: int = 500


class GCNAlign(Method):
    """GCN-Align as its released code trains it: SE and AE are independent trainings."""

    paper = Paper(
        authors="Wang, Lv, Lan, Zhang",
        title="Cross-lingual Knowledge Graph Alignment via Graph Convolutional Networks",
        venue="EMNLP",
        year=2018,
        url="https://aclanthology.org/D18-1032/",
        code_url="https://github.com/1049451037/GCN-Align",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure", "attribute")
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = GCNAlignParams
    # Code; one setting, the defaults, serves all DBP15K pairs. Tables that quote it on the FB15K
    # pairs do not state theirs.
    published_scoring = Scoring("manhattan", csls=0)
    variants: ClassVar = {"SE": {"modalities": ("structure",)}}
    test_params: ClassVar = {"epochs": 100, "structure_dim": 64, "attribute_dim": 32}

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains SE (and AE where both KGs have attributes) and returns their concatenation."""
        params: GCNAlignParams = self.params
        graph = JointGraph.of(view)
        adjacency = functional_adjacency(graph, params.weight_floor, ctx.device)
        generator = ctx.generator("initial values")
        towers: list[_Tower] = [_structure_tower(graph, adjacency, params, generator)]
        if "attribute" in self.used_modalities(view.modalities):
            towers.append(_attribute_tower(graph, adjacency, params, generator, ctx.device))
        towers = [tower.to(ctx.device) for tower in towers]
        pairs = graph.seed_pairs(view).to(ctx.device)
        training = _Training(towers, pairs, graph.n_entities, params, ctx)
        weights = [params.structure_share, 1 - params.structure_share][: len(towers)]

        def embed() -> Embeddings:
            with torch.no_grad():
                vectors = [weight * tower() for weight, tower in zip(weights, towers, strict=True)]
            return graph.split(torch.cat(vectors, dim=1), similarity="manhattan")

        schedule = Schedule(params.epochs, sgd(params.learning_rate), None, params.eval_every)
        parameters = [parameter for tower in towers for parameter in tower.parameters()]
        return train(parameters, training.step, embed, schedule, ctx)


class _Tower(nn.Module):
    """Two convolutions ``S ReLU(S X)`` of rows that are normalised inside the graph.

    Args:
        rows: Trained rows, [n_rows, dim], normalised before use.
        inputs: Matrix from ``rows`` to entities; None if the rows are the entities.
        adjacency: ``S``.
    """

    def __init__(self, rows: Tensor, inputs: FixedMatrix | None, adjacency: FixedMatrix) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows)
        self._inputs, self._adjacency = inputs, adjacency

    def forward(self) -> Tensor:
        """Vectors of all entities, [n_entities, dim]."""
        vectors = normalize(self.rows, dim=1)
        if self._inputs is not None:
            vectors = self._inputs @ vectors
        return self._adjacency @ relu(self._adjacency @ vectors)


class _Training:
    def __init__(
        self,
        towers: list[_Tower],
        pairs: Tensor,
        n_entities: int,
        params: GCNAlignParams,
        ctx: RunContext,
    ) -> None:
        self._towers, self._pairs, self._params = towers, pairs, params
        self._n_entities = n_entities
        self._generator = ctx.generator("negatives")
        self._device = ctx.device
        self._negatives = pairs

    def step(self, epoch: int) -> float:
        if (epoch - 1) % self._params.refresh_every == 0:
            self._negatives = self._draw()
        loss = torch.zeros((), device=self._device)
        for tower in self._towers:
            loss = loss + paired_margin_loss(
                tower(), self._pairs, self._negatives, self._params.margin
            )
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _draw(self) -> Tensor:
        """Stand-ins for the target (side 0) and the source (side 1), [2, n_pairs, k] joint ids.

        Drawn over both graphs: a stand-in may be of the wrong graph, or even the true partner.
        """
        shape = (2, len(self._pairs), self._params.n_negatives)
        return torch.randint(self._n_entities, shape, generator=self._generator).to(self._device)


def relation_functionality(
    graph: JointGraph,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a relation determines its head and its tail.

    Returns:
        ``fun`` (distinct heads over triples) and ``ifun`` (distinct tails over triples) of each
        relation, [n_relations]; 0 for relations without triples.
    """
    relations = graph.triples[:, 1]
    n_triples = np.maximum(1, np.bincount(relations, minlength=graph.n_relations))
    shares = []
    for column in (0, 2):
        distinct = np.unique(graph.triples[:, [1, column]], axis=0)[:, 0]
        shares.append(np.bincount(distinct, minlength=graph.n_relations) / n_triples)
    return shares[0], shares[1]


def functional_adjacency(graph: JointGraph, floor: float, device: torch.device) -> FixedMatrix:
    """``S = D^-1/2 (W + I) D^-1/2`` with ``D`` the column sums.

    A triple (i, r, j) adds ``max(ifun(r), floor)`` to ``W_ij`` and ``max(fun(r), floor)`` to
    ``W_ji``; triples of an entity with itself are dropped.

    Reference: Wang et al., EMNLP 2018, section 3.2, as the released code computes it.
    """
    fun, ifun = (np.maximum(values, floor) for values in relation_functionality(graph))
    proper = graph.triples[graph.triples[:, 0] != graph.triples[:, 2]]
    heads, relations, tails = proper.T
    size = graph.n_entities
    everyone = np.arange(size)
    keys = np.concatenate([heads * size + tails, tails * size + heads, everyone * (size + 1)])
    weights = np.concatenate([ifun[relations], fun[relations], np.ones(size)])
    cells, position = np.unique(keys, return_inverse=True)
    summed = np.bincount(position, weights=weights, minlength=len(cells))
    rows, columns = cells // size, cells % size
    scale = 1 / np.sqrt(np.bincount(columns, weights=summed, minlength=size))
    values = (summed * scale[rows] * scale[columns]).astype(np.float32)
    return FixedMatrix(SparsePattern(rows, columns, (size, size), device), torch.from_numpy(values))


def _structure_tower(
    graph: JointGraph, adjacency: FixedMatrix, params: GCNAlignParams, generator: torch.Generator
) -> _Tower:
    return _Tower(_truncated(graph.n_entities, params.structure_dim, generator), None, adjacency)


def _attribute_tower(
    graph: JointGraph,
    adjacency: FixedMatrix,
    params: GCNAlignParams,
    generator: torch.Generator,
    device: torch.device,
) -> _Tower:
    bags = attribute_bags(graph, params.n_attributes).numpy()
    entities, columns = np.nonzero(bags)
    pattern = SparsePattern(entities, columns, bags.shape, device)
    inputs = FixedMatrix(pattern, torch.ones(len(entities)))
    return _Tower(_truncated(bags.shape[1], params.attribute_dim, generator), inputs, adjacency)


def _truncated(n_rows: int, dim: int, generator: torch.Generator) -> Tensor:
    """Truncated normal values with standard deviation ``1 / sqrt(n_rows)``.

    The step of the unit row is the learning rate over the squared norm of the raw row, so this
    scale is part of the recipe.
    """
    std = 1 / math.sqrt(n_rows)
    values = torch.empty(n_rows, dim)
    return nn.init.trunc_normal_(values, 0.0, std, -2 * std, 2 * std, generator=generator)
