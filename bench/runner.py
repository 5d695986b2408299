"""Runs the missing cells of a plan, each in its own process, and writes every record at once."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from mmea_bench.bench.checkpoints import forget_cell
from mmea_bench.bench.executors import Done, Executor, ExecutorError, LocalExecutor
from mmea_bench.bench.failures import record_of
from mmea_bench.bench.job import Job, failure_record
from mmea_bench.bench.placement import CellsPerGpu, Gate, Machine
from mmea_bench.bench.progress import Progress
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

LOG_FOLDER = "logs"
EXIT_OK = 0
EXIT_SOME_FAILED = 1
GOOD_STATUSES = ("ok", "skipped")


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
        statuses_are_good = all(status in GOOD_STATUSES for status in self.n_by_status)
        return EXIT_OK if statuses_are_good and not self.problem else EXIT_SOME_FAILED


def run_jobs(
    jobs: Sequence[Job], store: ResultStore, progress: Progress, settings: RunSettings
) -> RunSummary:
    """Runs every job; one that goes wrong leaves a record and does not stop the others.

    SIGINT and SIGTERM end the run in order: cells are stopped, what has ended stays.

    Args:
        jobs: Cells that are missing.
        store: Where records go.
        progress: Display.
        settings: How the run behaves.
    """
    summary = RunSummary()
    chosen = settings.executor or local_executor(jobs, store, settings)
    with _stopped_by_signals(chosen, summary):
        try:
            for done in chosen.run(jobs, progress):
                _take(done, store, progress, summary)
                if settings.fail_fast and summary.exit_code != EXIT_OK:
                    chosen.stop()
        except ExecutorError as error:
            summary.is_complete, summary.problem = False, str(error)
        finally:
            chosen.stop()
    return summary


def local_executor(jobs: Sequence[Job], store: ResultStore, settings: RunSettings) -> LocalExecutor:
    """Runs cells on this machine."""
    device = jobs[0].device if jobs else "cpu"
    gate = Gate(Machine.this(device), settings.cells_per_gpu)
    return LocalExecutor(settings.n_jobs, store.folder / LOG_FOLDER, preload(jobs), gate)


def _take(done: Done, store: ResultStore, progress: Progress, summary: RunSummary) -> None:
    if done.ending.how == "stopped":
        summary.is_complete = False
        progress.cell_stopped(done.job)
        return
    record = _write(done.job, record_of(done.job, done.ending), store)
    # A kill says nothing against the training: the next run goes on where it was.
    if done.job.cache_dir is not None and record.cell["status"] != "out_of_memory":
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


def preload(jobs: Sequence[Job]) -> list[str]:
    """Modules of the project's own methods: they have been imported here without an error."""
    own = {path.stem.replace("-", "_") for job in jobs for path in job.method_files}
    names = {job.cell.method for job in jobs} - own
    return [f"mmea_bench.methods.{name}" for name in sorted(names)]


@contextmanager
def _stopped_by_signals(executor: Executor, summary: RunSummary) -> Iterator[None]:
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
