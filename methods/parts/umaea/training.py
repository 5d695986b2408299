"""UMAEA's optimiser: loss weights learn faster and do not decay, later parts are not clipped."""

from __future__ import annotations

from typing import Any

from torch import nn

from mmea_bench.methods.core.hybrid.training import TwoPartTraining
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps
from mmea_bench.methods.parts.umaea.losses import ConfidentLosses

LOSS_WEIGHT_FACTOR = 5.0
"""Learning rate of the loss weights over that of the rest; code."""


class StagedTraining(TwoPartTraining):
    """``TwoPartTraining`` of an encoder and ``ConfidentLosses``, as in UMAEA's code."""

    def _groups(self, learning_rate: float) -> list[dict[str, Any]]:
        decayed: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self._encoder.named_parameters():
            # Of the layer norms the scales decay and the shifts do not.
            free = name.endswith("bias") or name == "fusion.logits"
            (others if free else decayed).append(parameter)
        loss_weights = list(self._losses.parameters())
        return [
            {"params": decayed},
            {"params": others, "weight_decay": 0.0},
            {
                "params": loss_weights,
                "weight_decay": 0.0,
                "lr": LOSS_WEIGHT_FACTOR * learning_rate,
            },
        ]

    def _clipped(self) -> list[nn.Parameter]:
        # The scales of the sum live outside the released model and are made anew for each stage.
        scales = set(self._confident_losses.balance.parameters())
        return [each for each in self._model.parameters() if each not in scales]

    def _second_updates(self, learning_rate: float, n_epochs: int) -> MiniBatchSteps:
        # The released code goes on clipping the model object of the first stage.
        self._confident_losses.balance.reset()
        return self._new_updates(learning_rate, n_epochs, None)

    @property
    def _confident_losses(self) -> ConfidentLosses:
        assert isinstance(self._losses, ConfidentLosses)  # noqa: S101 - made in the method's file
        return self._losses
