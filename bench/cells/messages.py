"""What a cell's process tells the runner through its pipe."""

from __future__ import annotations

from dataclasses import dataclass

from mmea_bench.results.core.record import Record

TICK_INTERVAL_S = 0.2


@dataclass(frozen=True)
class Started:
    """The process has begun its cell; its time counts from here."""


@dataclass(frozen=True)
class CurvePoint:
    """One number of a learning curve.

    Attributes:
        epoch: Epochs trained.
        links: Links that were scored.
        metric: What was measured.
        direction: Which KG asks.
        value: The number.
    """

    epoch: int
    links: str
    metric: str
    direction: str
    value: float


@dataclass(frozen=True)
class Tick:
    """Progress of a training.

    Attributes:
        epoch: Epochs trained.
        n_epochs: Epochs in all.
        loss: Training loss.
        points: Of the learning curve, since the last message.
    """

    epoch: int
    n_epochs: int
    loss: float
    points: tuple[CurvePoint, ...] = ()


Message = Started | Tick | Record
