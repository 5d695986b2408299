"""What a cell costs besides its computation: serial, two at a time, and on a Dask cluster.

Run it with ``python tests/benchmarks/dask_overhead.py [N_CELLS]``. Cells of chance level on a pair
of 100 entities. The targets are 0.5 s serial and 1 s on Dask.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, jobs_of, make_plan
from mmea_bench.bench.running.executor import Executor
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.running.runner import RunSettings, run_jobs
from mmea_bench.results.core.store import ResultStore

N_CELLS = 20
N_WORKERS = 2


class EndTimes(SilentProgress):
    """Notes when cells end; the first ones load the libraries and do not count."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def cell_ended(self, *_: object) -> None:
        self.ends.append(time.perf_counter())

    def seconds_per_cell(self, n_first: int) -> float:
        return (self.ends[-1] - self.ends[n_first]) / (len(self.ends) - 1 - n_first)


def measure(folder: Path, n_cells: int, n_jobs: int, executor: Executor | None) -> float:
    """Seconds per cell, so many at a time."""
    place = Place(None, folder.parent / "cache", "cpu", n_jobs=n_jobs)
    changes = {"methods": ["random_scores"], "datasets": ["synthetic[n=100]"], "repeats": n_cells}
    store = ResultStore(folder)
    jobs = jobs_of(make_plan(load_suite(None, changes), store, place), place)
    times = EndTimes()
    run_jobs(jobs, store, times, RunSettings(n_jobs=n_jobs, executor=executor))
    return times.seconds_per_cell(2 * n_jobs)


def computation(folder: Path, n_cells: int) -> float:
    """Seconds per cell in this process, without any runner."""
    place = Place(None, folder.parent / "cache", "cpu")
    changes = {"methods": ["random_scores"], "datasets": ["synthetic[n=100]"], "repeats": n_cells}
    plan = make_plan(load_suite(None, changes), ResultStore(folder), place)
    jobs = jobs_of(plan, place)
    execute_cell(jobs[0])
    started = time.perf_counter()
    for job in jobs:
        execute_cell(job)
    return (time.perf_counter() - started) / n_cells


def measure_on_dask(folder: Path, n_cells: int, inside_s: float) -> None:
    """One worker, then all. Imported here: each cell's process loads this file's own imports."""
    from distributed import Client, LocalCluster

    from mmea_bench.bench.clusters.executor import DaskExecutor

    with (
        LocalCluster(n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for workers in (1, N_WORKERS):
            cluster.scale(workers)
            cluster.wait_for_workers(workers)
            seconds = measure(folder / f"dask{workers}", n_cells, workers, DaskExecutor(client))
            report(f"Dask, {workers} at a time", seconds, inside_s / workers)


def main() -> None:
    n_cells = int(sys.argv[1]) if len(sys.argv) > 1 else N_CELLS
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inside_s = computation(folder / "inside", n_cells)
        print(f"in this process: {inside_s:.3f} s per cell")
        report("serial", measure(folder / "serial", n_cells, 1, None), inside_s)
        report("--jobs 2", measure(folder / "jobs", n_cells, 2, None), inside_s / 2)
        measure_on_dask(folder, n_cells, inside_s)
    print(f"load after: {os.getloadavg()[0]:.1f}")


def report(name: str, seconds: float, inside_s: float) -> None:
    print(f"{name}: {seconds:.3f} s per cell, {seconds - inside_s:.3f} s of it overhead")


if __name__ == "__main__":
    main()
