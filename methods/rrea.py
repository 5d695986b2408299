"""RREA: neighbours are mirrored by the relation that leads to them, and attended to.

A mirror keeps lengths and angles, which is what an alignment by distances needs of a relation. The
second form of the method promotes mutual nearest neighbours to seeds after every round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.reflection_encoder import ReflectionEncoder
from mmea_bench.methods.core.rounds.promotions import Promotions, RoundSettings
from mmea_bench.methods.core.rounds.training import TileSettings, train_on_tiles
from mmea_bench.methods.core.search_space import Choice, Dimension, Float, Int
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.optimisers import rmsprop


@dataclass(frozen=True)
class RREAParams:
    """Hyper-parameters of RREA; defaults are those of its released notebook."""

    dim: int = 100  # of entities and relations; notebook
    depth: int = 2  # layers; notebook
    dropout: float = 0.3  # of the outputs; notebook
    margin: float = 3.0  # notebook
    epochs: int = 6000  # optimiser steps, in five rounds; notebook
    bootstrap_every: int = 1200  # steps of a round; notebook
    csls_k: int = 10  # of what is promoted; notebook
    learning_rate: float = 5e-3  # RMSprop with Keras' defaults; notebook
    eval_every: int = 300


class RREA(Method):
    """RREA as its released notebook trains it, semi-supervised; ``basic`` is its first round."""

    paper = Paper(
        authors="Mao, Wang, Xu, Wu, Lan",
        title="Relational Reflection Entity Alignment",
        venue="CIKM",
        year=2020,
        url="https://arxiv.org/abs/2008.07962",
        code_url="https://github.com/MaoXinn/RREA",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = RREAParams
    published_scoring = Scoring("cosine", csls=10)  # notebook
    grid: ClassVar = {"depth": (1, 2, 3)}
    # Our choice of ranges, around the defaults.
    search_space: ClassVar[Mapping[str, Dimension]] = {
        "learning_rate": Float(5e-4, 5e-2, log=True),
        "margin": Float(0.5, 10.0, log=True),
        "dropout": Float(0.0, 0.6),
        "depth": Int(1, 3),
        "dim": Choice((50, 100, 200)),
    }
    variants: ClassVar = {"basic": {"epochs": 1200}}
    test_params: ClassVar = {
        "epochs": 60,
        "bootstrap_every": 40,
        "dim": 24,
        "eval_every": 20,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether promoted pairs are learned before the last step."""
        params: RREAParams = self.params
        return params.epochs > params.bootstrap_every

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, 2 (depth + 1) dim] on each side."""
        params: RREAParams = self.params
        graph = JointGraph.of(view)
        generator = ctx.generator("initial values")
        encoder = ReflectionEncoder(graph, params.dim, params.depth, generator, ctx.device)
        encoder.to(ctx.device)
        rounds = Promotions(graph, view, taken_from(params, RoundSettings), ctx)
        tiles, optimiser = taken_from(params, TileSettings), rmsprop(params.learning_rate)
        return train_on_tiles(encoder, graph, rounds, tiles, optimiser, ctx)
