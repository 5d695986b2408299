"""The learning curve of a training, drawn while it runs, beside the band of the shipped repeats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from mmea_bench.bench.cells.messages import CurvePoint, Tick
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.console import say
from mmea_bench.bench.running.progress import Progress, spell_cell, spell_ending
from mmea_bench.reports.core.document import format_number
from mmea_bench.reports.core.evidence.reference import (
    CURVE_DIRECTIONS,
    CURVE_METRIC,
    BandPoint,
    ReferenceCurve,
    Side,
)
from mmea_bench.results.core.record import Record

WIDTH = 40
"""Places of a drawn curve; as many lines a log gets at most."""
_BARS = "▁▂▃▄▅▆▇█"
_MARKS: Mapping[Side, str] = MappingProxyType({"inside": "=", "above": "^", "below": "v"})


class OwnCurve:
    """The points of the training that runs: Hits@1 on the test links by epoch."""

    def __init__(self) -> None:
        self._by_direction: dict[str, dict[int, float]] = {}

    def add(self, points: Sequence[CurvePoint]) -> None:
        """Takes points; those of other metrics and links are left out."""
        for point in points:
            if (point.links, point.metric) == ("test", CURVE_METRIC):
                self._by_direction.setdefault(point.direction, {})[point.epoch] = point.value

    @property
    def points(self) -> list[tuple[int, float]]:
        """Epoch and value, by epoch, of the direction that papers print."""
        for direction in CURVE_DIRECTIONS:
            if direction in self._by_direction:
                return sorted(self._by_direction[direction].items())
        return []

    def at(self, epoch: float) -> float | None:
        """The value at an epoch, straight lines between the points; None outside of them."""
        found = ReferenceCurve(
            tuple(BandPoint(at, value, value, value) for at, value in self.points), 1
        ).at(epoch)
        return None if found is None else found.middle


def bars(value_at: Callable[[float], float | None], last_epoch: int, highest: float) -> str:
    """A curve as a row of bars from the first epoch to the last; spaces where it has no value."""
    drawn = ""
    for place in range(1, WIDTH + 1):
        value = value_at(last_epoch * place / WIDTH)
        if value is None:
            drawn += " "
        else:
            share = value / highest if highest > 0 else 0.0
            drawn += _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]
    return drawn


def against(curve: ReferenceCurve, epoch: int, value: float) -> str:
    """A value beside the band at its epoch, in words."""
    band = curve.at(epoch)
    if band is None:
        return ""
    return f"{band.side(value)} {spell_band(band, curve.n)}"


def spell_band(band: BandPoint, n: int) -> str:
    """Median and range of the repeats."""
    low, middle, high = (
        format_number(value, "fraction") for value in (band.low, band.middle, band.high)
    )
    repeats = f"{n} repeat{'s' if n > 1 else ''}"
    return f"the reference {middle} ({low} to {high}, {repeats})"


class CurveProgress(Progress):
    """Draws the curve of each cell against the reference.

    On a terminal it redraws itself; a log gets a line for each of at most ``WIDTH`` points.

    Args:
        console: Where to draw.
        reference: The band of the shipped repeats; empty without any.
    """

    def __init__(self, console: Console, reference: ReferenceCurve) -> None:
        self._console, self._reference = console, reference
        self._lock = threading.Lock()
        self._own, self._tick, self._what = OwnCurve(), Tick(0, 0, 0.0), "starting"
        self._last_said = -1
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Clears the display."""
        if self._console.is_terminal:
            self._live.stop()

    def cell_started(self, job: Job) -> None:
        """Begins a curve."""
        with self._lock:
            self._own, self._tick, self._what = OwnCurve(), Tick(0, 0, 0.0), spell_cell(job.cell)
            self._last_said = -1

    def ticked(self, job: Job, tick: Tick) -> None:  # noqa: ARG002 - one cell at a time
        """Takes the new points; says them where nothing is drawn."""
        with self._lock:
            self._tick = tick
            self._own.add(tick.points)
            points = self._own.points
        if not self._console.is_terminal and points:
            self._say(points[-1], tick.n_epochs)

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """Leaves the finished curve above the display."""
        with self._lock:
            self._own.add([_point(row) for row in record.curves])
            drawn = self._rows()
        say(self._console, f"{spell_cell(job.cell)}: {spell_ending(record)} ({seconds:.1f} s)")
        for row in drawn:
            self._console.print(row)

    def cell_stopped(self, job: Job) -> None:
        """Keeps what is drawn."""

    def _say(self, point: tuple[int, float], n_epochs: int) -> None:
        epoch, value = point
        if epoch - self._last_said < max(1.0, n_epochs / WIDTH) or epoch == self._last_said:
            return
        self._last_said = epoch
        beside = against(self._reference, epoch, value)
        text = f"epoch {epoch}/{n_epochs}: Hits@1 {format_number(value, 'fraction')}"
        say(self._console, f"{text}, {beside}" if beside else text)

    def _draw(self) -> RenderableType:
        with self._lock:
            tick = self._tick
            epochs = f", epoch {tick.epoch}/{tick.n_epochs}" if tick.n_epochs else ""
            return Group(Text(self._what + epochs), *self._rows())

    def _rows(self) -> list[Text]:
        points, band = self._own.points, self._reference.points
        last = int(max([epoch for epoch, _ in points] + [point.epoch for point in band] + [0]))
        if not last:
            return []
        highest = max([value for _, value in points] + [point.high for point in band])
        rows = []
        if points:
            epoch, value = points[-1]
            beside = against(self._reference, epoch, value)
            said = f"{format_number(value, 'fraction')} at epoch {epoch}"
            drawn = bars(self._own.at, last, highest)
            rows.append(_labelled("yours", drawn, f"{said}, {beside}" if beside else said, "cyan"))
        if band:
            drawn = bars(self._middle, last, highest)
            rows.append(_labelled("reference", drawn, spell_band(band[-1], self._reference.n), ""))
        if points and band:
            rows.append(
                _labelled("in band", self._sides(last), "= inside, ^ above, v below", "dim")
            )
        return rows

    def _middle(self, epoch: float) -> float | None:
        band = self._reference.at(epoch)
        return None if band is None else band.middle

    def _sides(self, last: int) -> str:
        drawn = ""
        for place in range(1, WIDTH + 1):
            epoch = last * place / WIDTH
            band, value = self._reference.at(epoch), self._own.at(epoch)
            drawn += " " if band is None or value is None else _MARKS[band.side(value)]
        return drawn


def _labelled(label: str, drawn: str, text: str, style: str) -> Text:
    return Text.assemble(f"  {label:<10}", (drawn, style), f"  {text}")


def _point(row: Mapping[str, Any]) -> CurvePoint:
    names = ("epoch", "links", "metric", "direction", "value")
    return CurvePoint(*(row[name] for name in names))
