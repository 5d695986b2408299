"""What runs inside a cell's process: one cell, reported through a pipe."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.cells.kept_states import CellStates, points_of
from mmea_bench.bench.cells.limits import die_with_parent, own_process_group
from mmea_bench.bench.cells.messages import TICK_INTERVAL_S, CurvePoint, Started, Tick
from mmea_bench.bench.metering.energy import metered
from mmea_bench.bench.metering.freed_memory import keep_freed_memory
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keeping import watching
from mmea_bench.bench.predictions.cut_links import with_cut_links
from mmea_bench.bench.predictions.keep import with_kept
from mmea_bench.bench.scoring.sealed import sealed
from mmea_bench.datasets.core.access.catalogue import own_dataset_files
from mmea_bench.methods.core.base import StoppedError
from mmea_bench.results.core.disk.files import make_folder

EXIT_STOPPED = 128 + signal.SIGTERM


def run_cell(job: Job, pipe: Connection, log_path: Path) -> None:
    """Entry point of a cell's process: sends ``Started``, ticks and at last the record.

    Args:
        job: The cell and how to run it.
        pipe: Where the messages go.
        log_path: File that takes what the method prints; a live display would be torn by it.
    """
    own_process_group()
    die_with_parent()
    keep_freed_memory()
    _redirect_output(log_path)
    if job.gpu is not None:
        # Read when CUDA starts, which no cell has done yet.
        os.environ["CUDA_VISIBLE_DEVICES"] = _gpu_name(job.gpu)
    pipe.send(Started())
    try:
        throttle = _Throttle(pipe)

        def listen(states: CellStates) -> None:
            _stop_on_sigterm(states)
            throttle.follow(points_of(states))

        # Sealed, for a training holds its ticker, and the curve of the test links hangs on it.
        with own_dataset_files(job.dataset_files):
            is_watched = job.keeping.kinds or job.cell.partitions > 1
            watcher = watching() if is_watched else nullcontext()
            with watcher as watch, metered(job.energy) as meter:
                record = execute_cell(job, sealed(throttle), listen)
            record = meter.added(record)
            if watch is not None:
                record = with_kept(job, with_cut_links(job, record, watch), watch)
    except StoppedError:
        os._exit(EXIT_STOPPED)
    pipe.send(record)
    pipe.close()


def _gpu_name(number: int) -> str:
    """The GPU of this number among those that the user lets the program see."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return seen[number] if len(seen) > number and seen[0] else str(number)


def _stop_on_sigterm(states: CellStates) -> None:
    """Lets a training write down its state before it ends, if it has done anything since."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not states.ask_to_stop():
            os._exit(EXIT_STOPPED)

    signal.signal(signal.SIGTERM, stop)


class _Throttle:
    """Sends at most one tick per interval, and always the last epoch's.

    Points of the learning curve go with the next tick that is sent.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._next = 0.0
        self._points: Callable[[], Sequence[Mapping[str, Any]]] = tuple
        self._n_sent = 0

    def follow(self, points: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        """Takes what gives the points of the learning curve so far."""
        self._points = points

    def __call__(self, epoch: int, n_epochs: int, loss: float) -> None:
        now = time.monotonic()
        if now >= self._next or epoch >= n_epochs:
            self._next = now + TICK_INTERVAL_S
            self._pipe.send(Tick(int(epoch), int(n_epochs), float(loss), self._new_points()))

    def _new_points(self) -> tuple[CurvePoint, ...]:
        points = self._points()
        new, self._n_sent = points[self._n_sent :], len(points)
        names = ("epoch", "links", "metric", "direction", "value")
        return tuple(CurvePoint(*(point[name] for name in names)) for point in new)


def _redirect_output(log_path: Path) -> None:
    make_folder(log_path.parent)
    # A new file: a pipe or a link that stands there already is not written to.
    log_path.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    # The descriptors too, not only Python's objects: native libraries print on their own.
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
