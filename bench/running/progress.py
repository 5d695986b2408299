"""What a person sees while cells run: a live display, or one line per event."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mmea_bench.bench.cells.messages import Tick
from mmea_bench.bench.planning.cell import Cell, cell_words
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.console import say
from mmea_bench.bench.running.estimate import CellTimes, spell_duration
from mmea_bench.bench.sharing.advances import Advances
from mmea_bench.results.core.record import Record

_STYLES = {"ok": "green", "skipped": "yellow"}
_BAD_STYLE = "red"
_LARGEST_REASON = 160


class Progress(ABC):
    """Listener of a run; ``cell_started`` and ``ticked`` come from several threads."""

    @abstractmethod
    def cell_started(self, job: Job) -> None:
        """A cell's process starts."""

    @abstractmethod
    def ticked(self, job: Job, tick: Tick) -> None:
        """A cell reports an epoch."""

    @abstractmethod
    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """A cell ended and its record is on disk."""

    @abstractmethod
    def cell_stopped(self, job: Job) -> None:
        """A cell was stopped, or not started, because the run ends."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - most have nothing to put away
        """Puts the display away."""


class SilentProgress(Progress):
    """Shows nothing."""

    def cell_started(self, job: Job) -> None:
        """Shows nothing."""

    def ticked(self, job: Job, tick: Tick) -> None:
        """Shows nothing."""

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """Shows nothing."""

    def cell_stopped(self, job: Job) -> None:
        """Shows nothing."""


class ToldProgress(Progress):
    """Another display, and whoever else wants to know how far a cell is.

    Args:
        shown: The display.
        tell: Called with a cell's key, its epochs so far, and its epochs in all.
    """

    def __init__(self, shown: Progress, tell: Callable[[str, int, int], None]) -> None:
        self._shown, self._tell = shown, tell

    def cell_started(self, job: Job) -> None:
        """Shows it."""
        self._shown.cell_started(job)

    def ticked(self, job: Job, tick: Tick) -> None:
        """Shows and tells it."""
        self._shown.ticked(job, tick)
        self._tell(job.key, tick.epoch, tick.n_epochs)

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """Shows it."""
        self._shown.cell_ended(job, record, seconds)

    def cell_stopped(self, job: Job) -> None:
        """Shows it."""
        self._shown.cell_stopped(job)


@dataclass
class _Running:
    job: Job
    since: float
    tick: Tick | None = None


@dataclass
class _State:
    """Counts behind both displays."""

    jobs: Sequence[Job]
    n_jobs: int
    times: CellTimes
    n_by_status: Counter[str] = field(default_factory=Counter)
    running: dict[str, _Running] = field(default_factory=dict)
    advances: Advances = field(default_factory=Advances)
    waiting: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = {job.key: job for job in self.jobs}

    @property
    def n_ended(self) -> int:
        return sum(self.n_by_status.values())

    def start(self, job: Job) -> None:
        self.running[job.key] = _Running(job, time.monotonic())

    def tick(self, job: Job, tick: Tick) -> None:
        running = self.running.get(job.key)
        if running is not None:
            running.tick = tick
            self.advances.note(job.key, tick.epoch, tick.n_epochs)

    def end(self, job: Job, record: Record) -> None:
        status = record.cell["status"]
        self.n_by_status[status] += 1
        self.running.pop(job.key, None)
        self.waiting.pop(job.key, None)
        if status == "ok":
            self.times.learn(record)

    def time_left(self) -> str:
        not_started = [job for key, job in self.waiting.items() if key not in self.running]
        if not (self.times.knows_any and self.waiting):
            return ""
        expected = sum(self._expected(job) for job in not_started)
        left = [self._left_of(running) for running in self.running.values()]
        seconds = (expected + sum(part or 0.0 for part in left)) / self.n_jobs
        is_known = None not in left and all(map(self._knows, not_started))
        return f"{'about' if is_known else 'more than'} {spell_duration(seconds)} left"

    def _left_of(self, running: _Running) -> float | None:
        """Seconds that a running cell still needs, judged by its own epochs or by its method."""
        advance = self.advances.of(running.job.key)
        if advance is not None and advance.seconds_left is not None:
            return advance.seconds_left
        if not self._knows(running.job):
            return None
        passed = time.monotonic() - running.since
        return max(0.0, self._expected(running.job) - passed)

    def _expected(self, job: Job) -> float:
        return self.times.seconds(cell_words(job.cell), job.length) or 0.0

    def _knows(self, job: Job) -> bool:
        return self.times.knows(job.cell.method)


class _CountedProgress(Progress):
    """A display that knows what runs and how far it is; cells end in several threads.

    Args:
        console: Where to print.
        jobs: Every cell of this run.
        n_jobs: Cells at the same time.
        times: Of earlier cells.
    """

    def __init__(
        self, console: Console, jobs: Sequence[Job], n_jobs: int, times: CellTimes
    ) -> None:
        self._lock = threading.Lock()
        self._console = console
        self._state = _State(jobs, n_jobs, times)

    def cell_started(self, job: Job) -> None:
        """Counts the cell as running."""
        with self._lock:
            self._state.start(job)

    def ticked(self, job: Job, tick: Tick) -> None:
        """Remembers epoch and loss."""
        with self._lock:
            self._state.tick(job, tick)

    def cell_stopped(self, job: Job) -> None:
        """Counts the cell as running no more."""
        with self._lock:
            self._state.running.pop(job.key, None)


class PlainProgress(_CountedProgress):
    """One line per cell, for logs and pipes; a log is no place for epochs."""

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """One line: count, cell, status, time and time left."""
        with self._lock:
            self._state.end(job, record)
            left = self._state.time_left()
        line = (
            f"[{self._state.n_ended}/{len(self._state.jobs)}] {spell_cell(job.cell)}: "
            f"{spell_ending(record)} ({seconds:.1f} s)"
        )
        text = f"{line}, {left}" if left else line
        say(self._console, text)


class LiveProgress(_CountedProgress):
    """A display that redraws itself: bar, counts, time left, and the cells that run now."""

    def __init__(
        self, console: Console, jobs: Sequence[Job], n_jobs: int, times: CellTimes
    ) -> None:
        super().__init__(console, jobs, n_jobs, times)
        self._since = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=5, transient=True
        )

    def __enter__(self) -> Progress:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Clears the display."""
        self._live.stop()

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """Moves the cell to the counts; what went wrong stays visible above the display."""
        del seconds
        with self._lock:
            self._state.end(job, record)
        if record.cell["status"] != "ok":
            line = Text(f"{spell_cell(job.cell)}: {spell_ending(record)}")
            line.stylize(_STYLES.get(record.cell["status"], _BAD_STYLE))
            self._live.console.print(line)

    def _draw(self) -> RenderableType:
        with self._lock:
            return Group(self._head(), self._table())

    def _head(self) -> RenderableType:
        state = self._state
        grid = Table.grid(padding=(0, 2))
        counts = Text(f"{state.n_ended}/{len(state.jobs)} cells")
        for status, count in sorted(state.n_by_status.items()):
            counts.append(f"  {count} {status}", style=_STYLES.get(status, _BAD_STYLE))
        passed = spell_duration(time.monotonic() - self._since)
        bar = ProgressBar(total=max(1, len(state.jobs)), completed=state.n_ended, width=30)
        grid.add_row(bar, counts, Text(passed, style="dim"), Text(state.time_left(), style="bold"))
        return grid

    def _table(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        for running in sorted(self._state.running.values(), key=lambda item: item.since):
            passed = spell_duration(time.monotonic() - running.since)
            grid.add_row(
                Text("  " + spell_cell(running.job.cell)),
                Text(_spell_tick(running.tick), style="cyan"),
                Text(passed, style="dim"),
            )
        return grid


def make_progress(console: Console, jobs: Sequence[Job], n_jobs: int, times: CellTimes) -> Progress:
    """The display that fits the console."""
    kind = LiveProgress if console.is_terminal else PlainProgress
    return kind(console, jobs, n_jobs, times)


def spell_cell(cell: Cell) -> str:
    """One cell in a few words; the point of a sweep is named."""
    variant = "" if cell.label == "full" else f" ({cell.label})"
    return f"{cell.method}{variant} on {cell.dataset}, ratio {cell.seed_ratio:g}, #{cell.repeat}"


def spell_ending(record: Record) -> str:
    """Status of a record, with its reason if it has one."""
    status = str(record.cell["status"]).replace("_", " ")
    reason = str(record.cell["reason"] or "")
    if len(reason) > _LARGEST_REASON:
        reason = reason[: _LARGEST_REASON - 1] + "…"
    return f"{status}: {reason}" if reason else status


def _spell_tick(tick: Tick | None) -> str:
    if tick is None:
        return "starting"
    loss = f"  loss {tick.loss:.4g}" if math.isfinite(tick.loss) else "  loss not finite"
    return f"epoch {tick.epoch}/{tick.n_epochs}{loss}"
