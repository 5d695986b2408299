"""Cells on a Dask cluster: the numbers of a serial run, refusals with reasons, faults survived."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

from distributed import Client

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.clusters.executor import DaskExecutor
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, jobs_of, make_plan
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.running.runner import RunSettings, RunSummary, run_jobs
from mmea_bench.results.core.store import ResultStore
from tests.cases.dask_cluster import DaskCluster
from tests.datasets.layouts import lines

DATASET = "synthetic[n=100]"
FILES_DATASET = "fb15k-db15k"
PROJECT = Path(__file__).resolve().parents[3]
FOLDERS = ("bench", "datasets", "methods", "results")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[DaskCluster]:
    """Three workers: one is right, one has other data, one has other code and no data."""
    write_data(home / "data")
    other = write_data(home / "other_data", "/m/0 /r/near /m/7 .")
    with DaskCluster(home) as running:
        running.start_worker("right", {"MMEA_DATA": str(home / "data")})
        running.start_worker("other_data", {"MMEA_DATA": str(other)})
        running.start_worker(
            "other_code",
            {"MMEA_DATA": str(home / "nothing"), "PYTHONPATH": str(changed_copy(home / "code"))},
        )
        yield running


def write_data(root: Path, *more: str) -> Path:
    """A small pair in the raw MMKG layout; further triples make it another content."""
    ids = range(30)
    source = [f"/m/{i} /r/near /m/{(i + 1) % 30} ." for i in ids]
    target = [f"<http://t/{i}> <http://t/near> <http://t/{(i + 2) % 30}> ." for i in ids]
    lines(root / "FB15K" / "FB15K_EntityTriples.txt", [*source, *more])
    lines(root / "DB15K" / "DB15K_EntityTriples.txt", target)
    links = (f"/m/{i} <SameAs> <http://t/{i}> ." for i in ids)
    lines(root / "DB15K" / "DB15K_SameAsLink.txt", links)
    return root


def changed_copy(folder: Path) -> Path:
    """The program with one more comment in a method; on the path it hides the installed one."""
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("runs", "__pycache__")
        shutil.copytree(PROJECT / name, folder / "mmea_bench" / name, ignore=ignored)
    with (folder / "mmea_bench" / "methods" / "random_scores.py").open("a") as file:
        file.write("# another version\n")
    return folder


@pytest.fixture(scope="module")
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address) as connected:
        connected.wait_for_workers(3, timeout=60)
        yield connected


class Bench:
    """A results folder with the means to run suites in it, on a cluster and without one."""

    def __init__(self, folder: Path, data_root: Path, files: tuple[Path, ...] = ()) -> None:
        self.place = Place(data_root, folder / "cache", "cpu", files)
        self.store = ResultStore(folder / "out")

    def jobs(self, **changes: object) -> list[Any]:
        named = {"datasets": [DATASET], "repeats": 1, **changes}
        suite = load_suite(None, named, self.place.data_root, self.place.method_files)
        return jobs_of(make_plan(suite, self.store, self.place), self.place)

    def run(self, client: Client, **changes: object) -> RunSummary:
        settings = RunSettings(executor=DaskExecutor(client, wait_s=5.0))
        return run_jobs(self.jobs(**changes), self.store, SilentProgress(), settings)

    def rows(self) -> list[dict[str, Any]]:
        return [dict(record.cell) for record in self.store.records()]


def tables(store: ResultStore) -> dict[str, str]:
    store.write_tables()
    names = ("results.csv", "curves.csv")
    return {name: (store.folder / name).read_text(encoding="utf-8") for name in names}


def test_results_and_curves_are_those_of_a_serial_run(
    tmp_path: Path, make_method: Any, client: Client
) -> None:
    own = make_method("own")
    changes = {
        "methods": ["own", "name_match", "transe"],
        "repeats": 2,
        "set": {"transe.epochs": 4},
        "protocol": {"eval_every": 2},
    }
    on_cluster = Bench(tmp_path / "cluster", tmp_path, (own,))
    summary = on_cluster.run(client, **changes)
    assert (summary.problem, summary.n_by_status) == ("", {"ok": 6})
    serial = Bench(tmp_path / "serial", tmp_path, (own,))
    for job in serial.jobs(**changes):
        serial.store.write(execute_cell(job))
    assert tables(on_cluster.store) == tables(serial.store)
    assert "transe" in tables(serial.store)["curves.csv"]


def test_a_users_method_file_travels_to_the_workers(
    tmp_path: Path, make_method: Any, client: Client
) -> None:
    own = make_method("tells_its_file", "raise ValueError(f'I lie at {__file__}')")
    bench = Bench(tmp_path, tmp_path, (own,))
    bench.run(client)
    (row,) = bench.rows()
    assert "tells_its_file.py" in row["reason"]
    assert str(own) not in row["reason"]


def test_workers_without_the_right_data_or_code_leave_a_cell_to_the_others(
    tmp_path: Path, home: Path, client: Client
) -> None:
    bench = Bench(tmp_path, home / "data")
    summary = bench.run(client, datasets=[FILES_DATASET], methods=["random_scores"], repeats=4)
    assert summary.n_by_status == {"ok": 4}
    assert len({row["dataset_version"] for row in bench.rows()}) == 1


def test_a_cell_that_nobody_can_run_names_every_reason(
    tmp_path: Path, home: Path, client: Client
) -> None:
    write_data(tmp_path / "third", "/m/0 /r/near /m/8 .")
    bench = Bench(tmp_path, tmp_path / "third")
    bench.run(client, datasets=[FILES_DATASET], methods=["random_scores"])
    (row,) = bench.rows()
    assert row["status"] == "failed"
    assert row["reason"].startswith("no worker can run it: ")
    assert row["reason"].count("has other content here") == 2
    assert str(home / "nothing") in row["reason"]


def test_data_that_nobody_has_are_skipped_as_in_a_serial_run(
    tmp_path: Path, home: Path, client: Client
) -> None:
    bench = Bench(tmp_path, tmp_path / "nothing")
    bench.run(client, datasets=[DATASET, "dbp15k-zh-en"], methods=["random_scores"])
    assert {row["dataset"]: row["status"] for row in bench.rows()} == {
        DATASET: "ok",
        "dbp15k-zh-en": "skipped",
    }
