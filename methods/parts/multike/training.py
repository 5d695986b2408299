"""MultiKE's views as tables, and the losses of an epoch in the order of the released code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.layers.value_encoder import ValueEncoder
from mmea_bench.methods.core.losses.margins import logistic_loss
from mmea_bench.methods.core.losses.translation import translation_distances, triple_distances
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    NearestCandidates,
    UniformCandidates,
)
from mmea_bench.methods.core.training.optimisers import adagrad
from mmea_bench.methods.core.training.triple_corruption import TripleBatches
from mmea_bench.methods.parts.multike.facts import (
    Facts,
    exchanged,
    relation_triples,
    swapped_triples,
)
from mmea_bench.methods.parts.multike.predicates import (
    aligned_by_name,
    local_name,
    value_weights,
)

_ACROSS = 2.0
"""Weight of the losses across the KGs; of attributes with a counterpart it is 1."""


@dataclass(frozen=True)
class ViewSettings:
    """Parameters of the views.

    Attributes:
        dim: Columns of all tables.
        n_negatives: Of a relation triple.
        truncation: Share of a KG's entities that nearest negatives are drawn from.
        refresh_every: Epochs between two searches of nearest entities; before the first one
            negatives are uniform.
        batch_size: Triples, or entities, of a batch.
        learning_rate: Of Adagrad.
        shared_learning_rate: Of the Adagrad of the shared space.
        predicate_from: Epoch after which aligned predicates are exchanged.
        predicate_every: Epochs between two updates of their similarities.
        name_threshold: Smallest Levenshtein ratio of aligned predicates.
        predicate_threshold: Smallest similarity after an update.
        name_weight: Of the ratio in an update.
        alone_weight: Of attributes without a counterpart.
    """

    dim: int
    n_negatives: int
    truncation: float
    refresh_every: int
    batch_size: int
    learning_rate: float
    shared_learning_rate: float
    predicate_from: int
    predicate_every: int
    name_threshold: float
    predicate_threshold: float
    name_weight: float
    alone_weight: float


class _Task:
    """What the losses of all views need."""

    def __init__(self, settings: ViewSettings, ctx: RunContext) -> None:
        self.settings, self.ctx = settings, ctx
        self.shuffles = ctx.generator("batches")

    def updates(self, parameters: Iterable[nn.Parameter]) -> MiniBatchSteps:
        """Every loss has an optimiser of its own; sums start as in TensorFlow."""
        make = adagrad(self.settings.learning_rate, initial_sum=0.1)
        return MiniBatchSteps(make(list(parameters)))

    def table(self, n_rows: int, purpose: str) -> nn.Parameter:
        start = xavier_normal((n_rows, self.settings.dim), self.ctx.generator(purpose))
        return nn.Parameter(start.to(self.ctx.device))

    def batches(self, n_rows: int) -> Iterator[Tensor]:
        yield from shuffled_batches(torch.arange(n_rows), self.settings.batch_size, self.shuffles)

    def is_update(self, epoch: int) -> bool:
        """Whether similarities of predicates are computed anew before this epoch's exchange."""
        since = epoch - self.settings.predicate_from - 1
        return since >= 0 and since % self.settings.predicate_every == 0


