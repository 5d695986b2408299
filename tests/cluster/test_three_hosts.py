"""The quick suite on three hosts: as a serial run, also when a worker dies or a host is cut off.

The hosts are network namespaces with addresses of their own (``three_hosts.sh``); scheduler,
workers and runner are started on them as users start them. Needs root and iproute2. The suite is
cut down unless ``MMEA_TEST_WHOLE_SUITE`` is set.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from mmea_bench.results.core.store import ResultStore
from tests.cases.small_methods import notes_start, random_method

SCRIPT = str(Path(__file__).with_name("three_hosts.sh"))
NAME = f"mm{os.getpid() % 10_000}"
FIRST, SECOND, THIRD = (f"{NAME}-{number}" for number in (1, 2, 3))
SCHEDULER = "tcp://10.213.0.1:8786"
START_LIMIT_S = 300.0
RUN_LIMIT_S = 900.0

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("MMEA_TEST_CLUSTER"),
        reason="takes many minutes and root: set MMEA_TEST_CLUSTER=1",
    ),
    pytest.mark.slow,
    pytest.mark.timeout(2 * RUN_LIMIT_S),
]

# What a user sets who wants lost hosts to be missed soon; docs/clusters.md explains it.
SETTINGS = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s",
}
WHOLE = ["--methods", "slow,random_scores,name_match,transe,gcn_align,eva,mclea"]
CUT_DOWN = [
    *("--methods", "slow,random_scores,name_match,gcn_align"),
    *("--datasets", "synthetic[n=100]", "--repeats", "2", "--set", "*.epochs=6"),
]


def why_not() -> str:
    """Why hosts cannot be made here; empty if they can."""
    if shutil.which("ip") is None:
        return "there is no iproute2"
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    made = subprocess.run([SCRIPT, "up", NAME], capture_output=True, text=True)
    subprocess.run([SCRIPT, "down", NAME], capture_output=True)
    return f"no network namespaces: {made.stderr.strip()}" if made.returncode else ""


class Hosts:
    """Three hosts with a scheduler on the first and a worker on each of the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log, self.seconds = folder / "starts.txt", folder / "seconds.txt"
        self.seconds.write_text("0.1")
        self.method = folder / "slow.py"
        wait = f"time.sleep(float(Path({str(self.seconds)!r}).read_text()))"
        body = notes_start(self.log, wait, 'os.environ["HOST_NAME"]')
        self.method.write_text(random_method(body), encoding="utf-8")
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Hosts:
        subprocess.run([SCRIPT, "up", NAME], check=True)
        self.start(FIRST, ["-m", "dask", "scheduler", "--host", "10.213.0.1", "--no-dashboard"])
        for host in (SECOND, THIRD):
            self.start_worker(host)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([SCRIPT, "down", NAME], check=True)
        for process in self._started:
            process.wait()

    def start_worker(self, host: str) -> subprocess.Popen[bytes]:
        words = ["-m", "dask", "worker", SCHEDULER, "--nworkers", "1", "--nthreads", "1"]
        more = ["--preload", "mmea_bench.bench.clusters.remote", "--no-dashboard"]
        return self.start(host, [*words, *more])

    def start(self, host: str, words: list[str]) -> subprocess.Popen[bytes]:
        """Starts a program in Python on a host; each has its own folders there."""
        home = self.folder / host
        home.mkdir(exist_ok=True)
        own = {"MMEA_CACHE": str(home / "cache"), "HOST_NAME": host}
        with (home / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [SCRIPT, "on", host, sys.executable, *words],
                stdout=log,
                stderr=log,
                cwd=home,
                env={**os.environ, **SETTINGS, **own},
            )
        self._started.append(process)
        return process

    def run_suite(self, out: str) -> subprocess.Popen[bytes]:
        return self.start(FIRST, [*command(self, out), "--scheduler", SCHEDULER])

    def starts(self) -> list[tuple[str, str]]:
        """Host and seed of every slow training that has begun."""
        if not self.log.exists():
            return []
        rows = (line.split() for line in self.log.read_text(encoding="utf-8").splitlines())
        return [(host, seed) for host, seed in rows]

    def wait_for_starts(self, is_reached: Callable[[list[tuple[str, str]]], bool]) -> None:
        limit = time.monotonic() + START_LIMIT_S
        while not is_reached(self.starts()):
            assert time.monotonic() < limit, f"{self.starts()}\n{self.logs()}"
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(path.read_text("utf-8") for path in self.folder.glob("*/log.txt"))


