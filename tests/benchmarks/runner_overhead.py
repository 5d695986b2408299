"""What a cell's own process costs: cells of chance level through the runner and in one process.

Run it with ``python tests/benchmarks/runner_overhead.py``. The target is under half a second.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, jobs_of, make_plan
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.running.runner import RunSettings, run_jobs
from mmea_bench.results.core.store import ResultStore

N_CELLS = 40


class StartTimes(SilentProgress):
    """Notes when cells end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def cell_ended(self, *_: object) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(None, Path(folder) / "cache", "cpu")
        changes = {
            "methods": ["random_scores"],
            "datasets": ["synthetic[n=100]"],
            "repeats": N_CELLS,
        }
        store = ResultStore(Path(folder) / "out")
        jobs = jobs_of(make_plan(load_suite(None, changes), store, place), place)
        for job in jobs[:2]:
            execute_cell(job)  # fills the cache
        started = time.perf_counter()
        for job in jobs:
            execute_cell(job)
        inside_s = (time.perf_counter() - started) / N_CELLS
        times = StartTimes()
        started = time.perf_counter()
        run_jobs(jobs, store, times, RunSettings())
        own_process_s = (times.ends[-1] - times.ends[0]) / (N_CELLS - 1)
        first_s = times.ends[0] - started
    print(f"in this process:       {inside_s:.3f} s per cell")
    print(f"in its own process:    {own_process_s:.3f} s per cell")
    print(f"overhead:              {own_process_s - inside_s:.3f} s per cell")
    print(f"start of the server:   {first_s - own_process_s:.3f} s, once per run")


if __name__ == "__main__":
    main()
