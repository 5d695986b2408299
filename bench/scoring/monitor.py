"""Watches a training: draws its curves and gives it the one number it may stop on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from mmea_bench.bench.scoring.returned import checked
from mmea_bench.bench.scoring.scorers import ByDirection, Scorer
from mmea_bench.methods.core.base import Alignment, StopRule, Ticker

Curve = tuple[list[dict[str, Any]], float]
"""Points of the learning curves, and seconds spent on them."""


class CurveMonitor:
    """A ``Monitor`` that records curves and returns only what the protocol lets a method see.

    The test curve is recorded for the reader; a training sees it only under the stop rule
    ``test``, which its row then names.

    Args:
        stop_on: Links whose score a training sees.
        scorer: Scores the points.
        sizes: Numbers of source and target entities, by which what a training offers is checked as
            what ``fit`` returns is; None checks nothing.

    Attributes:
        points: Rows of the learning curves, without the columns of the cell.
        seconds: Time spent scoring, in earlier attempts of an interrupted training too.
        seconds_here: The part of this attempt.
    """

    def __init__(
        self, stop_on: StopRule, scorer: Scorer, sizes: tuple[int, int] | None = None
    ) -> None:
        self._stop_on, self._scorer, self._sizes = stop_on, scorer, sizes
        self.points: list[dict[str, Any]] = []
        self.seconds = self.seconds_here = 0.0

    def __call__(self, epoch: int, loss: float, embeddings: Alignment) -> float | None:
        """Records one point per link set; returns the score to choose by, or None."""
        started = time.perf_counter()
        if self._sizes is not None:
            embeddings = checked(embeddings, self._sizes)
        chosen: float | None = None
        for links, point in self._scorer.curve(embeddings).items():
            self._record(epoch, loss, links, point.shown)
            if links == self._stop_on:
                chosen = point.stop_score
        passed = time.perf_counter() - started
        self.seconds += passed
        self.seconds_here += passed
        return chosen

    def curve(self, kept: Curve | None = None) -> Curve:
        """Points and seconds so far; those of an interrupted attempt where they are given."""
        if kept is not None:
            self.points[:], self.seconds = kept
        return self.points, self.seconds

    def _record(self, epoch: int, loss: float, links: str, scores: ByDirection) -> None:
        for direction, values in scores.items():
            for metric, value in values.items():
                self.points.append(
                    {
                        "epoch": epoch,
                        "loss": loss if np.isfinite(loss) else None,
                        "links": links,
                        "metric": metric,
                        "direction": direction,
                        "value": value,
                    }
                )


class EpochClock:
    """Times the epochs of a training by its ticks, without what its monitor takes.

    Args:
        monitor: The monitor of the same training, whose seconds are not the epochs'.
        tick: Gets every tick, too.
    """

    def __init__(self, monitor: CurveMonitor, tick: Ticker | None = None) -> None:
        self._monitor, self._tick = monitor, tick
        self._first = self._last = 0.0
        self._n_ticks = 0

    def __call__(self, epoch: int, n_epochs: int, loss: float) -> None:
        """Notes that an epoch has ended."""
        self._last = time.perf_counter() - self._monitor.seconds_here
        if not self._n_ticks:
            self._first = self._last
        self._n_ticks += 1
        if self._tick is not None:
            self._tick(epoch, n_epochs, loss)

    @property
    def epoch_s(self) -> float | None:
        """Mean seconds of the epochs after the first, which set-up precedes; None of fewer."""
        if self._n_ticks < 2:
            return None
        return (self._last - self._first) / (self._n_ticks - 1)
