"""MMEA's views as tables, the space that they share, and the losses of an epoch in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet, n_own_relations
from mmea_bench.methods.core.layers.encoders import Linear, xavier_normal
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.value_encoder import Unit, unit_targets
from mmea_bench.methods.core.losses.margins import logistic_loss, margin_loss
from mmea_bench.methods.core.losses.translation import translation_distances
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.negatives import FilteredCorruption, UniformCandidates
from mmea_bench.methods.core.training.optimisers import tensorflow_adam
from mmea_bench.methods.core.training.triple_corruption import TripleBatches
from mmea_bench.methods.parts.mmea.numbers import NumericFacts, NumericTargets


@dataclass(frozen=True)
class ViewSettings:
    """Parameters of the views and of the space that they share.

    Attributes:
        dim: Columns of all tables.
        n_bases: Radial basis functions of an attribute.
        basis_width: Where their widths start.
        unit: What has unit length among the vectors that images and numbers ask for.
        swapping: Whether triples are copied with seed partners in their ends' places.
        margin: Of the loss of relation triples.
        n_negatives: Of a relation triple.
        image_weight: Of the visual loss.
        structure_share: Weight of the relational view in the shared space.
        image_share: Of the visual view.
        attribute_share: Of the numerical view.
        shared_weight: Of the loss of the shared space.
        batch_size: Triples, entities, or numbers of a batch.
        learning_rate: Of Adam on the views.
        shared_learning_rate: Of Adam on the shared space and on the alignment.
    """

    dim: int
    n_bases: int
    basis_width: float
    unit: Unit
    swapping: bool
    margin: float
    n_negatives: int
    image_weight: float
    structure_share: float
    image_share: float
    attribute_share: float
    shared_weight: float
    batch_size: int
    learning_rate: float
    shared_learning_rate: float


class _Task:
    """What the losses of all views need."""

    def __init__(self, settings: ViewSettings, ctx: RunContext, purpose: str) -> None:
        self.settings, self.ctx = settings, ctx
        self.values = ctx.generator(f"{purpose} values")
        self.shuffles = ctx.generator(f"{purpose} batches")

    def table(self, n_rows: int) -> nn.Parameter:
        start = xavier_normal((n_rows, self.settings.dim), self.values)
        return nn.Parameter(start.to(self.ctx.device))

    def updates(
        self, parameters: Iterable[nn.Parameter], *, is_shared: bool = False
    ) -> MiniBatchSteps:
        """Every loss has an optimiser of its own."""
        settings = self.settings
        rate = settings.shared_learning_rate if is_shared else settings.learning_rate
        return MiniBatchSteps(tensorflow_adam(rate)(list(parameters)))

    def sampled(self, rows: Tensor) -> Iterator[Tensor]:
        """As many random batches as would hold all rows, each drawn anew."""
        size = self.settings.batch_size
        for _ in range(-(-len(rows) // size)):
            self.ctx.check_deadline()
            yield rows[torch.randperm(len(rows), generator=self.shuffles)[:size]]


class RelationalView:
    """Translations of unit vectors; copies of triples tie the seed partners."""

    def __init__(self, found: TripleSet, graph: JointGraph, task: _Task) -> None:
        settings, ctx = task.settings, task.ctx
        # Negatives are drawn on the CPU: each refusal of a GPU's would have to be waited for.
        triples = torch.from_numpy(found.triples)
        side = torch.from_numpy(~found.from_source).long()
        everyone = UniformCandidates.of_graphs(graph.n_source, graph.n_entities)
        corruption = FilteredCorruption(triples, side, graph.n_entities, everyone, ends="one coin")
        self._batches = TripleBatches(corruption, settings.n_negatives, 1, settings.batch_size, ctx)
        self.rows = torch.arange(graph.n_entities)
        self.table = task.table(graph.n_entities)
        self.relations = task.table(n_own_relations(graph))
        self._updates, self._task = task.updates(self.parameters()), task

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [self.table, self.relations]

    def epoch(self, epoch: int) -> float:
        """One step per batch of triples with their negatives; the mean loss of a batch."""
        return self._updates.mean_loss(self._losses(epoch))

    def _losses(self, epoch: int) -> Iterator[Tensor]:
        for batch in self._batches.epoch(epoch):
            self._task.ctx.check_deadline()
            tables = unit_rows(self.table), unit_rows(self.relations)
            distances = translation_distances(*tables, batch, "squared l2")
            yield margin_loss(*distances, self._task.settings.margin, "sum")


class GlorotDense(Linear):
    """An affine map with the initial values of TensorFlow's dense layers, in which MMEA is written.

    Weights are Glorot-uniform and the bias is zero, so that images begin with directions of their
    own.

    Args:
        n_in: Columns of the input.
        n_out: Columns of the output.
        generator: CPU generator of the initial values.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__(n_in, n_out, generator)
        self.weight = glorot_uniform(n_in, n_out, generator)
        self.bias = nn.Parameter(torch.zeros(n_out))


