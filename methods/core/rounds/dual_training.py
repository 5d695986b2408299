"""Dual-AMN's training, for what reads its vectors alone and for what adds scores of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.proxy_encoder import DualEncoder
from mmea_bench.methods.core.rounds.promotions import Promotions, RoundSettings
from mmea_bench.methods.core.rounds.steps import HardSampleEpochs, HardSampling
from mmea_bench.methods.core.rounds.training import train_in_rounds
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import AlignmentT
from mmea_bench.methods.core.training.optimisers import rmsprop


@dataclass(frozen=True)
class DualSettings:
    """The encoder and its optimiser; the names are those of a method's parameters.

    Attributes:
        dim: Columns of entities and relations.
        depth: Layers.
        n_proxies: Vectors that stand for the whole graph.
        learning_rate: Of RMSprop with Keras' defaults.
        eval_every: Epochs between two evaluations, where the protocol does not say.
    """

    dim: int
    depth: int
    n_proxies: int
    learning_rate: float
    eval_every: int


def train_dual_encoder(
    view: TrainView,
    graph: JointGraph,
    params: Any,
    align: Callable[[Tensor], AlignmentT],
    ctx: RunContext,
) -> AlignmentT:
    """Trains on all negatives, with promoted pairs in rounds (Dual-AMN, WWW 2021, section 4).

    Args:
        view: With the seed links.
        graph: Union graph.
        params: A method's, with the fields of ``DualSettings``, ``RoundSettings`` and
            ``HardSampling``.
        align: Vectors of all entities, [n_entities, 2 (depth + 1) dim], to the method's result,
            by which pairs are promoted as well.
        ctx: Monitor, patience, deadline and progress.
    """
    settings = taken_from(params, DualSettings)
    generator = ctx.generator("initial values")
    sizes = settings.dim, settings.depth, settings.n_proxies
    model = DualEncoder(graph, *sizes, generator, ctx.device)
    rounds = Promotions(graph, view, taken_from(params, RoundSettings), ctx)
    optimiser = rmsprop(settings.learning_rate)(model.parameters())
    sampling = taken_from(params, HardSampling)
    step = HardSampleEpochs(model, lambda: rounds.pairs, optimiser, sampling, ctx)
    return train_in_rounds(model, step, align, rounds, ctx, eval_every=settings.eval_every)
