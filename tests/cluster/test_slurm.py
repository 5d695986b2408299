"""The quick suite through the batch jobs of a real Slurm, started on this machine by ``slurm.sh``.

Needs root and Debian's packages slurm-wlm and munge; with ``MMEA_TEST_INSTALL_SLURM`` set they are
installed. The suite is cut down unless ``MMEA_TEST_WHOLE_SUITE`` is set.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue")

from mmea_bench.results.core.store import ResultStore

HERE = Path(__file__).parent
SCRIPT = str(HERE / "slurm.sh")
PROFILE = HERE / "slurm.toml"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
RUN_LIMIT_S = 900.0
CUT_DOWN = [
    *("--methods", "random_scores,name_match,gcn_align"),
    *("--datasets", "synthetic[n=100]", "--repeats", "2", "--set", "*.epochs=6"),
]

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("MMEA_TEST_CLUSTER"),
        reason="takes many minutes and root: set MMEA_TEST_CLUSTER=1",
    ),
    pytest.mark.slow,
    pytest.mark.timeout(RUN_LIMIT_S),
]


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment in which ``sbatch`` speaks to a Slurm of our own."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("starting a Slurm needs root")
    if os.environ.get("MMEA_TEST_INSTALL_SLURM"):
        subprocess.run([SCRIPT, "install"], check=True, capture_output=True)
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {missing[0]}: install slurm-wlm and munge, or set MMEA_TEST_INSTALL_SLURM")
    folder = tmp_path_factory.mktemp("slurm")
    ports = {"SLURMCTLD_PORT": str(free_port()), "SLURMD_PORT": str(free_port())}
    started = subprocess.run(
        [SCRIPT, "up", str(folder)], env={**os.environ, **ports}, stderr=subprocess.PIPE, text=True
    )
    try:
        if started.returncode:
            pytest.skip(f"Slurm cannot be started here: {started.stderr.strip()}")
        yield {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run([SCRIPT, "down", str(folder)], check=True)


def run_suite(folder: Path, out: str, environment: dict[str, str], *more: str) -> Path:
    words = [sys.executable, "-m", "mmea_bench.bench", "run", "--suite", "quick", "--json"]
    words += [] if os.environ.get("MMEA_TEST_WHOLE_SUITE") else CUT_DOWN
    words += ["--device", "cpu", "--cache-dir", str(folder / "cache"), "--out", str(folder / out)]
    done = subprocess.run(
        [*words, *more], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / out


def test_batch_jobs_give_the_results_of_a_serial_run(tmp_path: Path, slurm: dict[str, str]) -> None:
    on_slurm = run_suite(tmp_path, "slurm", slurm, "--profile", str(PROFILE))
    # With the one thread that batch jobs of one core have: more would add in another order.
    serial = run_suite(tmp_path, "serial", {**slurm, "OMP_NUM_THREADS": "1"})
    records = list(ResultStore(on_slurm).records())
    assert {record.cell["status"] for record in records} == {"ok"}
    results = (on_slurm / "results.csv").read_text(encoding="utf-8")
    assert results == (serial / "results.csv").read_text(encoding="utf-8")
    # Both workers were submitted; one may do all the work before the other has begun.
    assert any(tmp_path.glob("slurm-*.out"))
    assert_no_jobs(slurm)


def assert_no_jobs(slurm: dict[str, str]) -> None:
    limit = time.monotonic() + 60
    while subprocess.check_output(["squeue", "--noheader"], env=slurm, text=True).strip():
        assert time.monotonic() < limit, "batch jobs outlived the run"
        time.sleep(0.2)


def test_a_batch_job_that_slurm_refuses_is_one_sentence(
    tmp_path: Path, slurm: dict[str, str]
) -> None:
    profile = tmp_path / "profile.toml"
    text = PROFILE.read_text(encoding="utf-8")
    profile.write_text(text + 'queue = "nowhere"\n', encoding="utf-8")
    words = [sys.executable, "-m", "mmea_bench.bench", "run", "--methods", "random_scores"]
    done = subprocess.run(
        [*words, "--datasets", "synthetic[n=100]", "--profile", str(profile)],
        env=slurm,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "SLURMCluster could not submit its job" in done.stderr
    assert "invalid partition specified: nowhere" in done.stderr
    assert "Traceback" not in done.stderr