class RelationView:
    """Translations on tables of its own, unit rows throughout."""

    def __init__(
        self, view: TrainView, graph: JointGraph, settings: ViewSettings, ctx: RunContext
    ) -> None:
        self._task = _Task(settings, ctx)
        self.n_source, self._n_relations = graph.n_source, view.source.n_relations
        self.triples = relation_triples(view)
        n_relations = view.source.n_relations + view.target.n_relations
        self.entities = self._task.table(graph.n_entities, "relation view")
        self.relations = self._task.table(max(1, n_relations), "relations")
        self._swapped = swapped_triples(self.triples, graph.seed_pairs(view), graph.n_source)
        source, target = (
            [local_name(uri) for uri in side.relations] for side in (view.source, view.target)
        )
        self._aligned = aligned_by_name(source, target, settings.name_threshold)
        # Negatives are drawn on the CPU: each refusal of a GPU's would have to be waited for.
        side = (self.triples[:, 0] >= graph.n_source).long()
        everyone = UniformCandidates.of_graphs(graph.n_source, graph.n_entities)
        self._corruption = FilteredCorruption(
            self.triples, side, graph.n_entities, everyone, ends="one coin"
        )
        self._everyone = everyone
        sizes = settings.n_negatives, 1, settings.batch_size
        self._batches = TripleBatches(self._corruption, *sizes, ctx)
        parameters = [self.entities, self.relations]
        self._updates = [self._task.updates(parameters) for _ in range(3)]

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [self.entities, self.relations]

    def vectors(self) -> Tensor:
        """Unit rows of all entities, [n_entities, dim]."""
        return normalize(self.entities, dim=1)

    def epoch(self, epoch: int) -> float:
        """Triples with negatives, then swapped entities, then exchanged relations."""
        settings = self._task.settings
        if epoch > settings.refresh_every and (epoch - 1) % settings.refresh_every == 0:
            vectors = self.vectors().detach()
            self._corruption.candidates = NearestCandidates(
                vectors, self.n_source, settings.truncation, self._everyone
            )
        loss = self._updates[0].mean_loss(self._own(epoch))
        loss += self._updates[1].mean_loss(self._positives(self._swapped))
        if self._task.is_update(epoch):
            tables = normalize(self.relations.detach(), dim=1)
            parts = tables[: self._n_relations], tables[self._n_relations :]
            limits = settings.name_weight, settings.predicate_threshold
            self._aligned = self._aligned.updated(*parts, *limits)
        if epoch > settings.predicate_from:
            numbers = self._n_relations, len(self.relations)
            places, others, weights = exchanged(self.triples[:, 1], self._aligned, *numbers)
            copies = self.triples[places].clone()
            copies[:, 1] = others
            loss += self._updates[2].mean_loss(self._positives(copies, weights))
        return loss

    def _own(self, epoch: int) -> Iterator[Tensor]:
        for batch in self._batches.epoch(epoch):
            self._task.ctx.check_deadline()
            tables = self.vectors(), normalize(self.relations, dim=1)
            yield logistic_loss(*translation_distances(*tables, batch, "squared l2"))

    def _positives(self, triples: Tensor, weights: Tensor | None = None) -> Iterator[Tensor]:
        device = self._task.ctx.device
        for rows in self._task.batches(len(triples)):
            tables = self.vectors(), normalize(self.relations, dim=1)
            distances = triple_distances(*tables, triples[rows].to(device), "squared l2")
            given = None if weights is None else weights[rows].to(device)
            yield _ACROSS * logistic_loss(distances, weights=given)


