"""One bad cell never stops the others, and a run that breaks loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.cells.limits import hard_limit_s
from mmea_bench.bench.planning import machine
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, Plan, jobs_of, make_plan
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.running.runner import RunSettings, RunSummary, run_jobs
from mmea_bench.bench.running.stale import set_aside, stale_keys
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from tests.cases.small_methods import notes_start

DATASET = "synthetic[n=100]"

BAD_METHODS = {
    "raises": ("raise ValueError('no luck')", "failed", "ValueError: no luck"),
    "diverges": ("raise DivergedError('loss is nan')", "diverged", "loss is nan"),
    "exits": ("print('last words', flush=True); os._exit(3)", "failed", "exit code 3"),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", "failed", "signal SIGSEGV"),
    "is_killed": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "failed",
        "killed from outside (SIGKILL)",
    ),
    "lacks_memory": ("raise MemoryError('too much')", "out_of_memory", "too much"),
    "lacks_gpu_memory": (
        "raise torch.OutOfMemoryError('CUDA out of memory.')",
        *("out_of_memory", "CUDA out of memory"),
    ),
    "hangs": ("time.sleep(600)", "timeout", "killed from outside"),
    "hangs_in_native_code": (  # with the interpreter's lock, so that no handler of Python's runs
        *("import ctypes; ctypes.PyDLL(None).sleep(600)", "timeout"),
        "killed from outside",
    ),
    "sees_the_clock": (
        *("while True: ctx.check_deadline(); time.sleep(0.01)", "timeout"),
        "1 s allowed",
    ),
}


class Bench:
    """A results folder with the means to plan and run suites in it."""

    def __init__(self, tmp_path: Path, files: tuple[Path, ...] = ()) -> None:
        self.place = Place(tmp_path, tmp_path / "cache", "cpu", files)
        self.store = ResultStore(tmp_path / "out")

    def plan(self, *, fresh: bool = False, **changes: object) -> Plan:
        named = {"datasets": [DATASET], "repeats": 2, **changes}
        suite = load_suite(None, named, self.place.data_root, self.place.method_files)
        return make_plan(suite, self.store, self.place, fresh=fresh)

    def run(self, plan: Plan, **settings: Any) -> RunSummary:
        jobs = jobs_of(plan, self.place)
        return run_jobs(jobs, self.store, SilentProgress(), RunSettings(**settings))

    def rows(self) -> dict[str, Any]:
        return {record.cell["method"]: record.cell for record in self.store.records()}


def test_bad_cells_get_their_status_and_do_not_stop_the_others(
    tmp_path: Path, make_method: Any
) -> None:
    files = tuple(make_method(name, body) for name, (body, _, _) in BAD_METHODS.items())
    bench = Bench(tmp_path, files)
    names = [*BAD_METHODS, "random_scores"]
    summary = bench.run(bench.plan(methods=names, repeats=1, timeout_s=1.0), n_jobs=2)
    rows = bench.rows()
    assert set(rows) == set(names)
    for name, (_, status, reason) in BAD_METHODS.items():
        assert (name, rows[name]["status"]) == (name, status)
        assert reason in rows[name]["reason"]
    assert rows["random_scores"]["status"] == "ok"
    assert "last words" in rows["exits"]["notes"]
    assert "ValueError" in rows["raises"]["notes"]
    assert summary.exit_code == 1
    assert summary.n_by_status["ok"] == 1


def test_vectors_that_are_not_finite_give_no_numbers(tmp_path: Path, make_method: Any) -> None:
    body = "nan = torch.full((view.source.n_entities, 2), float('nan'))\n"
    body += "return Embeddings(nan, nan)"
    bench = Bench(tmp_path, (make_method("gives_nan", body),))
    bench.run(bench.plan(methods=["gives_nan", "random_scores"], repeats=1))
    rows = bench.rows()
    assert rows["random_scores"]["status"] == "ok"
    assert rows["gives_nan"]["status"] in ("failed", "diverged")
    assert rows["gives_nan"]["reason"]


def test_running_again_runs_only_what_is_missing(tmp_path: Path, make_method: Any) -> None:
    log = tmp_path / "log.txt"
    bench = Bench(tmp_path, (make_method("counts", notes_start(log)),))
    bench.run(bench.plan(repeats=2))
    assert len(lines(log)) == 2
    assert bench.plan(repeats=2).missing == []
    plan = bench.plan(repeats=3)
    assert [cell.repeat for _key, cell in plan.missing] == [3]
    bench.run(plan)
    assert len(lines(log)) == 3
    assert len(bench.plan(repeats=3, fresh=True).missing) == 3
    bench.run(bench.plan(repeats=3, fresh=True))
    assert len(lines(log)) == 6
    assert len(list(bench.store.records())) == 3


def test_failures_are_tried_again(tmp_path: Path, make_method: Any) -> None:
    marker = tmp_path / "marker"
    body = f"if not Path({str(marker)!r}).exists(): raise ValueError('not yet')"
    bench = Bench(tmp_path, (make_method("heals", body),))
    assert bench.run(bench.plan()).exit_code == 1
    marker.touch()
    assert len(bench.plan().missing) == 2
    assert bench.run(bench.plan()).exit_code == 0
    assert bench.plan().missing == []


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path, make_method: Any) -> None:
    bench = Bench(tmp_path, (make_method("raises", "raise ValueError('no')"),))
    summary = bench.run(bench.plan(repeats=30), fail_fast=True)
    assert summary.exit_code == 1
    assert not summary.is_complete
    assert 1 <= len(list(bench.store.records())) < 30


def test_missing_data_are_skipped_until_they_are_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan(methods=["random_scores"], datasets=["fb15k-db15k", DATASET], repeats=1)
    assert set(plan.without_data) == {"fb15k-db15k"}
    summary = bench.run(plan)
    assert summary.n_by_status == {"ok": 1, "skipped": 1}
    assert summary.exit_code == 0


def test_records_of_changed_code_leave_the_tables(tmp_path: Path, make_method: Any) -> None:
    bench = Bench(tmp_path, (make_method("changes"),))
    bench.run(bench.plan())
    old = {record.key for record in bench.store.records()}
    assert stale_keys(bench.store, bench.plan().cells) == []
    make_method("changes", "pass")
    plan = bench.plan()
    assert stale_keys(bench.store, plan.cells) == sorted(old)
    folder = set_aside(bench.store, old)
    assert {path.stem for path in folder.glob("*.json")} == old
    bench.run(plan)
    assert {record.key for record in bench.store.records()} == {key for key, _ in plan.cells}


def test_jobs_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    bench = Bench(tmp_path)
    plan = bench.plan(methods=["random_scores"])
    shares = [jobs_of(plan, Place(tmp_path, tmp_path, n_jobs=n))[0].threads for n in (1, 2, 10_000)]
    assert shares[0] >= shares[1] >= shares[2] == 1


@pytest.mark.parametrize(("said", "n_threads"), [("1", 1), ("3", 3), ("64", 8), ("0", 8), ("x", 8)])
def test_a_cell_takes_no_more_threads_than_the_user_says(
    said: str, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "n_cores", lambda: 16)
    assert machine.threads_of_cell(2, {"OMP_NUM_THREADS": said}) == n_threads


def test_the_hard_limit_leaves_time_to_end_in_order() -> None:
    assert hard_limit_s(1.0) == 3.0
    assert hard_limit_s(50.0) == 55.0
    assert hard_limit_s(3600.0) == 3610.0


def command(tmp_path: Path, method: Path, out: str, repeats: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mmea_bench.bench", "run", "--no-report", "--methods", "counts"),
        *("--datasets", DATASET, "--repeats", str(repeats), "--method-file", str(method)),
        *("--out", str(tmp_path / out), "--cache-dir", str(tmp_path / "cache"), "--jobs", "2"),
        *("--device", "cpu"),
    ]


def run_to_end(arguments: list[str]) -> None:
    subprocess.run(arguments, check=True, capture_output=True)


def wait_for_records(folder: Path, count: int) -> None:
    limit = time.monotonic() + 120
    while len(list((folder / "cells").glob("*.json"))) < count:
        assert time.monotonic() < limit, "the run made no records"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        # A killed process whose parent is gone stays as a zombie where nothing reaps it.
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def assert_nothing_runs(pids: list[int]) -> None:
    limit = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < limit, "a training outlived its runner"
        time.sleep(0.05)


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()]


def numbers(folder: Path) -> set[str]:
    return set((folder / "results.csv").read_text(encoding="utf-8").splitlines())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a thing of POSIX")
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, make_method: Any) -> None:
    log = tmp_path / "log.txt"
    slow = make_method("counts", notes_start(log, "time.sleep(0.4)"))
    runner = subprocess.Popen(command(tmp_path, slow, "broken", 8), stderr=subprocess.DEVNULL)
    wait_for_records(tmp_path / "broken", 2)
    runner.kill()
    assert runner.wait() == -signal.SIGKILL
    assert_nothing_runs([int(pid) for pid, _seed in lines(log)])
    done_before = {path.name: path.read_bytes() for path in cells(tmp_path / "broken")}
    seeds_before = [str(record.cell["rng_seed"]) for record in records(tmp_path / "broken")]

    run_to_end(command(tmp_path, slow, "broken", 8))
    after = {path.name: path.read_bytes() for path in cells(tmp_path / "broken")}
    assert len(after) == 8
    assert done_before.items() <= after.items()
    # What had a record was not computed again.
    computed = Counter(seed for _pid, seed in lines(log))
    assert len(computed) == 8
    assert len(seeds_before) == len(done_before) >= 2
    assert all(computed[seed] == 1 for seed in seeds_before)

    run_to_end(command(tmp_path, slow, "whole", 8))
    assert numbers(tmp_path / "broken") == numbers(tmp_path / "whole")


def records(folder: Path) -> list[Record]:
    return list(ResultStore(folder).records())


def cells(folder: Path) -> list[Path]:
    return sorted((folder / "cells").glob("*.json"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are a thing of POSIX")
def test_an_interrupt_stops_in_order_and_says_how_to_go_on(
    tmp_path: Path, make_method: Any
) -> None:
    log = tmp_path / "log.txt"
    slow = make_method("counts", notes_start(log, "time.sleep(0.6)"))
    arguments = command(tmp_path, slow, "out", 20)
    runner = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for_records(tmp_path / "out", 2)
    # As Ctrl-C in a terminal does: to the whole group, the server of processes included.
    os.killpg(runner.pid, signal.SIGINT)
    _output, errors = runner.communicate(timeout=30)
    assert runner.returncode == 130
    assert "Run the same command again to go on" in errors
    assert "Traceback" not in errors
    assert_nothing_runs([int(pid) for pid, _seed in lines(log)])
    assert 2 <= len(cells(tmp_path / "out")) < 20
    assert (tmp_path / "out" / "results.csv").is_file()


def test_a_cell_above_its_memory_limit_is_killed(tmp_path: Path, make_method: Any) -> None:
    body = "hoard = [torch.ones(2_000_000) for _ in range(400)]; time.sleep(60)"
    bench = Bench(tmp_path, (make_method("hoards", body),))
    bench.place = replace(bench.place, memory_limit_mib=1200.0)
    bench.run(bench.plan(methods=["hoards", "random_scores"], repeats=1))
    rows = bench.rows()
    assert rows["hoards"]["status"] == "out_of_memory"
    assert "more than 1.17 GiB" in rows["hoards"]["reason"]
    assert rows["random_scores"]["status"] == "ok"


def test_data_that_change_during_a_run_fail_the_cell(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = bench.plan(methods=["random_scores"], repeats=1)
    jobs = [replace(job, dataset_version="0" * 12) for job in jobs_of(plan, bench.place)]
    run_jobs(jobs, bench.store, SilentProgress(), RunSettings())
    (row,) = bench.rows().values()
    assert row["status"] == "failed"
    assert "have changed since the run was planned" in row["reason"]
