"""SelfMEA's stage 2 trains the layer of stage 1's vectors at a rate of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.core.training.loop import Schedule
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams


@dataclass(frozen=True)
class FusionTrainingParams(SeedTrainingParams):
    """Stage 2's loop with a learning rate of its own for some parameters.

    Attributes:
        slow: What is trained at another rate.
        slow_rate: That rate.
    """

    slow: tuple[nn.Parameter, ...] = ()
    slow_rate: float = 0.0

    @classmethod
    def of(
        cls, params: SeedTrainingParams, slow: tuple[nn.Parameter, ...], slow_rate: float
    ) -> FusionTrainingParams:
        """The loop's parameters with another rate for some of what is trained."""
        shared = dataclasses.asdict(taken_from(params, SeedTrainingParams))
        return cls(**shared, slow=slow, slow_rate=slow_rate)

    @property
    def schedule(self) -> Schedule:
        """As in the base, with two groups of parameters."""
        return dataclasses.replace(super().schedule, optimiser=self._optimiser)

    def _optimiser(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        slow = {id(parameter) for parameter in self.slow}
        groups: list[dict[str, Any]] = [
            {"params": [item for item in parameters if id(item) not in slow]},
            {"params": list(self.slow), "lr": self.slow_rate},
        ]
        return AdamW(groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
