"""Runs cells on this machine, so many at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from joblib import Parallel, delayed

from mmea_bench.bench.cells.process import Launcher
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.executor import Done
from mmea_bench.bench.running.placement import Gate
from mmea_bench.bench.running.progress import Progress


class LocalExecutor:
    """Runs cells on this machine, so many at a time.

    Args:
        n_jobs: Cells at the same time.
        log_folder: Folder for what cells print.
        preload: Modules that every cell needs.
        gate: Lets cells start while there is room.
    """

    def __init__(self, n_jobs: int, log_folder: Path, preload: Sequence[str], gate: Gate) -> None:
        self._n_jobs, self._log_folder, self._gate = n_jobs, log_folder, gate
        self._launcher = Launcher(log_folder, preload)

    def stop(self) -> None:
        """Ends running cells and lets no further one start."""
        self._launcher.stop()
        self._gate.open()

    def run(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done]:
        """Runs all jobs and yields each one as it ends."""
        queue = _Queue(jobs)

        def run_next() -> Done | None:
            waiting = queue.take()
            if waiting is None:
                return None
            with self._gate.room(waiting) as job:
                started = time.monotonic()
                if not self._launcher.is_stopped:
                    progress.cell_started(job)
                ending = self._launcher.run(job, lambda tick: progress.ticked(job, tick))
                return Done(job, ending, time.monotonic() - started)

        parallel = Parallel(
            n_jobs=self._n_jobs,
            backend="threading",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
        )
        results = parallel(delayed(run_next)() for _ in queue.turns())
        is_complete = False
        try:
            yield from filter(None, results)
            is_complete = True
        finally:
            if not is_complete:
                self.stop()
            results.close()
            with suppress(OSError):
                self._log_folder.rmdir()  # succeeds where no cell has printed anything


class _Queue:
    """Jobs that are taken by whoever has a place for one, and not before.

    What is asked for is claimed, so that no other runner can have it, and joblib asks for more than
    run.

    Args:
        jobs: Claimed one by one as they are asked for.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs, self._lock, self._is_empty = iter(jobs), Lock(), False

    def take(self) -> Job | None:
        """The next job, None if there is no further one."""
        with self._lock:
            job = next(self._jobs, None)
            self._is_empty = job is None
            return job

    def turns(self) -> Iterator[None]:
        """As many as there are jobs, and a few more."""
        while not self._is_empty:
            yield None
