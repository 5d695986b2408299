"""Gradients and steps of encoders that give all entities' vectors at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.layers.reflection_encoder import dropped
from mmea_bench.methods.core.losses.margins import hard_sample_loss
from mmea_bench.methods.core.losses.tiled_margin import tiled_margin_loss
from mmea_bench.methods.core.training.loop import gradients_in_batches
from mmea_bench.methods.core.training.minibatch import backward, shuffled_batches, total

_BLOCK_PAIRS = 256
"""Pairs whose scores with all entities are in memory at a time: 40 MB a matrix on DBP15K."""


class TiledMarginGradients:
    """Gradients of ``tiled_margin_loss`` with fresh stand-ins, the step of RREA and MRAEA.

    Args:
        encode: Gives the vectors of all entities, [n_entities, dim].
        n_entities: Rows of the loss, and entities that may stand in.
        margin: gamma.
        dropout: Share of the vectors' numbers that are dropped.
        ctx: Device and generators.
    """

    def __init__(
        self,
        encode: Callable[[], Tensor],
        n_entities: int,
        margin: float,
        dropout: float,
        ctx: RunContext,
    ) -> None:
        self._encode, self._n_entities = encode, n_entities
        self._margin, self._dropout, self._device = margin, dropout, ctx.device
        self._drops, self._draws = ctx.generator("dropout"), ctx.generator("negatives")

    def __call__(self, pairs: Tensor) -> float:
        """Leaves the gradients behind and returns the loss.

        Args:
            pairs: Joint ids, [n_pairs, 2].
        """
        size = self._n_entities
        stand_ins = torch.randint(size, (2, size), generator=self._draws).to(self._device)
        vectors = dropped(self._encode(), self._dropout, self._drops)
        pairs = pairs.to(self._device)
        return backward(tiled_margin_loss(vectors, pairs, stand_ins, self._margin))


@dataclass(frozen=True)
class HardSampling:
    """Parameters of ``hard_sample_loss`` and of its batches.

    Attributes:
        margin: gamma.
        scale: lambda.
        shift: tau.
        dropout: Share of the vectors' numbers that are dropped.
        batch_size: Pairs of a step.
    """

    margin: float
    scale: float
    shift: float
    dropout: float
    batch_size: int


class HardSampleEpochs:
    """Epochs of one step per batch of pairs, with all entities as negatives: Dual-AMN's.

    Args:
        encode: Gives the vectors of all entities, [n_entities, dim].
        pairs: Gives the pairs that are learned at present, joint ids, [n_pairs, 2].
        optimiser: Of what ``encode`` is made of.
        settings: Of the loss and the batches.
        ctx: Device and generators.
    """

    def __init__(
        self,
        encode: Callable[[], Tensor],
        pairs: Callable[[], Tensor],
        optimiser: Optimizer,
        settings: HardSampling,
        ctx: RunContext,
    ) -> None:
        self._encode, self._pairs, self._optimiser = encode, pairs, optimiser
        self._settings, self._device = settings, ctx.device
        self._shuffles, self._drops = ctx.generator("batches"), ctx.generator("dropout")

    def __call__(self, _epoch: int) -> float:
        """Makes the steps of an epoch and returns the summed loss."""
        values, settings = [], self._settings
        pairs = self._pairs().to(self._device)
        for batch in shuffled_batches(pairs, settings.batch_size, self._shuffles):
            self._optimiser.zero_grad(set_to_none=True)
            vectors = dropped(self._encode(), settings.dropout, self._drops)
            values += gradients_in_batches({"joint": vectors}, partial(self._losses, batch=batch))
            self._optimiser.step()
        return total(values)

    def _losses(self, leaves: dict[str, Tensor], batch: Tensor) -> Iterator[Tensor]:
        settings = self._settings
        for chunk in torch.split(batch, _BLOCK_PAIRS):
            share = len(chunk) / len(batch)
            yield share * hard_sample_loss(
                leaves["joint"], chunk, settings.margin, settings.scale, settings.shift
            )
