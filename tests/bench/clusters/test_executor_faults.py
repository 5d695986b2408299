"""What breaks in a Dask cluster while a suite runs: no cell is lost and none is counted twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from distributed import Client

from mmea_bench.bench.clusters.executor import DaskExecutor
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, jobs_of, make_plan
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.running.runner import RunSettings, RunSummary, run_jobs
from mmea_bench.results.core.store import ResultStore
from tests.cases.dask_cluster import DaskCluster
from tests.cases.small_methods import notes_start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are a thing of POSIX")

DATASET = "synthetic[n=100]"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("faults")) as running:
        running.start_worker("first")
        yield running


@pytest.fixture(scope="module")
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address) as connected:
        connected.wait_for_workers(1, timeout=60)
        yield connected


def jobs(folder: Path, method: Path, repeats: int) -> list[Job]:
    place = Place(folder, folder / "cache", "cpu", (method,))
    suite = load_suite(None, {"datasets": [DATASET], "repeats": repeats}, None, (method,))
    return jobs_of(make_plan(suite, ResultStore(folder / "out"), place), place)


def run(
    folder: Path, cells: list[Job], client: Client, progress: SilentProgress | None = None
) -> RunSummary:
    settings = RunSettings(executor=DaskExecutor(client, wait_s=2.0))
    store = ResultStore(folder / "out")
    return run_jobs(cells, store, progress or SilentProgress(), settings)


def starts(log: Path) -> list[tuple[int, int]]:
    """Process and seed of every training that has begun."""
    if not log.exists():
        return []
    rows = (line.split() for line in log.read_text(encoding="utf-8").splitlines())
    return [(int(pid), int(seed)) for pid, seed in rows]


def wait_for_starts(log: Path, count: int) -> None:
    limit = time.monotonic() + 120
    while len(starts(log)) < count:
        assert time.monotonic() < limit, "no cell has started"
        time.sleep(0.05)


def assert_ends(pids: list[int]) -> None:
    limit = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < limit, "a training outlived its run"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def statuses(folder: Path) -> list[str]:
    return [record.cell["status"] for record in ResultStore(folder / "out").records()]


def command(folder: Path, method: Path, address: str) -> list[str]:
    return [
        *(sys.executable, "-m", "mmea_bench.bench", "run", "--no-report"),
        *("--method-file", str(method)),
        *("--datasets", DATASET, "--repeats", "5", "--device", "cpu", "--scheduler", address),
        *("--out", str(folder / "out"), "--cache-dir", str(folder / "cache")),
    ]


def test_a_cell_larger_than_every_worker_is_tried(
    tmp_path: Path, make_method: Any, cluster: DaskCluster, client: Client
) -> None:
    worker = cluster.start_worker("small", arguments=["--resources", "MEMORY=1e6 GPU=1"])
    client.wait_for_workers(2, timeout=60)
    try:
        cells = [replace(job, memory_mib=1e6) for job in jobs(tmp_path, make_method("large"), 1)]
        assert run(tmp_path, cells, client).n_by_status == {"ok": 1}
    finally:
        stop(worker, client, left=1)


def test_a_worker_without_the_program_leaves_its_cells_to_the_others(
    tmp_path: Path, make_method: Any, cluster: DaskCluster, client: Client
) -> None:
    broken = tmp_path / "broken" / "mmea_bench"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('half installed')", encoding="utf-8")
    worker = cluster.start_worker("bare", {"PYTHONPATH": str(broken.parent)})
    client.wait_for_workers(2, timeout=60)
    try:
        summary = run(tmp_path, jobs(tmp_path, make_method("own"), 4), client)
        assert summary.n_by_status == {"ok": 4}
    finally:
        stop(worker, client, left=1)


def stop(worker: subprocess.Popen[bytes], client: Client, left: int) -> None:
    worker.kill()
    worker.wait()
    limit = time.monotonic() + 30
    while len(client.scheduler_info(n_workers=-1)["workers"]) > left:
        assert time.monotonic() < limit, "the scheduler did not miss the worker"
        time.sleep(0.05)


class KillsAfterFirst(SilentProgress):
    """Kills a worker as soon as the first cell has ended."""

    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        self._worker = worker

    def cell_ended(self, *_: object) -> None:
        self._worker.kill()


def test_the_cell_of_a_killed_worker_runs_elsewhere(
    tmp_path: Path, make_method: Any, cluster: DaskCluster, client: Client
) -> None:
    log = tmp_path / "log.txt"
    cells = jobs(tmp_path, make_method("counts", notes_start(log, "time.sleep(0.7)")), 6)
    worker = cluster.start_worker("victim")
    client.wait_for_workers(2, timeout=60)
    summary = run(tmp_path, cells, client, KillsAfterFirst(worker))
    assert summary.n_by_status == {"ok": 6}
    assert statuses(tmp_path) == ["ok"] * 6
    seeds = Counter(seed for _pid, seed in starts(log))
    assert len(seeds) == 6
    assert sum(seeds.values()) <= 7  # only the cell that the worker was running
    assert_ends([pid for pid, _seed in starts(log)])
    stop(worker, client, left=1)


def test_an_interrupt_ends_the_workers_cell_too(
    tmp_path: Path, make_method: Any, cluster: DaskCluster, client: Client
) -> None:
    log = tmp_path / "log.txt"
    method = make_method("waits", notes_start(log, "time.sleep(600)"))
    runner = subprocess.Popen(
        command(tmp_path, method, cluster.address), stderr=subprocess.PIPE, text=True
    )
    wait_for_starts(log, 1)
    runner.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _output, errors = runner.communicate(timeout=30)
    assert time.monotonic() - asked < 10
    assert runner.returncode == 130
    assert "Run the same command again to go on" in errors
    assert "Traceback" not in errors
    assert_ends([pid for pid, _seed in starts(log)])
    assert statuses(tmp_path) == []


def test_without_workers_the_run_ends_with_a_sentence(tmp_path: Path, make_method: Any) -> None:
    with DaskCluster(tmp_path) as empty, Client(empty.address) as client:
        summary = run(tmp_path, jobs(tmp_path, make_method("own"), 1), client)
    assert summary.exit_code == 1
    assert "has had no worker for 2 s. Start some with `dask worker tcp://" in summary.problem
    assert statuses(tmp_path) == []


def test_a_run_goes_on_after_its_scheduler_is_gone(
    tmp_path: Path, make_method: Any, cluster: DaskCluster, client: Client
) -> None:
    log = tmp_path / "log.txt"
    method = make_method("counts", notes_start(log, "time.sleep(0.4)"))
    with DaskCluster(tmp_path) as doomed:
        doomed.start_worker("worker")
        runner = subprocess.Popen(
            command(tmp_path, method, doomed.address),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for_starts(log, 3)
        doomed.scheduler.kill()
        _output, errors = runner.communicate(timeout=60)
        assert runner.returncode == 1
        assert errors.splitlines()[-1].startswith("Error: The Dask scheduler tcp://")
        assert "run the same command again to go on" in errors
        assert "Traceback" not in errors
        assert_ends([pid for pid, _seed in starts(log)])
    done = {record.cell["rng_seed"] for record in ResultStore(tmp_path / "out").records()}
    assert 2 <= len(done) < 5
    assert run(tmp_path, jobs(tmp_path, method, 5), client).n_by_status == {"ok": 5 - len(done)}
    seeds = Counter(seed for _pid, seed in starts(log))
    assert len(seeds) == 5
    assert all(seeds[seed] == 1 for seed in done)
