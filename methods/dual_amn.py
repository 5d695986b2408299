"""Dual-AMN: attention by relation alone, attention to proxies of the graph, and all as negatives.

Two encoders, one for what an entity's neighbours say and one for what its relations say, mirror
neighbours as RREA does. Every entity of both KGs is a negative of every seed link; a standardised
LogSumExp picks the hard ones. Mutual nearest neighbours become seeds in four further turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import Embeddings, Method, RunContext, Scoring
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.reflection import ReflectionGraph, ReflectionLayer
from mmea_bench.methods.core.layers.reflection_encoder import (
    NeighbourFeatures,
    all_layers,
    dropped,
)
from mmea_bench.methods.core.losses.margins import hard_sample_loss
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.optimisers import rmsprop

_BLOCK_PAIRS = 256
"""Pairs whose scores with all entities are in memory at a time: 40 MB a matrix on DBP15K."""


@dataclass(frozen=True)
class DualAMNParams:
    """Hyper-parameters of Dual-AMN; defaults are those of its released notebook."""

    dim: int = 128  # of entities and relations; notebook
    depth: int = 2  # layers; notebook
    n_proxies: int = 64  # notebook
    dropout: float = 0.3  # of the outputs; notebook
    margin: float = 1.0  # notebook
    scale: float = 30.0  # lambda; notebook
    shift: float = 10.0  # tau; notebook
    epochs: int = 40  # 20, and four turns of 5; notebook
    batch_size: int = 1024  # notebook
    bootstrap_start: int = 20  # last epoch before the first turn; notebook
    bootstrap_every: int = 5  # epochs of a turn; notebook
    csls_k: int = 10  # of what is promoted; notebook
    learning_rate: float = 5e-3  # RMSprop with Keras' defaults; notebook
    eval_every: int = 5


class DualAMN(Method):
    """Dual-AMN as its released notebook trains it; ``basic`` ends before the first turn."""

    paper = Paper(
        authors="Mao, Wang, Wu, Lan",
        title="Boosting the Speed of Entity Alignment 10x: Dual Attention Matching Network with "
        "Normalized Hard Sample Mining",
        venue="WWW",
        year=2021,
        url="https://arxiv.org/abs/2103.15452",
        code_url="https://github.com/MaoXinn/Dual-AMN",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = DualAMNParams
    # The notebook prints target to source alone.
    published_scoring = Scoring("cosine", csls=10)
    variants: ClassVar = {"basic": {"epochs": 20}}
    test_params: ClassVar = {
        "epochs": 40,
        "bootstrap_start": 20,
        "bootstrap_every": 10,
        "dim": 16,
        "n_proxies": 8,
        "eval_every": 20,
    }

    @property
    def is_iterative(self) -> bool:
        """Whether promoted pairs are learned before the last epoch is over."""
        params: DualAMNParams = self.params
        return params.epochs > params.bootstrap_start

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Vectors of all entities, [n_entities, 2 (depth + 1) dim] on each side."""
        params: DualAMNParams = self.params
        graph = JointGraph.of(view)
        model = DualEncoder(graph, params, ctx)
        optimiser = rmsprop(params.learning_rate)(model.parameters())
        shuffles, drops = ctx.generator("batches"), ctx.generator("dropout")
        # Every entity without a seed may be promoted; the notebook knows which have a partner.
        rule = BootstrapRule("mutual", float("-inf"), csls_k=params.csls_k, edits=False)
        labels = Bootstrapping(
            graph.seed_pairs(view), graph.n_source, graph.n_entities, rule, ctx.log
        )

        def losses(leaves: dict[str, Tensor], batch: Tensor) -> Iterator[Tensor]:
            for chunk in torch.split(batch, _BLOCK_PAIRS):
                settings = params.margin, params.scale, params.shift
                share = len(chunk) / len(batch)
                yield share * hard_sample_loss(leaves["joint"], chunk, *settings)

        def step(_epoch: int) -> float:
            total = 0.0
            for batch in shuffled_batches(labels.pairs, params.batch_size, shuffles):
                optimiser.zero_grad(set_to_none=True)
                vectors = dropped(model(), params.dropout, drops)
                pairs = batch.to(ctx.device)
                total += backward_in_batches({"joint": vectors}, partial(losses, batch=pairs))
                optimiser.step()
            return total

        @torch.no_grad()
        def embed() -> Embeddings:
            return graph.split(model())

        def promote(epoch: int) -> None:
            since = epoch - params.bootstrap_start
            if since >= 0 and since % params.bootstrap_every == 0 and epoch < params.epochs:
                labels.look(epoch, embed())

        schedule = Schedule(
            params.epochs,
            None,
            eval_every=params.eval_every,
            earliest_stop=params.bootstrap_start if self.is_iterative else 0,
        )
        return train(model.parameters(), step, embed, schedule, ctx, promote)


class DualEncoder(nn.Module):
    """One encoder for neighbour features and one for relation features, side by side.

    Args:
        graph: Union graph.
        params: Sizes.
        ctx: Device and generator.
    """

    def __init__(self, graph: JointGraph, params: DualAMNParams, ctx: RunContext) -> None:
        super().__init__()
        generator, dim = ctx.generator("initial values"), params.dim
        self.features = NeighbourFeatures(graph, dim, dim, generator, ctx.device)
        self.of_neighbours = ProxyEncoder(dim, params.depth, params.n_proxies, generator)
        self.of_relations = ProxyEncoder(dim, params.depth, params.n_proxies, generator)
        self._reflections = ReflectionGraph.of(graph, ctx.device)
        self.to(ctx.device)

    def forward(self) -> Tensor:
        """Vectors of all entities, not normalised, [n_entities, 2 (depth + 1) dim]."""
        graph, features = self._reflections, self.features
        directions = graph.directions(features.relations)
        both = (
            self.of_neighbours(features.of_neighbours(), directions, graph),
            self.of_relations(features.of_relations(), directions, graph),
        )
        return torch.cat(both, dim=1)


class ProxyEncoder(nn.Module):
    """Reflection attention by relation alone, then a gate towards what differs from the proxies.

    Proxies stand for the other graph: an entity attends to 64 trained vectors in place of all of
    its entities.

    Args:
        dim: Columns of the features.
        depth: Number of layers.
        n_proxies: Number of proxies.
        generator: CPU generator of the initial values.

    Reference: Mao et al., Dual-AMN, WWW 2021, sections 4.1 and 4.2, as the released code computes.
    """

    def __init__(self, dim: int, depth: int, n_proxies: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ReflectionLayer(dim, generator) for _ in range(depth))
        width = (depth + 1) * dim
        self.proxies = glorot_uniform(n_proxies, width, generator)
        self.gate = glorot_uniform(width, width, generator)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor, directions: Tensor, graph: ReflectionGraph) -> Tensor:
        """[n_entities, dim] to [n_entities, (depth + 1) dim].

        Args:
            features: Of all entities.
            directions: Unit direction of each relation set, [n_sets, dim].
            graph: Neighbour pairs of all entities.
        """
        layers = [
            lambda vectors, layer=layer: layer(vectors, directions, graph) for layer in self.layers
        ]
        found = all_layers(features, layers, torch.tanh)
        cosines = normalize(found, dim=1) @ normalize(self.proxies, dim=1).T
        away = found - torch.softmax(cosines, dim=1) @ self.proxies
        kept = torch.sigmoid(away @ self.gate + self.bias)
        return kept * found + (1 - kept) * away
