"""What a worker and a scheduler of a cluster do with cells, without a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from mmea_bench.bench.clusters.remote import Errand, _at_home, _n_allotted_cores
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.machine import n_cores


@pytest.mark.parametrize("name", ["SLURM_CPUS_PER_TASK", "NCPUS", "NSLOTS", "LSB_DJOB_NUMPROC"])
def test_a_batch_job_uses_the_cores_that_it_was_given(name: str) -> None:
    assert _n_allotted_cores({name: "1"}) == 1


@pytest.mark.parametrize("said", ["", "0", "many", "100000"])
def test_without_a_sensible_number_all_cores_are_used(said: str) -> None:
    assert _n_allotted_cores({"NSLOTS": said}) == n_cores()


def test_a_scheduler_that_gets_a_cell_does_not_load_pytorch() -> None:
    pytest.importorskip("distributed")
    code = "import sys, mmea_bench.bench.clusters.task; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_users_files_travel_by_their_content(tmp_path: Path) -> None:
    job = Job(
        cell=cast(Any, None),  # nothing of it is read here
        key="k",
        suite="s",
        data_root=None,
        cache_dir=tmp_path / "cache",
        device="cpu",
        method_files=(Path("/there/mine.py"),),
        dataset_files=(Path("/there/films.py"),),
    )
    errand = Errand(job, {"mine.py": b"a"}, {"films.py": b"b"})
    here = _at_home(errand, tmp_path / "scratch")
    assert [path.read_bytes() for path in (*here.method_files, *here.dataset_files)] == [b"a", b"b"]
    assert [path.name for path in here.dataset_files] == ["films.py"]
