"""Trainings in stages: a later one starts from the weights that scored best in those before."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from mmea_bench.methods.core.base import Alignment, Embeddings, RunContext
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.pseudo_seeds import PseudoLabelParams


class BestWeights:
    """Watches a training and keeps the weights that score best before its last stage begins.

    Args:
        model: Whose weights they are.
        ctx: Its monitor scores.
        last_epoch: Later epochs are not kept; 0 keeps none.
    """

    def __init__(self, model: nn.Module, ctx: RunContext, last_epoch: int) -> None:
        self._model, self._ctx, self._last_epoch = model, ctx, last_epoch
        self._score = -math.inf
        self._weights: dict[str, Tensor] | None = None

    def monitor(self, epoch: int, loss: float, embeddings: Alignment) -> float | None:
        """The run's monitor, with an eye on the weights."""
        assert self._ctx.monitor is not None  # noqa: S101 - checked where it is handed over
        score = self._ctx.monitor(epoch, loss, embeddings)
        if epoch <= self._last_epoch and score is not None and score > self._score:
            self._score = score
            self._weights = copy.deepcopy(self._model.state_dict())
        return score

    def load(self) -> None:
        """Puts the kept weights into the model; nothing where nothing was scored."""
        if self._weights is not None:
            self._model.load_state_dict(self._weights)

    def forget(self) -> None:
        """Frees their memory, once no stage is left that could start from them."""
        self._weights = None


class StagedEpochs(Protocol):
    """What a training in stages offers."""

    best: BestWeights

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""

    @property
    def warmed_up(self) -> int:
        """Epoch at which the last warm-up is over, and the first pairs are promoted."""

    def epoch(self, epoch: int) -> float:
        """Trains all batches and returns their summed loss."""


def train_in_stages(
    training: StagedEpochs,
    params: PseudoLabelParams,
    embed: Callable[[], Embeddings],
    ctx: RunContext,
) -> Embeddings:
    """Trains all stages and returns the embeddings that the protocol's rule chooses.

    Args:
        training: Makes its own optimiser steps.
        params: Length of all stages, and their rounds of promotions.
        embed: Current embeddings, without gradients.
        ctx: Monitor, patience and deadline.
    """
    schedule = Schedule(
        params.all_epochs,
        optimiser=None,
        eval_every=params.eval_every,
        earliest_stop=training.warmed_up,
        round_epochs=params.round_epochs,
    )
    seen = dataclasses.replace(ctx, monitor=training.best.monitor if ctx.monitor else None)
    return train(training.parameters, training.epoch, embed, schedule, seen)
