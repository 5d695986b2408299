"""Runs the missing cells of a plan, each in its own process, and writes every record at once."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from mmea_bench.bench.cells.failures import record_of
from mmea_bench.bench.cells.kept_states import forget_cell
from mmea_bench.bench.planning.job import Job, failure_record
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.bench.running.executor import Done, Executor, ExecutorError
from mmea_bench.bench.running.local_executor import LocalExecutor
from mmea_bench.bench.running.placement import CellsPerGpu, Gate, Machine
from mmea_bench.bench.running.preloaded import preloaded_modules
from mmea_bench.bench.running.progress import Progress, ToldProgress
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.store import ResultStore

LOG_FOLDER = "logs"
_STORED = "Every cell that had ended before is stored."
EXIT_OK = 0
_LOOK_AGAIN_S = 1.0
EXIT_SOME_FAILED = 1


class Stoppable(Protocol):
    """What a signal ends."""

    def stop(self) -> None:
        """Ends what runs within a moment; any thread."""
        ...


@dataclass(frozen=True)
class RunSettings:
    """How a run behaves.

    Attributes:
        n_jobs: Cells at the same time.
        fail_fast: Whether the first cell that goes wrong ends the run.
        cells_per_gpu: Cells on one GPU of this machine at a time.
        executor: Where cells run, None for this machine.
    """

    n_jobs: int = 1
    fail_fast: bool = False
    cells_per_gpu: CellsPerGpu = 1
    executor: Executor | None = None


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        n_by_status: Cells of this run by the way they ended.
        signal_number: Signal that ended the run early, None for none.
        is_complete: Whether every cell was run.
        problem: Why no further cell could be run, for the user; empty if nothing is wrong.
    """

    n_by_status: Counter[str] = field(default_factory=Counter)
    signal_number: int | None = None
    is_complete: bool = True
    problem: str = ""

    @property
    def exit_code(self) -> int:
        """Exit code of the program."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        statuses_are_good = all(status in DONE_STATUSES for status in self.n_by_status)
        return EXIT_OK if statuses_are_good and not self.problem else EXIT_SOME_FAILED


def run_jobs(
    jobs: Sequence[Job],
    store: ResultStore,
    progress: Progress,
    settings: RunSettings,
    claims: Claims | None = None,
) -> RunSummary:
    """Runs every job; one that goes wrong leaves a record and does not stop the others.

    SIGINT and SIGTERM end the run in order: cells are stopped, what has ended stays.

    Args:
        jobs: Cells that are missing.
        store: Where records go.
        progress: Display.
        settings: How the run behaves.
        claims: On the cells of the store's folder, where the caller has some already.
    """
    summary = RunSummary()
    chosen = settings.executor or local_executor(jobs, store, settings)
    held = nullcontext(claims) if claims is not None else Claims(store.folder)
    with held as claims, stopped_by_signals(chosen, summary):
        queue, told = _Queue(jobs, store, claims, summary), ToldProgress(progress, claims.tell)
        try:
            while (summary.is_complete and summary.signal_number is None) and queue.wait():
                for done in chosen.run(queue.claimed(), told):
                    _take(done, store, progress, summary)
                    claims.release(done.job.key)
                    if settings.fail_fast and summary.exit_code != EXIT_OK:
                        chosen.stop()
        except ExecutorError as error:
            summary.is_complete, summary.problem = False, str(error)
        except OSError as error:
            text = spell_disk_error(error)
            if text is None:
                raise
            summary.is_complete, summary.problem = False, f"{text} {_STORED}"
        finally:
            chosen.stop()
    return summary


class _Queue:
    """Cells that are left, some of which other runners may be running.

    Args:
        jobs: Cells that were missing when the run was planned.
        store: Where the records of all runners go.
        claims: Of this runner.
        summary: Ends the waiting once a signal has come.
    """

    def __init__(
        self, jobs: Sequence[Job], store: ResultStore, claims: Claims, summary: RunSummary
    ) -> None:
        self._left = list(jobs)
        self._store, self._claims, self._summary = store, claims, summary
        self._before = {job.key: _mark(store.path_of(job.key)) for job in jobs}

    def claimed(self) -> Iterator[Job]:
        """The cells that nobody else runs, claimed one by one as they are asked for."""
        for job in list(self._left):
            if self._claims.take(job.key):
                self._left.remove(job)
                if self._is_done_elsewhere(job):
                    self._claims.release(job.key)
                else:
                    yield job

    def wait(self) -> bool:
        """Waits until a cell may be had; False once all cells have been run by somebody."""
        while self._left and self._summary.signal_number is None:
            self._left = [job for job in self._left if not self._is_done_elsewhere(job)]
            if any(self._claims.is_free(job.key) for job in self._left):
                return True
            time.sleep(_LOOK_AGAIN_S if self._left else 0.0)
        return False

    def _is_done_elsewhere(self, job: Job) -> bool:
        """Whether another runner has written the record since this run was planned."""
        mark = _mark(self._store.path_of(job.key))
        return mark is not None and mark != self._before[job.key]


def _mark(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is replaced; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def local_executor(jobs: Sequence[Job], store: ResultStore, settings: RunSettings) -> LocalExecutor:
    """Runs cells on this machine."""
    device = jobs[0].device if jobs else "cpu"
    gate = Gate(Machine.this(device), settings.cells_per_gpu)
    files = sorted({path for job in jobs for path in job.method_files})
    modules = preloaded_modules({job.cell.method for job in jobs}, files)
    return LocalExecutor(settings.n_jobs, store.folder / LOG_FOLDER, modules, gate)


def _take(done: Done, store: ResultStore, progress: Progress, summary: RunSummary) -> None:
    if done.ending.how == "stopped":
        summary.is_complete = False
        progress.cell_stopped(done.job)
        return
    record = _write(done.job, record_of(done.job, done.ending), store)
    # That says nothing against the training: the next run goes on where it was.
    goes_on = done.ending.is_from_outside or record.cell["status"] == "out_of_memory"
    if done.job.cache_dir is not None and not goes_on:
        forget_cell(done.job.cache_dir, done.job.key)
    summary.n_by_status[record.cell["status"]] += 1
    progress.cell_ended(done.job, record, done.seconds)


def _write(job: Job, record: Record, store: ResultStore) -> Record:
    try:
        store.write(record)
    except ResultsError as error:
        # A method can return anything; what does not fit the tables is its failure, not ours.
        record = failure_record(job, "failed", f"its record breaks the schema: {error}")
        store.write(record)
    return record


@contextmanager
def stopped_by_signals(executor: Stoppable, summary: RunSummary) -> Iterator[None]:
    """The first signal ends the run in order; a second one acts as if we were not here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, _frame: FrameType | None) -> None:
        summary.signal_number = number
        executor.stop()
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
