"""Runs the missing cells of a plan, each in its own process, and writes every record at once."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from joblib import Parallel, delayed

from mmea_bench.bench.checkpoints import forget_cell
from mmea_bench.bench.failures import record_of
from mmea_bench.bench.job import Job, failure_record
from mmea_bench.bench.process import Ending, Launcher
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
    """

    n_jobs: int = 1
    fail_fast: bool = False


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        n_by_status: Cells of this run by the way they ended.
        signal_number: Signal that ended the run early, None for none.
        is_complete: Whether every cell was run.
    """

    n_by_status: Counter[str] = field(default_factory=Counter)
    signal_number: int | None = None
    is_complete: bool = True

    @property
    def exit_code(self) -> int:
        """Exit code of the program."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        went_wrong = any(status not in GOOD_STATUSES for status in self.n_by_status)
        return EXIT_SOME_FAILED if went_wrong else EXIT_OK


@dataclass(frozen=True)
class _Done:
    job: Job
    ending: Ending
    seconds: float


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
    logs = store.folder / LOG_FOLDER
    launcher = Launcher(logs, _preload(jobs))

    def run_one(job: Job) -> _Done:
        started = time.monotonic()
        if not launcher.is_stopped:
            progress.cell_started(job)
        ending = launcher.run(job, lambda tick: progress.ticked(job, tick))
        return _Done(job, ending, time.monotonic() - started)

    parallel = Parallel(
        n_jobs=settings.n_jobs, backend="threading", return_as="generator_unordered", batch_size=1
    )
    with _stopped_by_signals(launcher, summary):
        results = parallel(delayed(run_one)(job) for job in jobs)
        try:
            for done in results:
                _take(done, store, progress, summary)
                if settings.fail_fast and summary.exit_code != EXIT_OK:
                    launcher.stop()
        finally:
            launcher.stop()
            results.close()
            with suppress(OSError):
                logs.rmdir()  # succeeds where no cell has printed anything
    return summary


def _take(done: _Done, store: ResultStore, progress: Progress, summary: RunSummary) -> None:
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


def _preload(jobs: Sequence[Job]) -> list[str]:
    """Modules of the project's own methods: they have been imported here without an error."""
    own = {path.stem.replace("-", "_") for job in jobs for path in job.method_files}
    names = {job.cell.method for job in jobs} - own
    return [f"mmea_bench.methods.{name}" for name in sorted(names)]


@contextmanager
def _stopped_by_signals(launcher: Launcher, summary: RunSummary) -> Iterator[None]:
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
        launcher.stop()
        restore()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