class VisualView:
    """Unit vectors near what a dense layer makes of the image; entities without one stay out."""

    def __init__(self, view: TrainView, n_entities: int, task: _Task) -> None:
        features = view.joint_features("image")
        self._present = torch.tensor(features.present)
        self.rows = torch.nonzero(self._present).squeeze(1)
        images = torch.tensor(features.values)
        self._images = images.to(task.ctx.device)
        self.table = task.table(n_entities)
        dense = GlorotDense(images.shape[1], task.settings.dim, task.values)
        self.dense = dense.to(task.ctx.device)
        self._updates, self._task = task.updates(self.parameters()), task

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [self.table, *self.dense.parameters()]

    def epoch(self, _epoch: int) -> float:
        """Random batches of all entities, positives alone; the mean loss of a batch."""
        return self._updates.mean_loss(self._losses())

    def _losses(self) -> Iterator[Tensor]:
        settings = self._task.settings
        for drawn in self._task.sampled(torch.arange(len(self._present))):
            rows = drawn[self._present[drawn]].to(self.table.device)
            own = unit_rows(self.table[rows])
            wanted = torch.tanh(self.dense(self._images[rows]))
            gaps = (own - unit_targets(wanted, settings.unit)).square().sum(dim=1)
            yield settings.image_weight * logistic_loss(gaps)


class NumericalView:
    """Unit vectors near what a CNN makes of attributes and numbers."""

    def __init__(self, facts: NumericFacts, pairs: Tensor, n_entities: int, task: _Task) -> None:
        settings, device = task.settings, task.ctx.device
        self._facts = facts.with_swaps(pairs) if settings.swapping else facts
        self.rows = torch.unique(self._facts.entities)
        self.table = task.table(n_entities)
        sizes = facts.n_attributes, settings.n_bases, settings.dim
        self.targets = NumericTargets(*sizes, settings.basis_width, settings.unit, task.values).to(
            device
        )
        self._updates, self._task = task.updates(self.parameters()), task

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [self.table, *self.targets.parameters()]

    def epoch(self, _epoch: int) -> float:
        """All numbers in shuffled batches, positives alone; the mean loss of a batch."""
        return self._updates.mean_loss(self._losses())

    def _losses(self) -> Iterator[Tensor]:
        facts, task, device = self._facts, self._task, self.table.device
        everyone = torch.arange(len(facts))
        for rows in shuffled_batches(everyone, task.settings.batch_size, task.shuffles):
            task.ctx.check_deadline()
            own = unit_rows(self.table[facts.entities[rows].to(device)])
            wanted = self.targets(facts.attributes[rows].to(device), facts.numbers[rows].to(device))
            yield logistic_loss((own - wanted).square().sum(dim=1))


View = RelationalView | VisualView | NumericalView


