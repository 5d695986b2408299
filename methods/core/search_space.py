"""What a method's file says of the values that a tuning may try."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Float:
    """Real numbers of an interval.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether steps are factors, as for learning rates.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_ends(self.low, self.high, log=self.log)

    def holds(self, value: object) -> bool:
        """Whether a value lies in the interval."""
        return _is_number(value) and self.low <= float(str(value)) <= self.high


@dataclass(frozen=True)
class Int:
    """Whole numbers of an interval.

    Attributes:
        low: Smallest value.
        high: Largest value.
        step: Distance of two values, counted from the smallest.
        log: Whether steps are factors; only with a ``step`` of 1.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        _check_ends(self.low, self.high, log=self.log)
        if self.step < 1 or (self.log and self.step != 1):
            raise ValueError("a step is 1 or more, and 1 where steps are factors")
        if (self.high - self.low) % self.step:
            raise ValueError(f"steps of {self.step} from {self.low} do not end at {self.high}")

    def holds(self, value: object) -> bool:
        """Whether a value is one of the numbers."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0


@dataclass(frozen=True)
class Choice:
    """Values without an order, such as modalities.

    Attributes:
        values: Two or more.
    """

    values: tuple[object, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError("a choice has two values or more")

    def holds(self, value: object) -> bool:
        """Whether a value is one of them."""
        return value in self.values


Dimension = Float | Int | Choice
"""The values of one parameter."""


def _check_ends(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{low} to {high} is no interval")
    if log and low <= 0:
        raise ValueError(f"steps by factors cannot begin at {low}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
