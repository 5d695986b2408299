"""NAEA: BootEA's translations at two levels, an entity and what its neighbours say of it.

An interpretation: no code was released and the paper's sizes and schedule are not known to us. What
is here: the swapping, negatives, limits, and labels of BootEA; neighbour vectors by one head of
attention over the edges in both directions; the translation loss on neighbour vectors and
on own vectors (.8 and .2); after each epoch one step that draws labelled pairs, seeds among
them, together at both levels. Labels train nothing else: BootEA's epochs on triples swapped along
them and its likelihood step are not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.weightless_gcn import truncated_normal
from mmea_bench.methods.core.losses.margins import limit_loss
from mmea_bench.methods.core.losses.translation import translation_distances
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.core.training.truncated_batches import TruncatedBatches, TruncatedSampling
from mmea_bench.methods.parts.naea.neighbours import NeighbourAttention


@dataclass(frozen=True)
class NAEAParams:
    """Hyper-parameters of NAEA; defaults are BootEA's where no source names another."""

    dim: int = 75  # EAkit and BootEA
    neighbour_share: float = 0.8  # of the neighbour level in losses and scores, EAkit
    lower_limit: float = 0.01  # squared distance of a triple that costs nothing, BootEA
    upper_limit: float = 2.0  # of a negative, BootEA
    negative_weight: float = 0.2  # BootEA
    n_negatives: int = 10  # of each triple, BootEA and EAkit
    epsilon: float = 0.9  # stand-ins are the nearest tenth of the KG, BootEA
    refresh_every: int = 5  # epochs between two searches for those, BootEA
    batch_size: int = 20000  # triples, BootEA and EAkit
    learning_rate: float = 0.01  # Adagrad, BootEA
    initial_sum: float = 0.1  # of squared gradients, BootEA
    bootstrap: bool = True
    bootstrap_every: int = 10  # epochs between two looks for labels, BootEA and EAkit
    threshold: float = 0.7  # score above which a pair may become a label, BootEA and EAkit
    top_k: int = 20  # targets of each source that may, BootEA
    epochs: int = 500  # 50 rounds of 10, BootEA
    eval_every: int = 50


class NAEA(Method):
    """NAEA (interpretation): both levels, with labels."""

    paper = Paper(
        authors="Zhu, Zhou, Wu, Tan, Guo",
        title="Neighborhood-Aware Attentional Representation for Multilingual Knowledge Graphs",
        venue="IJCAI",
        year=2019,
        url="https://www.ijcai.org/proceedings/2019/269",
        interpretation="No code of the authors is public.",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = NAEAParams
    # No source states how its rows were scored; this is the interpretation's.
    published_scoring = Scoring("cosine", csls=0)
    variants: ClassVar = {"w/o bootstrapping": {"bootstrap": False}}
    test_params: ClassVar = {"epochs": 12, "dim": 32, "batch_size": 1000, "eval_every": 4}

    @property
    def is_iterative(self) -> bool:
        """Whether labels are learned before the last epoch is over."""
        params: NAEAParams = self.params
        return params.bootstrap and params.epochs > params.bootstrap_every

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the triples of both KGs and returns both levels, joined."""
        params: NAEAParams = self.params
        training = NAEATraining(JointGraph.of(view), view, params, ctx)
        schedule = Schedule(params.epochs, None, None, params.eval_every)
        return train(
            training.parameters, training.step, training.embed, schedule, ctx, training.after_epoch
        )


class NAEATraining:
    """Tables, attention, labels and one optimiser for each loss.

    Args:
        graph: Union graph of the view.
        view: What may be seen.
        params: Hyper-parameters.
        ctx: Device and generators.
    """

    def __init__(
        self, graph: JointGraph, view: TrainView, params: NAEAParams, ctx: RunContext
    ) -> None:
        self._graph, self._params = graph, params
        seed_pairs = graph.seed_pairs(view)
        generator, dim = ctx.generator("initial values"), params.dim
        n_relations = 2 * graph.n_relations
        # The relations of both KGs and then their inverses.
        self._entities, self._relations = (
            nn.Parameter(truncated_normal(n, dim, generator, 1 / math.sqrt(dim)).to(ctx.device))
            for n in (graph.n_entities, 2 * n_relations)
        )
        sampling = TruncatedSampling(
            params.batch_size, params.n_negatives, params.epsilon, params.refresh_every
        )
        self._batches = TruncatedBatches(
            graph, seed_pairs, sampling, lambda: normalize(self._entities, dim=1), ctx
        )
        sizes = graph.n_entities, n_relations, dim
        triples = self._batches.plain.triples
        self._attention = NeighbourAttention(triples, *sizes, generator, ctx.device)
        self.parameters = [self._entities, self._relations, *self._attention.parameters()]
        rule = BootstrapRule("one-to-one", params.threshold, params.top_k)
        kgs = graph.n_source, graph.n_entities
        self._bootstrapping = Bootstrapping(seed_pairs, *kgs, rule, ctx.log)
        make = adagrad(params.learning_rate, initial_sum=params.initial_sum)
        self._triple_steps, self._pair_steps = (
            MiniBatchSteps(make(self.parameters)) for _ in range(2)
        )

    def step(self, epoch: int) -> float:
        """One epoch over the triples and one step on the labelled pairs."""
        mean = self._triple_steps.mean_loss(self._triple_losses(epoch))
        pairs = self._bootstrapping.pairs
        if len(pairs):
            own, _, near = self._levels()
            share = self._params.neighbour_share
            self._pair_steps.step(pair_loss(own, near, pairs.to(own.device), share))
        return mean

    def after_epoch(self, epoch: int) -> None:
        """Looks for labels at the end of a round."""
        if self._params.bootstrap and epoch % self._params.bootstrap_every == 0:
            self._bootstrapping.look(epoch, self.embed())

    @torch.no_grad()
    def embed(self) -> Embeddings:
        """Both levels side by side, whose cosine is the weighted sum of theirs."""
        own, _, near = self._levels()
        share = self._params.neighbour_share
        return self._graph.split(
            torch.cat([math.sqrt(share) * near, math.sqrt(1 - share) * own], 1)
        )

    def _levels(self) -> tuple[Tensor, Tensor, Tensor]:
        """Unit vectors of entities, of relations, and of entities by their neighbours."""
        own, relations = unit_rows(self._entities), unit_rows(self._relations)
        return own, relations, self._attention(own, relations)

    def _triple_losses(self, epoch: int) -> Iterator[Tensor]:
        params = self._params
        limits, share = (params.lower_limit, params.upper_limit), params.neighbour_share
        for batch in self._batches.epoch(epoch):
            own, relations, near = self._levels()
            costs = [
                limit_loss(
                    *translation_distances(level, relations, batch, "squared l2"),
                    limits,
                    params.negative_weight,
                )
                for level in (near, own)
            ]
            yield share * costs[0] + (1 - share) * costs[1]


def pair_loss(own: Tensor, near: Tensor, pairs: Tensor, share: float) -> Tensor:
    """Sum of ``-log(share s(cos(n, n')) + (1 - share) s(cos(e, e')))``, ``s`` the sigmoid.

    Args:
        own: Unit rows ``e``, [n_entities, dim].
        near: Unit rows ``n``, [n_entities, dim].
        pairs: Joint ids, [n_pairs, 2].
        share: Of the neighbour level.
    """
    levels = []
    for level in (near, own):
        source, target = (level.index_select(0, ids) for ids in pairs.unbind(1))
        levels.append(torch.sigmoid((source * target).sum(dim=1)))
    return -torch.log(share * levels[0] + (1 - share) * levels[1]).sum()
