"""Tells trackers what happens in a run, beside the display and without holding the run up."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue

from rich.console import Console

from mmea_bench.bench.cells.messages import CurvePoint, Tick
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.console import say
from mmea_bench.bench.running.progress import Progress
from mmea_bench.bench.tracking.numbers import by_epoch, points_of_record, tracked
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.results.core.record import Record

PATIENCE_S = 60.0
"""Seconds that a run waits at its end for what a tracker has not taken yet."""

_LONGEST_MESSAGE = 200
_Call = Callable[[Tracker], None]


def telling(
    display: Progress, trackers: Sequence[Tracker], run: TrackedRun, console: Console
) -> Progress:
    """The display itself, or one that tells trackers too where there are any."""
    return TellingProgress(display, trackers, run, console) if trackers else display


class TellingProgress(Progress):
    """A display that also tells trackers; each has a thread, so that a slow one delays nobody.

    Args:
        display: Shows the cells.
        trackers: Whom to tell.
        run: The run.
        console: Where a tracker's failure is printed.
        patience_s: Seconds to wait at the end, for all trackers together.
    """

    def __init__(
        self,
        display: Progress,
        trackers: Sequence[Tracker],
        run: TrackedRun,
        console: Console,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._display, self._run, self._patience_s = display, run, patience_s
        self._tellers = [_Teller(tracker, console) for tracker in trackers]
        self._lock = threading.Lock()
        self._told: dict[str, set[CurvePoint]] = {}
        self._over: set[str] = set()
        self._ended: Counter[str] = Counter()

    def __enter__(self) -> Progress:
        self._display.__enter__()
        self._tell(lambda tracker: tracker.run_started(self._run))
        return self

    def __exit__(self, *reason: object) -> None:
        """Puts the display away and waits until the trackers have everything."""
        self._display.__exit__(*reason)
        ended = dict(self._ended)
        for teller in self._tellers:
            teller.end(lambda tracker: tracker.run_ended(ended))
        deadline = time.monotonic() + self._patience_s
        for teller in self._tellers:
            if not teller.is_done_by(deadline):
                teller.warn_of_loss(self._patience_s)

    def cell_started(self, job: Job) -> None:
        """Tells of a cell once, also where it is started again."""
        self._display.cell_started(job)
        self._start(job)

    def ticked(self, job: Job, tick: Tick) -> None:
        """Tells the loss of an epoch, and the points of the curve that came with it."""
        self._display.ticked(job, tick)
        loss = {"loss": float(tick.loss)} if math.isfinite(tick.loss) else {}
        self._tell_points(job, tick.points, {tick.epoch: loss} if loss else {})

    def cell_ended(self, job: Job, record: Record, seconds: float) -> None:
        """Tells the record, and before it the points of its curve that no tick has brought."""
        self._display.cell_ended(job, record, seconds)
        self._tell_points(job, tuple(points_of_record(record)), {})
        cell = tracked(job)
        with self._lock:
            self._ended[str(record.cell["status"])] += 1
            self._told.pop(job.key, None)
            self._over.add(job.key)
        self._tell(lambda tracker: tracker.cell_ended(cell, record))

    def cell_stopped(self, job: Job) -> None:
        """Tells of the end of a cell that was running."""
        self._display.cell_stopped(job)
        with self._lock:
            was_running = self._told.pop(job.key, None) is not None
        if was_running:
            cell = tracked(job)
            self._tell(lambda tracker: tracker.cell_ended(cell, None))

    def _start(self, job: Job) -> TrackedCell:
        cell = tracked(job)
        with self._lock:
            is_new = job.key not in self._told
            self._told.setdefault(job.key, set())
        if is_new:
            self._tell(lambda tracker: tracker.cell_started(cell))
        return cell

    def _tell_points(
        self, job: Job, points: Sequence[CurvePoint], told_too: dict[int, dict[str, float]]
    ) -> None:
        if job.key in self._over:  # a late message of a cluster
            return
        cell = self._start(job)
        with self._lock:
            before = self._told[job.key]
            new = [point for point in points if point not in before]
            before.update(new)
        numbers = by_epoch(new)
        for epoch, further in told_too.items():
            numbers.setdefault(epoch, {}).update(further)
        for epoch, values in sorted(numbers.items()):
            self._tell(_point(cell, epoch, values))

    def _tell(self, call: _Call) -> None:
        for teller in self._tellers:
            teller.tell(call)


def _point(cell: TrackedCell, epoch: int, values: dict[str, float]) -> _Call:
    return lambda tracker: tracker.curve_point(cell, epoch, values)


class _Teller:
    """Calls one tracker from a thread of its own until it fails."""

    def __init__(self, tracker: Tracker, console: Console) -> None:
        self._tracker, self._console = tracker, console
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._has_failed = False
        # A daemon: a tracker that hangs does not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=tracker.name, daemon=True)
        self._thread.start()

    def tell(self, call: _Call) -> None:
        """Leaves a call for the thread."""
        self._calls.put(call)

    def end(self, call: _Call) -> None:
        """Leaves the last call, which a tracker that failed gets too, to close what it opened."""
        self._last = call
        self._calls.put(None)

    def is_done_by(self, deadline: float) -> bool:
        """Whether everything is told at this time of the monotonic clock; waits until then."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def warn_of_loss(self, seconds: float) -> None:
        """Says that the tracker has not taken everything within these seconds."""
        say(
            self._console,
            f"Warning: tracker {self._tracker.name} has not taken everything within "
            f"{seconds:g} s; the rest may be lost there. The results are complete.",
        )

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._has_failed:
                self._try(call)
        if self._has_failed:
            with suppress(Exception, SystemExit):
                self._last(self._tracker)
        else:
            self._try(self._last)

    def _try(self, call: _Call) -> None:
        try:
            call(self._tracker)
        except (Exception, SystemExit) as error:  # whatever it is, the run goes on
            self._has_failed = True
            lines = str(error).strip().splitlines() or [""]
            text = f"{type(error).__name__}: {lines[0][:_LONGEST_MESSAGE]}".rstrip(": .")
            say(
                self._console,
                f"Warning: tracker {self._tracker.name} failed ({text}) and is told nothing "
                "more. The run goes on.",
            )
