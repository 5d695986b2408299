"""GEEA's training: one step per batch of pairs, and an iterative part from the best weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.stages import BestWeights
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.optimisers import adam
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.parts.geea.encoder import AveragingEncoder
from mmea_bench.methods.parts.geea.losses import (
    AlignmentLosses,
    Flow,
    GenerativeLosses,
    random_flows,
)


@dataclass(frozen=True)
class TrainingSettings:
    """Parameters of the training.

    Attributes:
        epochs: Of both parts.
        batch_size: Pairs per optimiser step.
        learning_rate: Of the first part.
        weight_decay: L2 penalty.
        warm_up: Share of the steps in which the learning rate rises.
        clip: Of the gradient's norm.
        random_share: Entities that are sent through their own flows, as a share of the source KG.
        iterative: Whether pseudo-pairs join the seeds in a second part.
        iterative_start: Last epoch of the first part.
        iterative_rate_divisor: Of the learning rate in the second part.
        iterative_stretch: The second part's schedule spans that many times its epochs.
        growth: When pairs are looked for and promoted.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warm_up: float
    clip: float
    random_share: float
    iterative: bool
    iterative_start: int
    iterative_rate_divisor: float
    iterative_stretch: float
    growth: IterativeSchedule


class GEEATraining:
    """Epochs with one optimiser step per batch.

    Args:
        encoder: Backbone.
        losses: Of aligned pairs.
        generative: Losses of the flows; None leaves them out.
        further: What the flows train.
        seed_pairs: Joint ids, [n_seeds, 2].
        settings: Parameters of the training.
        ctx: Device, generators and monitor.
    """

    def __init__(
        self,
        encoder: AveragingEncoder,
        losses: AlignmentLosses,
        generative: GenerativeLosses | None,
        further: nn.Module,
        seed_pairs: Tensor,
        settings: TrainingSettings,
        ctx: RunContext,
    ) -> None:
        self._encoder, self._losses, self._generative = encoder, losses, generative
        self._model = nn.ModuleList([encoder, losses, further])
        self._settings, self._ctx = settings, ctx
        self._shuffles, self._drawn = ctx.generator("batches"), ctx.generator("random entities")
        graph = encoder.graph
        self._pseudo = PseudoSeeds(
            seed_pairs, graph.n_source, graph.n_entities, settings.growth, ctx.log
        )
        before_last = settings.iterative_start if settings.iterative else 0
        self.best = BestWeights(self._model, ctx, before_last)
        first_part = settings.iterative_start if settings.iterative else settings.epochs
        self._updates = self._new_updates(settings.learning_rate, first_part)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return list(self._model.parameters())

    @property
    def warmed_up(self) -> int:
        """Epoch at which the last warm-up is over, and the first pairs are promoted."""
        settings = self._settings
        if not settings.iterative:
            return math.ceil(settings.warm_up * settings.epochs)
        warm_up = math.ceil(settings.warm_up * self._second_schedule)
        return max(settings.iterative_start + warm_up, settings.growth.first_promotion)

    @property
    def _second_schedule(self) -> int:
        settings = self._settings
        return int(settings.iterative_stretch * (settings.epochs - settings.iterative_start))

    def epoch(self, epoch: int) -> float:
        """Trains all batches and returns their summed loss."""
        settings = self._settings
        if settings.iterative and epoch == settings.iterative_start + 1:
            self.best.load()
            self.best.forget()
            rate = settings.learning_rate / settings.iterative_rate_divisor
            self._updates = self._new_updates(rate, self._second_schedule)
        if settings.iterative:
            self._pseudo.after_epoch(epoch, self._encoder.joint_vectors)
        batches = shuffled_batches(self._pseudo.pairs, settings.batch_size, self._shuffles)
        return self._updates.total_loss(self._loss(batch) for batch in batches)

    def _loss(self, pairs: Tensor) -> Tensor:
        drawn = []
        if self._generative is not None:
            graph, share = self._encoder.graph, self._settings.random_share
            n_target = graph.n_entities - graph.n_source
            drawn = list(random_flows(graph.n_source, n_target, share, self._drawn))
        rows, positions = torch.unique(torch.cat([*pairs.T, *drawn]), return_inverse=True)
        rows = rows.to(self._ctx.device)
        sizes = [len(pairs)] * 2 + [len(each) for each in drawn]
        source, target, *alone = positions.to(rows.device).split(sizes)
        encoders = self._encoder.encoders
        encoders.prepare(rows)
        encoded = encoders.vectors(rows)
        joint = self._encoder.fusion(encoded)
        of_pairs = {name: (each[source], each[target]) for name, each in encoded.items()}
        loss: Tensor = self._losses((joint[source], joint[target]), of_pairs)
        if self._generative is not None:
            flows = [Flow(source, target, within=False, entities=pairs[:, 1])]
            flows.append(Flow(target, source, within=False, entities=pairs[:, 0]))
            for each, ids in zip(alone, drawn, strict=True):
                flows.append(Flow(each, each, within=True, entities=ids))
            for flow in flows:
                loss = loss + self._generative(flow, rows, encoded, joint)
        return loss

    def _new_updates(self, learning_rate: float, n_epochs: int) -> MiniBatchSteps:
        settings = self._settings
        parameters = list(self._model.parameters())
        optimiser = adam(learning_rate, settings.weight_decay)(parameters)
        n_batches = -(-len(self._pseudo.pairs) // settings.batch_size)
        rate = warmed_up_cosine(optimiser, n_batches * n_epochs, settings.warm_up)
        return MiniBatchSteps(optimiser, clipped=parameters, clip_norm=settings.clip, rate=rate)
