"""The server that starts the cells' processes may be killed at any moment; no cell is lost."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from multiprocessing import forkserver, get_all_start_methods
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.cells.process import Launcher
from mmea_bench.bench.planning.plan import jobs_of
from tests.bench.running.test_runner import Bench

pytestmark = pytest.mark.skipif(
    "forkserver" not in get_all_start_methods(), reason="cells start without a server here"
)
KILL_SERVER = "os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"


def kill_server() -> None:
    forkserver.ensure_running()
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(server, signal.SIGKILL)


def test_a_cell_that_ends_with_its_server_is_started_again(
    tmp_path: Path, make_method: Any
) -> None:
    marker = tmp_path / "marker"
    body = f"marker = Path({str(marker)!r})\n"
    body += f"if not marker.exists(): marker.touch(); {KILL_SERVER}"
    bench = Bench(tmp_path, (make_method("loses_its_server", body),))
    names = ["loses_its_server", "random_scores"]
    summary = bench.run(bench.plan(methods=names), n_jobs=2)
    assert summary.n_by_status == {"ok": 4}
    assert summary.is_complete
    assert not summary.problem


def test_a_cell_that_kills_its_server_each_time_fails_alone(
    tmp_path: Path, make_method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmea_bench.bench.cells.process._MOST_STARTS", 2)
    bench = Bench(tmp_path, (make_method("kills_its_server", KILL_SERVER),))
    names = ["kills_its_server", "random_scores"]
    bench.run(bench.plan(methods=names, repeats=1))
    rows = bench.rows()
    assert rows["kills_its_server"]["status"] == "failed"
    assert "the server that starts cells was killed" in rows["kills_its_server"]["reason"]
    assert rows["random_scores"]["status"] == "ok"


def test_a_server_that_dies_between_two_cells_is_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    jobs = jobs_of(bench.plan(methods=["random_scores"], repeats=2), bench.place)
    launcher = Launcher(tmp_path / "logs")
    for job in jobs:
        kill_server()  # not yet seen as dead when the cell is started
        assert launcher.run(job, lambda _tick: None).how == "record"


@pytest.mark.parametrize("error", [EOFError, ConnectionRefusedError, ConnectionResetError])
def test_a_start_that_meets_a_dead_server_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    bench = Bench(tmp_path)
    (job,) = jobs_of(bench.plan(methods=["random_scores"], repeats=1), bench.place)
    launcher = Launcher(tmp_path / "logs")
    process_type = launcher._context.Process  # type: ignore[attr-defined]
    start, n_failed = process_type.start, 0

    def fail_twice(process: Any) -> None:
        nonlocal n_failed
        n_failed += 1
        if n_failed <= 2:
            raise error
        start(process)

    monkeypatch.setattr(process_type, "start", fail_twice)
    assert launcher.run(job, lambda _tick: None).how == "record"
    monkeypatch.setattr("mmea_bench.bench.cells.process._MOST_STARTS", 1)
    n_failed = 0
    refused = launcher.run(job, lambda _tick: None)
    assert refused.how == "refused"
    assert "the server that starts cells is gone" in refused.printed


def test_an_exit_code_of_255_is_no_lost_server(tmp_path: Path, make_method: Any) -> None:
    starts = tmp_path / "starts"
    body = f"open({str(starts)!r}, 'a').write('x'); os._exit(255)"
    bench = Bench(tmp_path, (make_method("exits_255", body),))
    bench.run(bench.plan(methods=["exits_255"], repeats=1))
    (row,) = bench.rows().values()
    assert row["reason"] == "the process ended with exit code 255 before it had a result"
    assert starts.read_text() == "x"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes among files are a thing of POSIX")
def test_what_stands_in_place_of_a_log_is_not_written_to(tmp_path: Path) -> None:
    """A pipe there kept the cell from starting until its start had timed out."""
    bench = Bench(tmp_path)
    (job,) = jobs_of(bench.plan(methods=["random_scores"], repeats=1), bench.place)
    (tmp_path / "logs").mkdir()
    (tmp_path / "theirs").write_text("theirs")
    os.mkfifo(tmp_path / "logs" / f"{job.key}.log")
    (tmp_path / "logs" / "other.log").symlink_to(tmp_path / "theirs")
    launcher = Launcher(tmp_path / "logs")
    assert launcher.run(job, lambda _tick: None).how == "record"
    assert launcher.run(replace(job, key="other"), lambda _tick: None).how == "record"
    assert (tmp_path / "theirs").read_text() == "theirs"
