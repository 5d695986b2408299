"""What is left of a cell that did not end by itself: its state where it counts, nothing else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmea_bench.bench.cells.kept_states import FOLDER
from mmea_bench.bench.cells.messages import Tick
from mmea_bench.bench.cells.process import Ending, Launcher
from mmea_bench.bench.cells.worker import EXIT_STOPPED
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.plan import jobs_of
from mmea_bench.bench.running.executor import Done
from mmea_bench.bench.running.progress import Progress, SilentProgress
from mmea_bench.bench.running.runner import RunSettings, run_jobs
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.results.core.store import ResultStore
from tests.bench.running.test_runner import Bench
from tests.cases.small_methods import walking_method


class Ends:
    """An executor whose cells all end in one way."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending

    def run(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done]:
        for job in jobs:
            yield Done(job, self._ending, 0.0)

    def stop(self) -> None:
        """There is nothing to stop."""


@pytest.mark.parametrize(
    ("ending", "is_kept"),
    [
        (Ending("gone", exit_code=-signal.SIGKILL), True),
        (Ending("gone", exit_code=-signal.SIGTERM), True),
        (Ending("gone", exit_code=EXIT_STOPPED), True),
        (Ending("lost", exit_code=255), True),
        (Ending("refused", printed="no worker can run it"), True),
        (Ending("gone", exit_code=-signal.SIGSEGV), False),
        (Ending("timeout"), False),
    ],
)
def test_a_cell_that_others_ended_goes_on_where_it_was(
    ending: Ending, is_kept: bool, tmp_path: Path
) -> None:
    cell = Cell("random_scores", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    job, store = Job(cell, "k1", "suite", None, tmp_path / "cache"), ResultStore(tmp_path / "out")
    state = tmp_path / "cache" / FOLDER / job.key / "training-1"
    state.parent.mkdir(parents=True)
    state.parent.parent.chmod(0o700)
    state.write_bytes(b"hours of training")
    run_jobs([job], store, SilentProgress(), RunSettings(executor=Ends(ending)))
    assert state.exists() == is_kept


def starts_a_child(note: Path) -> str:
    """Lines of a method that start a process and note its number."""
    lines = "import subprocess\nstarted = subprocess.Popen(['sleep', '60'])\n"
    return f"{lines}Path({str(note)!r}).write_text(str(started.pid))"


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_what_a_killed_cell_has_started_ends_with_it(tmp_path: Path, make_method: Any) -> None:
    """It went on after the kernel had killed the cell for lack of memory, and held its own."""
    child = tmp_path / "child"
    body = f"{starts_a_child(child)}\nos.kill(os.getpid(), signal.SIGKILL)"
    bench = Bench(tmp_path, (make_method("leaves_a_child", body),))
    bench.run(bench.plan(methods=["leaves_a_child"], repeats=1))
    assert "killed from outside" in bench.rows()["leaves_a_child"]["reason"]
    assert not _runs(int(child.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_what_a_cell_has_started_ends_with_its_record(tmp_path: Path, make_method: Any) -> None:
    """A server that a method forgot took the memory and the time of the cells behind it."""
    child = tmp_path / "child"
    bench = Bench(tmp_path, (make_method("forgets_a_child", starts_a_child(child)),))
    bench.run(bench.plan(methods=["forgets_a_child"], repeats=1))
    assert bench.rows()["forgets_a_child"]["status"] == "ok"
    assert not _runs(int(child.read_text()))


def _runs(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        process.wait(timeout=5.0)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def walk_of_three_epochs(folder: Path) -> tuple[Job, Launcher]:
    method = folder / "walk.py"
    method.write_text(walking_method(epochs=3), encoding="utf-8")
    bench = Bench(folder, (method,))
    (job,) = jobs_of(bench.plan(methods=["walk"], repeats=1), bench.place)
    return job, Launcher(folder / "logs")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_cell_that_is_past_its_last_epoch_when_the_run_stops_has_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.bench.cells.process._LEAST_KEEP_STATE_S", 60.0)
    job, launcher = walk_of_three_epochs(tmp_path)

    def stop_at_the_last(tick: Tick) -> None:
        if tick.epoch == tick.n_epochs:
            launcher.stop()

    ending = launcher.run(replace(job, states_every_s=1e-9), stop_at_the_last)
    assert ending.how == "record"
    assert ending.record is not None
    assert ending.record.cell["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_record_that_was_sent_before_the_run_stopped_is_taken(tmp_path: Path) -> None:
    job, launcher = walk_of_three_epochs(tmp_path)

    def stop_after_the_end(tick: Tick) -> None:
        if tick.epoch == tick.n_epochs:
            cell = max(psutil.Process().children(recursive=True), key=psutil.Process.create_time)
            psutil.wait_procs([cell], timeout=60)
            launcher.stop()

    ending = launcher.run(replace(job, states_every_s=None), stop_after_the_end)
    assert ending.how == "record"
    assert ending.record is not None
