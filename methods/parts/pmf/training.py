"""PMF's training: freezing, contrast of modalities, pseudo-seeds; each from the best before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.stages import BestWeights
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches, total
from mmea_bench.methods.core.training.optimisers import adamw
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.parts.pmf.encoder import FreezableEncoder
from mmea_bench.methods.parts.pmf.freezing import Freezing
from mmea_bench.methods.parts.pmf.losses import CrossGraphLosses, CrossModalLosses


@dataclass(frozen=True)
class TrainingSettings:
    """Parameters of the training.

    Attributes:
        epochs: Of the first two stages, without the iterative one.
        freeze_epochs: Of the first stage; 0 skips it.
        freeze_from: Epochs of it that freeze nothing.
        batch_size: Pairs per optimiser step.
        learning_rate: Of the first two stages.
        weight_decay: Of AdamW.
        warm_up: Share of a stage's planned steps in which the learning rate rises.
        clip: Of the gradient's norm.
        cross_entities: At most so many entities of a KG without a seed in the loss between
            modalities, 0 for no bound.
        iterative: Whether pseudo-pairs join the seeds in a third stage.
        iterative_start: Last epoch of the second stage where there is a third one.
        iterative_epochs: Of the third stage.
        iterative_learning_rate: Of the third stage.
        iterative_stretch: The third stage's schedule spans that many times its epochs.
        growth: When pairs are looked for and promoted.
    """

    epochs: int
    freeze_epochs: int
    freeze_from: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warm_up: float
    clip: float
    cross_entities: int
    iterative: bool
    iterative_start: int
    iterative_epochs: int
    iterative_learning_rate: float
    iterative_stretch: float
    growth: IterativeSchedule

    @property
    def planned_second(self) -> int:
        """Epochs that the second stage's schedule spans; not those that the stage has.

        The code subtracts the first two stages from the epochs of all three. Its numbers without a
        third stage are mostly those at the start of one, so that they had this schedule, too.
        """
        return max(1, self.iterative_epochs - self.freeze_epochs)


class StagedTraining:
    """Epochs with one optimiser step per batch.

    Args:
        encoder: Of the vectors.
        losses: Of seed pairs.
        crossed: Between modalities; None leaves it out.
        freezing: Freezes modalities of entities; None freezes nothing.
        seed_pairs: Joint ids, [n_seeds, 2].
        settings: Parameters of the training.
        ctx: Device, generators and monitor.
    """

    def __init__(
        self,
        encoder: FreezableEncoder,
        losses: CrossGraphLosses,
        crossed: CrossModalLosses | None,
        freezing: Freezing | None,
        seed_pairs: Tensor,
        settings: TrainingSettings,
        ctx: RunContext,
    ) -> None:
        parts = [encoder, losses, *([crossed] if crossed is not None else [])]
        self._model = nn.ModuleList(parts)
        self._encoder, self._losses, self._crossed = encoder, losses, crossed
        self._freezing, self._settings, self._ctx = freezing, settings, ctx
        self._shuffles, self._drawn = ctx.generator("batches"), ctx.generator("entities")
        graph = encoder.graph
        self._pseudo = PseudoSeeds(
            seed_pairs, graph.n_source, graph.n_entities, settings.growth, ctx.log
        )
        free = torch.ones(graph.n_entities, dtype=torch.bool)
        free[seed_pairs.flatten()] = False
        ids = torch.nonzero(free).squeeze(1)
        self._seeds = seed_pairs
        self._free = ids[ids < graph.n_source], ids[ids >= graph.n_source]
        self._pairs = PairRows.of(seed_pairs, ctx.device)
        # Before the last stage begins.
        last = settings.iterative_start if settings.iterative else settings.freeze_epochs
        self.best = BestWeights(self._model, ctx, last)
        self._updates = self._first_updates()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return list(self._model.parameters())

    @property
    def warmed_up(self) -> int:
        """Epoch at which the last warm-up is over, and the first pairs are promoted."""
        settings = self._settings
        if settings.iterative:
            planned = settings.iterative_stretch * settings.iterative_epochs
            warm_up = math.ceil(settings.warm_up * planned)
            return max(settings.iterative_start + warm_up, settings.growth.first_promotion)
        n_steps = self._n_seed_batches + 2 * self._n_free_batches
        share = (self._n_seed_batches + self._n_free_batches) / max(1, n_steps)
        return settings.freeze_epochs + math.ceil(
            settings.warm_up * settings.planned_second * share
        )

    def epoch(self, epoch: int) -> float:
        """Trains all batches and returns their summed loss."""
        settings = self._settings
        second = epoch > settings.freeze_epochs
        third = settings.iterative and epoch > settings.iterative_start
        if settings.freeze_epochs and epoch == settings.freeze_epochs + 1:
            self.best.load()
            self._updates = self._second_updates()
        if settings.iterative and epoch == settings.iterative_start + 1:
            self.best.load()
            self._updates = self._third_updates()
        # The released code looks for pairs before it trains the epoch.
        if third and self._pseudo.after_epoch(epoch, self._encoder.joint_vectors):
            self._pairs = PairRows.of(self._pseudo.pairs, self._ctx.device)
        values = []
        freezes = not second and epoch > settings.freeze_from
        self._encoder.encoders.prepare(self._pairs.rows)
        positions = self._pairs.positions.cpu()
        for batch in shuffled_batches(positions, settings.batch_size, self._shuffles):
            values.append(self._updates.update(self._seed_loss(batch, freezes=freezes)))
            freezes = False
        if second and not third and self._crossed is not None:
            for source, target in self._entity_batches():
                loss = self._crossed_loss(self._crossed, source, target)
                values.append(self._updates.update(loss))
        return total(values)

    def _seed_loss(self, batch: Tensor, *, freezes: bool) -> Tensor:
        encoder, pairs = self._encoder, self._pairs
        # On the CPU, where nobody has to wait to learn how many there are.
        found, places = torch.unique(batch, return_inverse=True)
        chosen, positions = (each.to(self._ctx.device) for each in (found, places))
        ids = pairs.rows[chosen]
        encoded = encoder.encode(pairs.rows, chosen)
        source, target = positions.unbind(dim=1)
        joint = encoder.fused(encoded, ids)
        loss = self._losses.joint(joint[source], joint[target])
        if freezes and self._freezing is not None:
            # Between the joint loss and those of the modalities, as in the code.
            with torch.no_grad():
                self._freezing(encoder.encode(None), encoder.alive)
        alive = {name: encoder.alive[name][ids] for name in encoded}
        return loss + self._losses.of_modalities(
            {name: each[source] for name, each in encoded.items()},
            {name: each[target] for name, each in encoded.items()},
            {name: (each[source], each[target]) for name, each in alive.items()},
        )

    def _crossed_loss(self, losses: CrossModalLosses, source: Tensor, target: Tensor) -> Tensor:
        encoder = self._encoder
        device, listed = self._ctx.device, torch.cat([source, target])
        # An entity may stand in two links; the encoder takes each row once.
        distinct, place = torch.unique(listed, return_inverse=True)
        ids, rows, places = (each.to(device) for each in (listed, distinct, place))
        encoder.encoders.prepare(rows)
        encoded = {name: each[places] for name, each in encoder.encode(rows).items()}
        alive = {name: encoder.alive[name][ids] for name in encoded}
        n_source = len(source)
        loss: Tensor = losses(
            (
                {name: each[:n_source] for name, each in encoded.items()},
                {name: each[n_source:] for name, each in encoded.items()},
            ),
            (
                {name: each[:n_source] for name, each in alive.items()},
                {name: each[n_source:] for name, each in alive.items()},
            ),
        )
        return loss

    def _entity_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Entities of both KGs in batches, those of seeds and the others apart.

        PMF's code takes the entities of the test links for the others; here they are drawn, as many
        of each KG.
        """
        size = self._settings.batch_size
        for batch in shuffled_batches(self._seeds, size, self._drawn):
            yield batch[:, 0], batch[:, 1]
        drawn = [
            each[torch.randperm(len(each), generator=self._drawn)[: self._n_free]]
            for each in self._free
        ]
        yield from zip(*(torch.split(each, size) for each in drawn), strict=True)

    @property
    def _n_seed_batches(self) -> int:
        return -(-len(self._seeds) // self._settings.batch_size)

    @property
    def _n_free(self) -> int:
        n_free = min(len(each) for each in self._free)
        return min(n_free, self._settings.cross_entities or n_free)

    @property
    def _n_free_batches(self) -> int:
        return -(-self._n_free // self._settings.batch_size)

    def _first_updates(self) -> MiniBatchSteps:
        settings = self._settings
        if not settings.freeze_epochs:
            return self._second_updates()
        n_steps = settings.freeze_epochs * self._n_seed_batches
        return self._new_updates(settings.learning_rate, n_steps)

    def _second_updates(self) -> MiniBatchSteps:
        per_epoch = self._n_seed_batches + self._n_free_batches
        n_steps = self._settings.planned_second * per_epoch
        return self._new_updates(self._settings.learning_rate, n_steps)

    def _third_updates(self) -> MiniBatchSteps:
        settings = self._settings
        n_epochs = int(settings.iterative_stretch * settings.iterative_epochs)
        rate = settings.iterative_learning_rate
        return self._new_updates(rate, n_epochs * self._n_seed_batches)

    def _new_updates(self, learning_rate: float, n_steps: int) -> MiniBatchSteps:
        settings, parameters = self._settings, self.parameters
        optimiser = adamw(learning_rate, settings.weight_decay)(parameters)
        rate = warmed_up_cosine(optimiser, n_steps, settings.warm_up)
        return MiniBatchSteps(optimiser, clipped=parameters, clip_norm=settings.clip, rate=rate)
