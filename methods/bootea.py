"""BootEA: translations with limits, hard negatives, and labels that stay editable.

One space for both KGs: every triple of a seed entity is copied with its partner put in. After every
ten epochs likely pairs become labels (a one-to-one matching of largest similarity), whose copied
triples train as well; later rounds may replace them.

Departures from the released code, which knows the entities of the test links: labels are looked for
among all entities without a seed, and the likelihood spreads over all of the target KG. A
negative that happens to be a triple is drawn again where the code drops it.
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
from mmea_bench.methods.core.losses.margins import likelihood_loss, limit_loss, logistic_loss
from mmea_bench.methods.core.losses.translation import translation_distances, triple_distances
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.core.training.truncated_batches import (
    TruncatedBatches,
    TruncatedSampling,
    swapped_batches,
)

_LIKELIHOOD_ROWS = 1024
"""Source entities of the likelihood whose scores are in memory at once."""


@dataclass(frozen=True)
class BootEAParams:
    """Hyper-parameters of BootEA; defaults are those of its released code."""

    dim: int = 75  # code
    lower_limit: float = 0.01  # squared distance of a triple that costs nothing, code
    upper_limit: float = 2.0  # of a negative, code
    negative_weight: float = 0.2  # mu, code
    n_negatives: int = 10  # of each triple, code
    epsilon: float = 0.9  # stand-ins are the nearest tenth of the KG, code
    refresh_every: int = 5  # epochs between two searches for those, code
    batch_size: int = 20000  # triples, code
    learning_rate: float = 0.01  # Adagrad, code
    initial_sum: float = 0.1  # of squared gradients, TensorFlow
    bootstrap: bool = True  # AlignE has no labels
    bootstrap_every: int = 10  # epochs between two looks for labels, code
    threshold: float = 0.7  # cosine above which a pair may become a label, code
    top_k: int = 20  # targets of each source that may, code
    likelihood: bool = True  # one step after each look, code
    epochs: int = 500  # 50 rounds of 10, code
    eval_every: int = 50


class BootEA(Method):
    """BootEA as its released code trains it."""

    paper = Paper(
        authors="Sun, Hu, Zhang, Qu",
        title="Bootstrapping Entity Alignment with Knowledge Graph Embedding",
        venue="IJCAI",
        year=2018,
        url="https://www.ijcai.org/proceedings/2018/611",
        code_url="https://github.com/nju-websoft/BootEA",
    )
    modalities: ClassVar[tuple[str, ...]] = ("structure",)
    requires: ClassVar[tuple[str, ...]] = ("structure",)
    Params = BootEAParams
    # Code, which prints a second line with one added to the score of each current label.
    published_scoring = Scoring("cosine", csls=0)
    paper_stop = "last"
    variants: ClassVar = {
        "AlignE": {"bootstrap": False, "likelihood": False},
        "w/o likelihood": {"likelihood": False},
        "OpenEA": {"dim": 100, "batch_size": 5000, "top_k": 10, "likelihood": False},
    }
    test_params: ClassVar = {"epochs": 24, "dim": 32, "batch_size": 1000, "eval_every": 8}

    @property
    def is_iterative(self) -> bool:
        """Whether labels are learned before the last epoch is over."""
        params: BootEAParams = self.params
        return params.bootstrap and params.epochs > params.bootstrap_every

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Trains on the triples of both KGs and returns the unit vectors of all entities."""
        params: BootEAParams = self.params
        training = BootEATraining(JointGraph.of(view), view, params, ctx)
        schedule = Schedule(params.epochs, None, None, params.eval_every)
        return train(
            training.tables, training.step, training.embed, schedule, ctx, training.after_epoch
        )


