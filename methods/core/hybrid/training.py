"""A training in two parts: the second starts from the best weights, as in MEAformer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.hybrid.hybrid_encoder import HybridEncoder
from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.hybrid.stages import BestWeights
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.inputs.presence import pair_presence
from mmea_bench.methods.core.training.loop import warmed_up_cosine
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds


@dataclass(frozen=True)
class TrainingSettings:
    """Parameters of the training.

    Attributes:
        epochs: Of both parts.
        batch_size: Pairs per optimiser step.
        learning_rate: Of the first part.
        weight_decay: Of AdamW.
        warm_up: Share of the steps in which the learning rate rises.
        clip: Of the gradient's norm.
        dropout: Of the transformer.
        iterative: Whether there is a second part, in which pseudo-pairs join the seeds.
        iterative_start: Last epoch of the first part.
        iterative_learning_rate: Of the second part.
        iterative_stretch: The second part's schedule ends after that many times the first part.
        growth: When pairs are looked for and promoted.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warm_up: float
    clip: float
    dropout: float
    iterative: bool
    iterative_start: int
    iterative_learning_rate: float
    iterative_stretch: float
    growth: IterativeSchedule


class TwoPartTraining:
    """Epochs with one optimiser step per batch; the iterative part starts from the best weights.

    Args:
        encoder: Of the vectors.
        losses: Of a batch; called as ``HybridLosses``.
        seed_pairs: Joint ids, [n_seeds, 2].
        settings: Parameters of the training.
        ctx: Device, generators and monitor.
    """

    def __init__(
        self,
        encoder: HybridEncoder,
        losses: nn.Module,
        seed_pairs: Tensor,
        settings: TrainingSettings,
        ctx: RunContext,
    ) -> None:
        self._model, self._encoder, self._losses = nn.ModuleList([encoder, losses]), encoder, losses
        self._settings, self._ctx = settings, ctx
        self._shuffles = ctx.generator("batches")
        self._dropout = Dropout(settings.dropout, ctx.generator("dropout"))
        graph, growth = encoder.graph, settings.growth
        self._pseudo = PseudoSeeds(seed_pairs, graph.n_source, graph.n_entities, growth, ctx.log)
        self._pairs = self._prepared()
        before_last = settings.iterative_start if settings.iterative else 0
        self.best = BestWeights(self._model, ctx, before_last)
        first_part = settings.iterative_start if settings.iterative else settings.epochs
        self._updates = self._new_updates(settings.learning_rate, first_part, settings.clip)

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
        # The second part warms up along its own schedule, which is longer than the part.
        planned = settings.iterative_stretch * settings.iterative_start
        warm_up = math.ceil(settings.warm_up * planned)
        return max(settings.iterative_start + warm_up, settings.growth.first_promotion)

    def epoch(self, epoch: int) -> float:
        """Trains all batches and returns their summed loss."""
        settings = self._settings
        if settings.iterative and epoch == settings.iterative_start + 1:
            self.best.load()
            self.best.forget()
            planned = int(settings.iterative_stretch * settings.iterative_start)
            self._updates = self._second_updates(settings.iterative_learning_rate, planned)
        # The released code looks for pairs before it trains the epoch.
        if settings.iterative and self._pseudo.after_epoch(epoch, lambda: self._compared(epoch)):
            self._pairs = self._prepared()
        batches = shuffled_batches(self._pairs.positions.cpu(), settings.batch_size, self._shuffles)
        return self._updates.total_loss(self._loss(batch) for batch in batches)

    def _loss(self, batch: Tensor) -> Tensor:
        # On the CPU, where nobody has to wait to learn how many there are.
        found, places = torch.unique(batch, return_inverse=True)
        chosen, positions = (each.to(self._ctx.device) for each in (found, places))
        encoded = self._encoder.hybrid(self._pairs.rows, chosen, self._dropout)
        kept = pair_presence(self._encoder.prepared_presence, chosen[positions])
        loss: Tensor = self._losses(encoded, positions, kept)
        return loss

    def _groups(self, _learning_rate: float) -> list[dict[str, Any]]:
        """Parameters by how they are trained: all alike."""
        return [{"params": list(self._model.parameters())}]

    def _clipped(self) -> list[nn.Parameter]:
        """Parameters whose gradients together are clipped."""
        return list(self._model.parameters())

    def _second_updates(self, learning_rate: float, n_epochs: int) -> MiniBatchSteps:
        """Updates of the second part, after its starting weights are loaded."""
        return self._new_updates(learning_rate, n_epochs, self._settings.clip)

    def _new_updates(
        self, learning_rate: float, n_epochs: int, clip: float | None
    ) -> MiniBatchSteps:
        settings = self._settings
        optimiser = torch.optim.AdamW(
            self._groups(learning_rate),
            lr=learning_rate,
            eps=1e-8,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        n_batches = -(-len(self._pairs.positions) // settings.batch_size)
        rate = warmed_up_cosine(optimiser, n_batches * n_epochs, settings.warm_up)
        return MiniBatchSteps(optimiser, clipped=self._clipped(), clip_norm=clip, rate=rate)

    def _prepared(self) -> PairRows:
        pairs = PairRows.of(self._pseudo.pairs, self._ctx.device)
        self._encoder.prepare(pairs.rows)
        return pairs

    @torch.no_grad()
    def _compared(self, epoch: int) -> Tensor:
        # The released code evaluates after every second epoch and compares in the mode that the
        # last epoch left: at even epochs dropout perturbs the weights of the joint vectors.
        return self._encoder.hybrid(None, None, self._dropout if epoch % 2 == 0 else None).joint
