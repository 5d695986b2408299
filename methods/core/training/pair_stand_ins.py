"""Negatives of seed pairs: entities that stand in for the source or the target."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext


class PairStandIns:
    """Uniform stand-ins for both ends of every pair, redrawn now and then.

    They are drawn over both graphs: one may be of the wrong graph, or even the true partner.

    Args:
        n_pairs: Training pairs.
        n_entities: Entities of both graphs.
        n_negatives: Stand-ins of each end.
        refresh_every: Epochs between two draws.
        ctx: Device and generator.
    """

    def __init__(
        self, n_pairs: int, n_entities: int, n_negatives: int, refresh_every: int, ctx: RunContext
    ) -> None:
        self._shape, self._n_entities = (2, n_pairs, n_negatives), n_entities
        self._refresh_every, self._device = refresh_every, ctx.device
        self._generator = ctx.generator("negatives")
        self._drawn = torch.empty(0)

    def at(self, epoch: int) -> Tensor:
        """Stand-ins for the targets (side 0) and the sources (side 1), [2, n_pairs, k] joint ids.

        Args:
            epoch: Counted from 1; epochs are asked for in their order.
        """
        if (epoch - 1) % self._refresh_every == 0:
            drawn = torch.randint(self._n_entities, self._shape, generator=self._generator)
            self._drawn = drawn.to(self._device)
        return self._drawn