class AttributeView:
    """Entities near what a CNN makes of their attributes and values.

    Args:
        view: Dataset.
        graph: Its union graph.
        facts: Attribute triples.
        values: Frozen vectors of their values, [n_values, dim].
        settings: Parameters.
        ctx: Device and generators.
    """

    def __init__(
        self,
        view: TrainView,
        graph: JointGraph,
        facts: Facts,
        values: Tensor,
        settings: ViewSettings,
        ctx: RunContext,
    ) -> None:
        self._task, self._facts, self._values = _Task(settings, ctx), facts, values
        self._sizes = view.source.n_attributes, view.target.n_attributes
        self.entities = self._task.table(graph.n_entities, "attribute view")
        self.attributes = self._task.table(max(1, sum(self._sizes)), "attributes")
        self._swapped = facts.swapped(graph.seed_pairs(view))
        source, target = (
            [local_name(uri) for uri in side.attributes] for side in (view.source, view.target)
        )
        self._aligned = aligned_by_name(source, target, settings.name_threshold)
        # A CNN for each loss; the one of a loss without triples would be idle.
        exchange = exchanged(facts.attributes, self._aligned, self._sizes[0], sum(self._sizes))
        counts = len(facts), len(self._swapped), len(exchange[0])
        self._encoders = [
            ValueEncoder(settings.dim, ctx.generator(f"values {number}")).to(ctx.device)
            for number, count in enumerate(counts)
            if count
        ]
        self._updates = [
            self._task.updates([self.entities, self.attributes, *encoder.parameters()])
            for encoder in self._encoders
        ]
        self._n_swapped = int(counts[1] > 0)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        own = [parameter for encoder in self._encoders for parameter in encoder.parameters()]
        return [self.entities, self.attributes, *own]

    def vectors(self) -> Tensor:
        """Unit rows of all entities, [n_entities, dim]."""
        return normalize(self.entities, dim=1)

    def epoch(self, epoch: int) -> float:
        """Triples, then swapped entities, then exchanged attributes; no negatives."""
        settings = self._task.settings
        n_source, n_attributes = self._sizes[0], sum(self._sizes)
        if self._task.is_update(epoch):
            table = self.attributes.detach()
            limits = settings.name_weight, settings.predicate_threshold
            self._aligned = self._aligned.updated(table[:n_source], table[n_source:], *limits)
        limits = settings.alone_weight, settings.predicate_threshold
        weights = value_weights(self._aligned, *self._sizes, *limits)
        loss = self._trained(0, self._facts, weights[self._facts.attributes])
        if self._n_swapped:
            loss += self._trained(1, self._swapped, torch.full((len(self._swapped),), _ACROSS))
        places, others, similarity = exchanged(
            self._facts.attributes, self._aligned, n_source, n_attributes
        )
        if epoch > settings.predicate_from and len(places):
            chosen = self._facts.chosen(places)
            facts = Facts(chosen.entities, others, chosen.values)
            loss += self._trained(1 + self._n_swapped, facts, similarity)
        return loss

    def _trained(self, number: int, facts: Facts, weights: Tensor) -> float:
        return self._updates[number].mean_loss(self._losses(self._encoders[number], facts, weights))

    def _losses(self, encoder: ValueEncoder, facts: Facts, weights: Tensor) -> Iterator[Tensor]:
        device = self._task.ctx.device
        for rows in self._task.batches(len(facts)):
            self._task.ctx.check_deadline()
            batch = facts.chosen(rows)
            found = encoder(
                self.attributes[batch.attributes.to(device)], self._values[batch.values.to(device)]
            )
            heads = normalize(self.entities[batch.entities.to(device)], dim=1)
            distances = (heads - found).square().sum(dim=1)
            yield logistic_loss(distances, weights=weights[rows].to(device))


class SharedSpace:
    """Entities near all views at once, which are drawn towards it, too (the paper's ITC).

    Args:
        n_entities: Of both KGs.
        views: Make the current unit rows of all entities, [n_entities, dim].
        trained: Tables of the views.
        settings: Parameters.
        ctx: Device and generators.
    """

    def __init__(
        self,
        n_entities: int,
        views: list[Callable[[], Tensor]],
        trained: list[nn.Parameter],
        settings: ViewSettings,
        ctx: RunContext,
    ) -> None:
        self._task, self._views = _Task(settings, ctx), views
        self.entities = self._task.table(n_entities, "shared space")
        make = adagrad(settings.shared_learning_rate, initial_sum=0.1)
        self._updates = MiniBatchSteps(make([self.entities, *trained]))

    def vectors(self) -> Tensor:
        """Unit rows of all entities, [n_entities, dim]."""
        return normalize(self.entities, dim=1)

    def epoch(self) -> float:
        """``sum_e sum_v |e - v_e|^2`` over all entities in batches."""
        return self._updates.mean_loss(self._losses())

    def _losses(self) -> Iterator[Tensor]:
        for rows in self._task.batches(len(self.entities)):
            chosen = rows.to(self._task.ctx.device)
            own = self.vectors()[chosen]
            gaps = [(own - vectors()[chosen]).square().sum() for vectors in self._views]
            yield torch.stack(gaps).sum()