class BootEATraining:
    """Tables, labels and one optimiser for each loss.

    Args:
        graph: Union graph of the view.
        view: What may be seen.
        params: Hyper-parameters.
        ctx: Device and generators.

    Attributes:
        tables: Raw rows of entities and relations; both are scaled to unit length wherever they
            are read.
    """

    def __init__(
        self, graph: JointGraph, view: TrainView, params: BootEAParams, ctx: RunContext
    ) -> None:
        self._graph, self._params, self._ctx = graph, params, ctx
        self._seed_pairs = graph.seed_pairs(view)
        self.tables = self._initial_tables(2 * graph.n_relations)
        sampling = TruncatedSampling(
            params.batch_size, params.n_negatives, params.epsilon, params.refresh_every
        )
        self._batches = TruncatedBatches(
            graph, self._seed_pairs, sampling, lambda: normalize(self.tables[0], dim=1), ctx
        )
        rule = BootstrapRule("one-to-one", params.threshold, params.top_k)
        sizes = graph.n_source, graph.n_entities
        self._bootstrapping = Bootstrapping(self._seed_pairs, *sizes, rule, ctx.log)
        make = adagrad(params.learning_rate, initial_sum=params.initial_sum)
        self._triple_steps, self._label_steps = (
            MiniBatchSteps(make(self.tables)) for _ in range(2)
        )
        self._likelihood_optimiser = make(self.tables[:1])
        self._shuffles = ctx.generator("labels")

    def _initial_tables(self, n_relations: int) -> list[nn.Parameter]:
        generator, dim = self._ctx.generator("initial values"), self._params.dim
        return [
            nn.Parameter(
                truncated_normal(size, dim, generator, 1 / math.sqrt(dim)).to(self._ctx.device)
            )
            for size in (self._graph.n_entities, n_relations)
        ]

    def step(self, epoch: int) -> float:
        """One epoch over the triples; before the first of a round the likelihood has its step.

        The code makes that step at the end of a round, after having scored the vectors.
        """
        params = self._params
        if params.likelihood and epoch > 1 and (epoch - 1) % params.bootstrap_every == 0:
            self._likelihood_step()
        return self._triple_steps.mean_loss(self._triple_losses(epoch))

    def after_epoch(self, epoch: int) -> None:
        """Looks for labels at the end of a round, and trains on them twice in a round."""
        params = self._params
        if not params.bootstrap:
            return
        if epoch % params.bootstrap_every == 0:
            self._bootstrapping.look(epoch, self.embed())
        if epoch % params.refresh_every == 0:
            self._label_steps.mean_loss(self._label_losses())

    @torch.no_grad()
    def embed(self) -> Embeddings:
        """Unit vectors of all entities."""
        return self._graph.split(normalize(self.tables[0], dim=1))

    def _unit_tables(self) -> tuple[Tensor, Tensor]:
        entities, relations = self.tables
        return unit_rows(entities), unit_rows(relations)

    def _triple_losses(self, epoch: int) -> Iterator[Tensor]:
        params = self._params
        limits = params.lower_limit, params.upper_limit
        for batch in self._batches.epoch(epoch):
            own, others = translation_distances(*self._unit_tables(), batch, "squared l2")
            yield limit_loss(own, others, limits, params.negative_weight)

    def _label_losses(self) -> Iterator[Tensor]:
        labels = self._bootstrapping.labels
        sizes = self._params.batch_size, self._shuffles
        for triples in swapped_batches(self._batches.plain, labels, *sizes):
            rows = triples.to(self._ctx.device)
            yield logistic_loss(triple_distances(*self._unit_tables(), rows, "squared l2"))

    def _likelihood_step(self) -> None:
        """One step on seeds and labels; without any label entities without a seed cost nothing."""
        n_source, device = self._graph.n_source, self._ctx.device
        pairs = self._bootstrapping.pairs
        partners = torch.full((n_source,), -1)
        partners[pairs[:, 0]] = pairs[:, 1] - n_source
        some = torch.arange(n_source)
        if not len(self._bootstrapping.labels):
            some = torch.nonzero(partners >= 0).squeeze(1)
        some, partners = some.to(device), partners[some].to(device)

        def losses(vectors: dict[str, Tensor]) -> Iterator[Tensor]:
            blocks = (torch.split(part, _LIKELIHOOD_ROWS) for part in (some, partners))
            for rows, wanted in zip(*blocks, strict=True):
                source, target = vectors["unit"][rows], vectors["unit"][n_source:]
                yield likelihood_loss(source, target, wanted)

        self._likelihood_optimiser.zero_grad(set_to_none=True)
        backward_in_batches({"unit": unit_rows(self.tables[0])}, losses)
        self._likelihood_optimiser.step()
