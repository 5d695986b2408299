"""Runs cells for half an hour and watches the runner: memory, processes, open files, records.

    python -m tests.faults.soak [--minutes 30] [--jobs 2] [--figure soak.png]

Good cells, cells that raise, cells whose process dies and cells that hang take turns. At the end:
no process may be left, every record must be valid, and the runner's memory must not grow: the mean
of the last third may be at most 5 % and 20 MiB above that of the second one (the first third holds
what is loaded at the start).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import psutil
from matplotlib.figure import Figure

from mmea_bench.results.core.store import ResultStore
from tests.cases.small_methods import random_method

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE_S = 5.0
METHODS = {
    "good": "time.sleep(0.3)",
    "raises": "raise ValueError('no luck')",
    "dies": "os._exit(3)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "time.sleep(600)",
}


@dataclass(frozen=True)
class Sample:
    """The runner at one moment.

    Attributes:
        minute: Since the start.
        memory_mib: Resident memory.
        n_children: Its processes, whatever they do.
        n_files: Open files and connections.
    """

    minute: float
    memory_mib: float
    n_children: int
    n_files: int


def main() -> int:
    """Prints the figures; 0 if nothing leaks."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mmea-soak-") as scratch:
        folder = Path(scratch)
        runner = _start(folder, options.jobs)
        samples = _watch(runner, options.minutes)
        family = psutil.Process(runner.pid).children(recursive=True)
        runner.send_signal(signal.SIGTERM)
        runner.wait(timeout=60)
        left = [process.pid for process in psutil.wait_procs(family, timeout=10)[1]]
        store = ResultStore(folder / "out")
        statuses = Counter(record.cell["status"] for record in store.records())
    _draw(samples, options.figure)
    third = len(samples) // 3
    middle = fmean(sample.memory_mib for sample in samples[third : 2 * third])
    late = fmean(sample.memory_mib for sample in samples[2 * third :])
    print(f"{sum(statuses.values())} records: {dict(statuses)}; invalid: {len(store.problems)}")
    print(f"Runner: {middle:.1f} MiB in the second third, {late:.1f} MiB in the last")
    print(f"Children: at most {max(sample.n_children for sample in samples)}; left over: {left}")
    files = [sample.n_files for sample in samples]
    print(f"Open files: {files[third]} after a third, {files[-1]} at the end. {options.figure}")
    grows = late > 1.05 * middle + 20.0 or files[-1] > files[third] + 20
    return 1 if grows or left or store.problems else 0


def _start(folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    words = ["run", "--methods", ",".join(METHODS), "--datasets", "synthetic[n=100]"]
    words += ["--seed-ratios", "0.3", "--repeats", "5000", "--timeout", "1"]
    words += ["--jobs", str(jobs), "--out", str(folder / "out"), "--json"]
    words += ["--cache-dir", str(folder / "cache")]
    for name, body in METHODS.items():
        path = folder / f"{name}.py"
        path.write_text(random_method(body), encoding="utf-8")
        words += ["--method-file", str(path)]
    return subprocess.Popen(
        [sys.executable, "-m", "mmea_bench.bench", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _watch(runner: subprocess.Popen[bytes], minutes: float) -> list[Sample]:
    process = psutil.Process(runner.pid)
    began = time.monotonic()
    samples = []
    while (passed := time.monotonic() - began) < 60.0 * minutes and runner.poll() is None:
        samples.append(
            Sample(
                passed / 60.0,
                process.memory_info().rss / 2**20,
                len(process.children(recursive=True)),
                process.num_fds(),
            )
        )
        time.sleep(SAMPLE_S)
    return samples


def _draw(samples: list[Sample], path: Path) -> None:
    figure = Figure(figsize=(5.0, 3.0), layout="constrained")
    memory, processes = figure.subplots(2, 1, sharex=True)
    minutes = [sample.minute for sample in samples]
    memory.plot(minutes, [sample.memory_mib for sample in samples])
    memory.set_ylabel("runner, MiB")
    memory.set_ylim(bottom=0.0)
    processes.plot(minutes, [sample.n_children for sample in samples])
    processes.set_ylabel("processes")
    processes.set_ylim(bottom=0.0)
    processes.set_xlabel("minutes")
    figure.savefig(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--figure", type=Path, default=Path("soak.png"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
