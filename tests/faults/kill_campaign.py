"""Kills a suite again and again at random moments; the final table must not change.

    python -m tests.faults.kill_campaign [--kills 50] [--seed 1] [--jobs 2] [--scheduler ADDRESS]

A suite of 40 cells runs once undisturbed. Then it runs again while, at random moments, its runner,
one of its cells' processes or the process that starts them is killed (SIGKILL), or the runner gets
SIGTERM; each time the same command is given again, until everything is done. The tables of both
must be equal, and no cell may be computed more often than it was in flight when something was
killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil

from mmea_bench.results.core.store import read_tables
from tests.cases.small_methods import notes_start, walking_method

ROOT = Path(__file__).resolve().parent.parent.parent
EARLY_SHARE = 0.2  # of the kills may come while the runner is still loading
TIMES = ["fit_s", "epoch_s", "eval_s", "peak_memory_mib", "started_at", "finished_at", "notes"]


class Suite:
    """A suite of 40 cells with its own folders.

    Args:
        folder: Where everything is written.
        starts: Every training that starts leaves a line in this file. All suites share it, since it
            stands in the text of the method, on which the keys depend.
        jobs: Cells at the same time.
        scheduler: Address of a Dask scheduler, None for this machine alone.
    """

    def __init__(self, folder: Path, starts: Path, jobs: int, scheduler: str | None) -> None:
        self.out = folder / "out"
        self._starts = starts
        starts.touch()
        self._n_before = self._n_lines()
        self.has_children = scheduler is None
        method = folder / "walk.py"
        folder.mkdir(parents=True)
        body = notes_start(starts)
        method.write_text(walking_method(epochs=12, body=body), encoding="utf-8")
        words = (
            f"run --methods walk,random_scores --method-file {method} --repeats 10 --jobs {jobs}"
        )
        words += f" --datasets synthetic[n=100],synthetic[n=120] --seed-ratios 0.3 --out {self.out}"
        words += f" --cache-dir {folder / 'cache'} --checkpoint-every 0.005 --json"
        words += f" --scheduler {scheduler}" if scheduler else ""
        self._command = [sys.executable, "-m", "mmea_bench.bench", *words.split()]

    def start(self) -> subprocess.Popen[bytes]:
        """The run, or what is left of it."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Results, cells and curves without what time changes."""
        found = read_tables(self.out)
        return found.results, found.cells.drop(columns=TIMES), found.curves

    def n_starts(self) -> int:
        """Trainings that have begun since this suite was made."""
        return self._n_lines() - self._n_before

    def _n_lines(self) -> int:
        return len(self._starts.read_text().splitlines())


def main() -> int:
    """Runs the campaign and prints what happened; 0 if the tables are equal."""
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="mmea-kills-") as scratch:
        common = (Path(scratch) / "starts", options.jobs, options.scheduler)
        calm = Suite(Path(scratch) / "calm", *common)
        began = time.monotonic()
        if calm.start().wait() != 0:
            print("The undisturbed run failed.")
            return 1
        n_starts = calm.n_starts()
        print(f"Undisturbed: {time.monotonic() - began:.1f} s, {n_starts} trainings")
        n_kills, rounds, wrong = Counter[str](), 0, []
        while n_kills.total() < options.kills:
            rounds += 1
            hit = Suite(Path(scratch) / f"hit-{rounds}", *common)
            kills, left_over = _disturb(hit, chance, options.kills - n_kills.total())
            n_kills += kills
            wrong += _differences(calm, hit)
            too_often = hit.n_starts() - n_starts
            if too_often > kills.total() * options.jobs:
                wrong.append(f"{too_often} trainings began again after {kills.total()} kills")
            wrong += [f"left over: {name}" for name in left_over]
            print(
                f"Round {rounds}: {json.dumps(dict(kills))}, {'; '.join(wrong) or 'equal tables'}"
            )
    print(f"{n_kills.total()} kills {json.dumps(dict(n_kills))} in {rounds} suites:")
    print("\n".join(wrong) or "every final table equals the undisturbed one")
    return 1 if wrong else 0


def _disturb(suite: Suite, chance: random.Random, n_most: int) -> tuple[Counter[str], list[str]]:
    """Kills until the suite is done; what was killed, and processes that outlived their runner."""
    kills: Counter[str] = Counter()
    left_over: list[str] = []
    while True:
        runner = suite.start()
        is_early = chance.random() < EARLY_SHARE
        moment = time.monotonic() + chance.uniform(0.5, 9.0)
        while runner.poll() is None and time.monotonic() < moment:
            if suite.has_children and not is_early and not _family(runner):
                moment += 0.02  # the clock starts with the first process of its own
            time.sleep(0.02)
        if runner.poll() is not None:
            if runner.returncode == 0:
                return kills, left_over
            continue  # a cell that was killed counts as failed; the next run tries it again
        if kills.total() < n_most:
            what, children = _kill_something(runner, chance)
            kills[what] += 1
        else:
            children = []
        if runner.wait(timeout=600) == 0:
            return kills, left_over
        _gone, alive = psutil.wait_procs(children, timeout=10)
        left_over += [process.name() for process in alive]


def _family(runner: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(runner.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill_something(
    runner: subprocess.Popen[bytes], chance: random.Random
) -> tuple[str, list[psutil.Process]]:
    """Kills the runner or one of its processes; returns what, and the runner's processes."""
    children = _family(runner)
    draw = chance.random()
    if 0.4 <= draw < 0.6:
        runner.send_signal(signal.SIGTERM)
        return "runner, in order", children
    if draw < 0.4 or not children:
        runner.kill()
        return "runner", children
    victim = chance.choice(children)
    try:
        victim.kill()
    except psutil.NoSuchProcess:
        return "a process that had just ended", []
    return "a process of a cell", []


def _differences(calm: Suite, hit: Suite) -> list[str]:
    wrong = []
    for name, whole, cut in zip(
        ("results", "cells", "curves"), calm.tables(), hit.tables(), strict=True
    ):
        try:
            pd.testing.assert_frame_equal(whole, cut, check_exact=True)
        except AssertionError as error:
            wrong.append(f"{name} differ: {' '.join(str(error).split())[:200]}")
    return wrong


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scheduler", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
