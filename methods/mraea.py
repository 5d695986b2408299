"""MRAEA: entities are what their neighbours and the relations (with direction) around them are.

A graph attention without weight matrices looks at both ends of an edge and at the mean of its
relations; a margin loss with random negatives trains it on the seed links.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.reflection import ReflectionGraph
from mmea_bench.methods.core.layers.reflection_encoder import (
    NeighbourFeatures,
    all_layers,
)
from mmea_bench.methods.core.rounds.promotions import Promotions, RoundSettings
from mmea_bench.methods.core.rounds.training import TileSettings, train_on_tiles
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.optimisers import tensorflow_adam

_LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class MRAEAParams:
    """Hyper-parameters of MRAEA; defaults are those of its released notebook."""

    entity_dim: int = 100  # notebook
    relation_dim: int = 100  # notebook
    depth: int = 2  # layers, which share their kernels; notebook
    n_heads: int = 2  # averaged; notebook
    dropout: float = 0.3  # of the outputs; notebook
    margin: float = 3.0  # notebook
    epochs: int = 5000  # optimiser steps; notebook
    iterative: bool = False  # the notebook has no promotions
    bootstrap_start: int = 5000  # steps before the first promotion; our reading
    bootstrap_every: int = 1200  # steps between promotions; RREA's, by the same authors
    csls_k: int = 10  # of what is promoted; RREA's
    learning_rate: float = 1e-3  # Adam with Keras' defaults; notebook
    eval_every: int = 500


class MRAEA(Method):
    """MRAEA as its released notebook trains it, without names and without promotions."""

    paper = Paper(
        authors="Mao, Wang, Xu, Lan, Wu",
        title="MRAEA: An Efficient and Robust Entity Alignment Approach for Cross-lingual "
        "Knowledge Graph",
        venue="WSDM",
        year=2020,
        url="https://doi.org/10.1145/3336191.3371804",
        code_url="https://github.com/MaoXinn/MRAEA",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = MRAEAParams
    published_scoring = Scoring("cosine", csls=0)  # notebook
    variants: ClassVar = {
        # Of the paper alone, which the notebook does not show: RREA's rounds stand in.
        "iterative": {"iterative": True, "epochs": 9800},
    }
    test_params: ClassVar = {
        "epochs": 80,
        "bootstrap_start": 40,
        "bootstrap_every": 20,
        "entity_dim": 16,
        "relation_dim": 16,
        "learning_rate": 1e-2,
        "eval_every": 40,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether promoted pairs are learned before the last step."""
        params: MRAEAParams = self.params
        return params.iterative and params.epochs > params.bootstrap_start

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, (depth + 1) (entity_dim + relation_dim)]."""
        params: MRAEAParams = self.params
        graph = JointGraph.of(view)
        encoder = MetaRelationEncoder(graph, params, ctx)
        settings = taken_from(params, RoundSettings)
        if not params.iterative:
            settings = replace(settings, bootstrap_start=params.epochs)
        rounds = Promotions(graph, view, settings, ctx)
        tiles, optimiser = (
            taken_from(params, TileSettings),
            tensorflow_adam(params.learning_rate, epsilon=1e-7),
        )
        return train_on_tiles(encoder, graph, rounds, tiles, optimiser, ctx)


class MetaRelationEncoder(nn.Module):
    """Attention over neighbours by both ends and by the mean relation between them.

    ``w_ij = softmax_j LeakyReLU(a_s . x_i + a_n . x_j + a_r . r_ij)`` in each head, and the next
    vector is ``ReLU`` of the heads' mean of ``sum_j w_ij x_j``. All layers share their kernels.

    Args:
        graph: Union graph.
        params: Sizes.
        ctx: Device and generator.

    Reference: Mao et al., MRAEA, WSDM 2020, section 3.3, as the released code computes it.
    """

    def __init__(self, graph: JointGraph, params: MRAEAParams, ctx: RunContext) -> None:
        super().__init__()
        generator, sizes = ctx.generator("initial values"), (params.entity_dim, params.relation_dim)
        self.features = NeighbourFeatures(graph, *sizes, generator, ctx.device)
        width, heads = sum(sizes), params.n_heads
        # Glorot's rule for each kernel seen as a matrix of one column.
        ends, relation = math.sqrt(6 / (width + 1)), math.sqrt(6 / (params.relation_dim + 1))
        self.ends = uniform_parameter((heads, 2, width), ends, generator)
        self.relation = uniform_parameter((heads, params.relation_dim), relation, generator)
        self._pairs, self._depth = ReflectionGraph.of(graph, ctx.device), params.depth
        self.to(ctx.device)

    def forward(self) -> Tensor:
        """Vectors of all entities, not normalised, [n_entities, (depth + 1) width]."""
        relations = self._pairs.members @ self.features.relations
        both = self.features.of_neighbours(), self.features.of_relations()
        of_pairs = (relations @ self.relation.T).index_select(0, self._pairs.sets)

        def layer(vectors: Tensor) -> Tensor:
            return self._attended(vectors, of_pairs)

        return all_layers(torch.cat(both, dim=1), [layer] * self._depth, torch.relu)

    def _attended(self, vectors: Tensor, of_pairs: Tensor) -> Tensor:
        """Mean of the heads' sums over neighbours, [n_entities, width].

        The heads sum the same vectors, so that their weights are averaged before the one product.
        """
        pairs = self._pairs.pairs
        weights = []
        for head, kernel in enumerate(self.ends):
            ends = vectors @ kernel.T
            logits = ends[:, 0].index_select(0, pairs.rows)
            logits = logits + ends[:, 1].index_select(0, pairs.columns) + of_pairs[:, head]
            weights.append(pairs.row_softmax(leaky_relu(logits, _LEAKY_SLOPE)))
        return pairs.product(torch.stack(weights).mean(dim=0), vectors)