class CommonSpace:
    """One vector per entity, near those of its views and near its seed partner's.

    Args:
        views: By modality.
        pairs: Seed links as joint ids, [n_seed, 2].
        n_entities: Of both KGs.
        n_steps: Of the alignment in an epoch; one where this is 0, without triples.
        task: Parameters, device and generators.
    """

    def __init__(
        self, views: Mapping[str, View], pairs: Tensor, n_entities: int, n_steps: int, task: _Task
    ) -> None:
        self._task, self._views, self._pairs = task, views, pairs
        self._n_steps = max(1, n_steps)
        self.table = task.table(n_entities)
        self._has = {name: _marked(view.rows, n_entities, task.ctx) for name, view in views.items()}
        settings = task.settings
        self._shares = {
            "structure": settings.structure_share,
            "image": settings.image_share,
            "attribute": settings.attribute_share,
        }
        tables = [self.table, *(view.table for view in views.values())]
        self._space_updates = task.updates(tables, is_shared=True)
        self._pair_updates = task.updates([self.table], is_shared=True)

    def vectors(self) -> Tensor:
        """Unit rows of all entities, [n_entities, dim]."""
        return unit_rows(self.table)

    def epoch(self) -> float:
        """Random batches of entities, then random batches of seed links."""
        loss = self._space_updates.mean_loss(self._space()) if self._views else 0.0
        return loss + self._pair_updates.mean_loss(self._alignment())

    def gaps(self, rows: Tensor) -> Tensor:
        """``sum_e sum_v w_v |e - e_v|^2`` over the views that an entity has.

        Args:
            rows: Entities, [b].
        """
        own, total = unit_rows(self.table[rows]), self.table.new_zeros(())
        for name, view in self._views.items():
            apart = (own - unit_rows(view.table[rows])).square().sum(dim=1)
            total = total + self._shares[name] * (apart * self._has[name][rows]).sum()
        return total

    def _space(self) -> Iterator[Tensor]:
        everyone = torch.arange(len(self.table))
        for rows in self._task.sampled(everyone):
            yield self._task.settings.shared_weight * self.gaps(rows.to(self.table.device))

    def _alignment(self) -> Iterator[Tensor]:
        size = max(1, len(self._pairs) // self._n_steps)
        for _ in range(self._n_steps):
            self._task.ctx.check_deadline()
            drawn = torch.randperm(len(self._pairs), generator=self._task.shuffles)[:size]
            # Both ends at once: each look-up has a gradient of the size of the table.
            ends = self._pairs[drawn].T.flatten().to(self.table.device)
            source, target = unit_rows(self.table[ends]).chunk(2)
            yield (source - target).square().sum()


def _marked(rows: Tensor, n_entities: int, ctx: RunContext) -> Tensor:
    """One for the entities named and zero for the others, [n_entities] float32."""
    marks = torch.zeros(n_entities)
    marks[rows] = 1.0
    return marks.to(ctx.device)


def relation_triples(graph: JointGraph, pairs: Tensor, *, swapping: bool) -> TripleSet:
    """What the relational view is trained on: triples, and their copies along seed links if asked.

    Args:
        graph: Both KGs.
        pairs: Seed links as joint ids, [n_seed, 2].
        swapping: Whether there are copies.
    """
    found = TripleSet.of(graph, own_relations=True)
    return found.with_swaps(pairs.numpy()) if swapping else found


class MMEAViews:
    """The views that a dataset allows, and the space that they share.

    Args:
        view: Dataset; its triples set the number of the alignment's steps, used or not.
        used: Modalities that have a view.
        fewest: Numbers that an attribute must have.
        settings: Parameters.
        ctx: Device, generators and log.
    """

    def __init__(
        self,
        view: TrainView,
        used: tuple[str, ...],
        fewest: int,
        settings: ViewSettings,
        ctx: RunContext,
    ) -> None:
        graph = JointGraph.of(view)
        self.n_source, size, pairs = graph.n_source, graph.n_entities, graph.seed_pairs(view)
        self.views: dict[str, View] = {}
        found = relation_triples(graph, pairs, swapping=settings.swapping)
        n_steps = -(-len(found.triples) // settings.batch_size)
        if "structure" in used and len(graph.triples):
            task = _Task(settings, ctx, "relational")
            self.views["structure"] = RelationalView(found, graph, task)
        if "image" in used and view.joint_features("image").n_present:
            self.views["image"] = VisualView(view, size, _Task(settings, ctx, "visual"))
        facts = NumericFacts.of(view, graph, fewest) if "attribute" in used else None
        if facts is not None and not len(facts):
            ctx.log.simulated["attribute_values"] = (
                "no attribute of these files has numbers enough: the numerical view is left out"
            )
        elif facts is not None:
            task = _Task(settings, ctx, "numerical")
            self.views["attribute"] = NumericalView(facts, pairs, size, task)
        task = _Task(settings, ctx, "common")
        self.common = CommonSpace(self.views, pairs, size, n_steps, task)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        own = [parameter for view in self.views.values() for parameter in view.parameters()]
        return [*own, self.common.table]

    def epoch(self, epoch: int) -> float:
        """All losses in the order of the released code."""
        return sum(view.epoch(epoch) for view in self.views.values()) + self.common.epoch()
