"""UMAEA's training with imagined images: three stages, each from the best weights before it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.staged_training import StagedTraining
from mmea_bench.methods.core.hybrid.stages import BestWeights
from mmea_bench.methods.core.hybrid.training import TrainingSettings
from mmea_bench.methods.core.inputs.presence import pair_presence
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.parts.umaea.encoder import ImaginingEncoder
from mmea_bench.methods.parts.umaea.losses import (
    ImaginationLosses,
    ImaginationWeights,
    imagination_losses,
)
from mmea_bench.methods.parts.umaea.stages import Stage, StageKind

_KEPT_IN_TUNING = ("generator.", "table", "structure.", "linear.relation.", "linear.attribute.")
"""Beginnings of the names of what the third stage leaves as it is."""


class ImaginingTraining(StagedTraining):
    """Epochs of all stages, with one optimiser step per batch.

    Args:
        encoder: With its generator.
        losses: Of a batch.
        seed_pairs: Joint ids, [n_seeds, 2].
        settings: Parameters of the training; stages have learning rates and decays of their own.
        stages: In their order.
        weights: Of the generator's losses.
        ctx: Device, generators and monitor.
    """

    def __init__(
        self,
        encoder: ImaginingEncoder,
        losses: ImaginationLosses,
        seed_pairs: Tensor,
        settings: TrainingSettings,
        stages: tuple[Stage, ...],
        weights: ImaginationWeights,
        ctx: RunContext,
    ) -> None:
        super().__init__(encoder, losses, seed_pairs, settings, ctx)
        self._imagining, self._imagination, self._weights = encoder, losses, weights
        self._stages, self._n_seeds = stages, len(seed_pairs)
        self.best = BestWeights(self._model, ctx, stages[-1].start)
        # The released code clips in the first stage alone; the later ones train a new model object.
        self._updates = self._updates_of(stages[0], settings.clip)

    @property
    def warmed_up(self) -> int:
        """Epoch at which the last stage's warm-up is over."""
        last = self._stages[-1]
        return last.start + math.ceil(self._settings.warm_up * last.planned)

    def epoch(self, epoch: int) -> float:
        """Trains all batches and returns their summed loss."""
        stage = [each for each in self._stages if each.start < epoch][-1]
        self._set_trained(stage.kind)
        if epoch == stage.start + 1 and stage.start:
            # The best of this stage, if it beats those of all before; otherwise its last weights.
            self.best.load()
            self.best.forget()
            self._imagination.balance.reset()
            self._updates = self._updates_of(stage, None)
        # The released code looks for pairs before it trains the epoch.
        looks = stage.kind == "joint" and stage.is_iterative
        if looks and self._pseudo.after_epoch(epoch, lambda: self._compared(epoch)):
            self._pairs = self._prepared()
        batches = shuffled_batches(
            self._pairs.positions.cpu(), self._settings.batch_size, self._shuffles
        )
        if stage.kind != "imagining":
            return self._updates.total_loss(self._loss(batch) for batch in batches)
        everyone = self._imagining.given_of_all()
        return self._updates.total_loss(self._generator_loss(batch, everyone) for batch in batches)

    def _generator_loss(self, batch: Tensor, everyone: Tensor) -> Tensor:
        encoder, rows = self._imagining, self._pairs.rows
        # All training pairs at once: the alignment loss needs the codes of all seeds.
        encoded = encoder.hybrid(rows, None, self._dropout)
        assert encoded.imagined is not None  # noqa: S101 - the stage imagines
        kept = pair_presence(encoder.prepared_presence, batch)
        members = torch.unique(batch)
        losses = imagination_losses(
            encoder.generator,
            encoded.imagined,
            members[encoder.has_image[rows[members]]],
            everyone,
            self._pairs.positions[: self._n_seeds],
            self._weights,
        )
        loss: Tensor = self._imagination(encoded, batch, kept)
        return loss + self._imagination.beside(losses)

    def _set_trained(self, kind: StageKind) -> None:
        """Freezes what the stage leaves as it is; in every epoch, whatever was loaded before it."""
        self._imagining.is_imagining = kind != "joint"
        for name, parameter in self._imagining.named_parameters():
            is_generator = name.startswith("generator.")
            learns = {
                "joint": True,
                "imagining": is_generator,
                "tuning": not name.startswith(_KEPT_IN_TUNING),
            }
            parameter.requires_grad_(learns[kind])
        for parameter in self._losses.parameters():
            parameter.requires_grad_(kind != "imagining")

    def _updates_of(self, stage: Stage, clip: float | None) -> MiniBatchSteps:
        optimiser = torch.optim.AdamW(
            self._learning(stage.learning_rate),
            lr=stage.learning_rate,
            eps=1e-8,
            weight_decay=stage.weight_decay,
            fused=True,
        )
        n_batches = -(-len(self._pairs.positions) // self._settings.batch_size)
        rate = warmed_up_cosine(optimiser, n_batches * stage.planned, self._settings.warm_up)
        return MiniBatchSteps(optimiser, clipped=self._clipped(), clip_norm=clip, rate=rate)

    def _learning(self, learning_rate: float) -> list[dict[str, Any]]:
        groups = []
        for group in self._groups(learning_rate):
            learning: list[nn.Parameter] = [each for each in group["params"] if each.requires_grad]
            if learning:
                groups.append({**group, "params": learning})
        return groups
