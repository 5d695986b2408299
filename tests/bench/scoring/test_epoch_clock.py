"""How long an epoch lasts, by the ticks of a training."""

from __future__ import annotations

import time
from typing import cast

import pytest

from mmea_bench.bench.scoring.monitor import CurveMonitor, EpochClock
from mmea_bench.bench.scoring.scorers import Scorer


def silent() -> CurveMonitor:
    """A monitor that is never called."""
    return CurveMonitor("last", cast(Scorer, None))


def clock_at(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch, *, monitored: float = 0.0
) -> EpochClock:
    """A clock that ticked at these times; ``monitored`` went to the monitor between any two."""
    monitor = silent()
    clock = EpochClock(monitor)
    for number, second in enumerate(seconds, start=1):
        monkeypatch.setattr(time, "perf_counter", lambda now=second: now)
        clock(number, len(seconds), 0.5)
        monitor.seconds_here += monitored
    return clock


def test_an_epoch_lasts_as_long_as_those_after_the_first_on_average(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert clock_at([100.0, 101.0, 104.0], monkeypatch).epoch_s == 2.0


def test_scoring_is_no_part_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock_at([100.0, 101.0, 104.0], monkeypatch, monitored=0.75).epoch_s == 1.25


def test_scoring_of_an_earlier_attempt_was_before_this_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A training of several loops takes over the curve of each of them between two ticks."""
    monitor = silent()
    clock = EpochClock(monitor)
    for number in (1, 2, 3):
        monkeypatch.setattr(time, "perf_counter", lambda now=100.0 + number: now)
        clock(number, 3, 0.5)
        monitor.curve(([], 20.0 * number))
    assert clock.epoch_s == 1.0


@pytest.mark.parametrize("seconds", [[], [100.0]])
def test_fewer_than_two_epochs_tell_nothing(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clock_at(seconds, monkeypatch).epoch_s is None


def test_every_tick_is_passed_on() -> None:
    seen: list[tuple[int, int, float]] = []
    clock = EpochClock(silent(), lambda *tick: seen.append(tick))
    clock(3, 5, 0.25)
    assert seen == [(3, 5, 0.25)]
