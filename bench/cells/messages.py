"""What a cell's process tells the runner through its pipe."""

from __future__ import annotations

from dataclasses import dataclass

from mmea_bench.results.core.record import Record

TICK_INTERVAL_S = 0.2


@dataclass(frozen=True)
class Started:
    """The process has begun its cell; its time counts from here."""


@dataclass(frozen=True)
class Tick:
    """Progress of a training."""

    epoch: int
    n_epochs: int
    loss: float


Message = Started | Tick | Record