def command(hosts: Hosts, out: str) -> list[str]:
    words = ["-m", "mmea_bench.bench", "run", "--suite", "quick", "--json", "--device", "cpu"]
    words += WHOLE if os.environ.get("MMEA_TEST_WHOLE_SUITE") else CUT_DOWN
    return [*words, "--method-file", str(hosts.method), "--out", str(hosts.folder / out)]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Hosts(tmp_path_factory.mktemp("hosts")) as running:
        yield running


@pytest.fixture(scope="module")
def serial(hosts: Hosts) -> str:
    """The results of a serial run."""
    runner = hosts.start(SECOND, command(hosts, "serial"))
    assert runner.wait(RUN_LIMIT_S) == 0, hosts.logs()
    return results(hosts, "serial")


def results(hosts: Hosts, out: str) -> str:
    return (hosts.folder / out / "results.csv").read_text(encoding="utf-8")


def assert_as_serial(hosts: Hosts, out: str, serial: str) -> None:
    assert results(hosts, out) == serial
    records = list(ResultStore(hosts.folder / out).records())
    assert {record.cell["status"] for record in records} == {"ok"}
    cells = ("method", "variant", "dataset", "seed_ratio", "repeat")
    keys = Counter(tuple(record.cell[name] for name in cells) for record in records)
    assert set(keys.values()) == {1}


def n_repeated(hosts: Hosts, n_before: int) -> int:
    """Slow trainings of a run that began more than once; each at most twice."""
    counts = Counter(seed for _host, seed in hosts.starts()[n_before:])
    assert max(counts.values()) <= 2
    return sum(count == 2 for count in counts.values())


def test_three_hosts_give_the_results_of_one(hosts: Hosts, serial: str) -> None:
    assert hosts.run_suite("plain").wait(RUN_LIMIT_S) == 0, hosts.logs()
    assert_as_serial(hosts, "plain", serial)


def test_a_killed_worker_changes_nothing(hosts: Hosts, serial: str) -> None:
    hosts.seconds.write_text("3")
    before = len(hosts.starts())
    runner = hosts.run_suite("killed")
    hosts.wait_for_starts(lambda starts: len(starts) > before)
    lost, _seed = hosts.starts()[before]
    pids = subprocess.check_output(["ip", "netns", "pids", lost], text=True)
    for pid in pids.split():  # nanny, worker and cell, as when a machine is switched off
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    hosts.start_worker(lost)
    assert runner.wait(RUN_LIMIT_S) == 0, hosts.logs()
    assert_as_serial(hosts, "killed", serial)
    assert n_repeated(hosts, before) <= 2


def test_a_host_cut_off_and_late_changes_nothing(hosts: Hosts, serial: str) -> None:
    hosts.seconds.write_text("10")
    before = len(hosts.starts())
    runner = hosts.run_suite("cut")
    hosts.wait_for_starts(lambda starts: len(starts) > before)
    lost, seed = hosts.starts()[before]
    subprocess.run([SCRIPT, "cut", lost], check=True)
    try:
        # Its cell runs elsewhere, while the cut-off host still works on it.
        hosts.wait_for_starts(lambda starts: (other_than(lost), seed) in starts[before:])
    finally:
        subprocess.run([SCRIPT, "join", lost], check=True)
    assert runner.wait(RUN_LIMIT_S) == 0, hosts.logs()
    assert_as_serial(hosts, "cut", serial)
    # The cell that ran there, and perhaps the one that was waiting behind it.
    assert 1 <= n_repeated(hosts, before) <= 2


def other_than(host: str) -> str:
    return THIRD if host == SECOND else SECOND
