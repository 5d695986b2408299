"""Suites of transformed datasets, and cells that run on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, jobs_of, make_plan
from mmea_bench.datasets.core.transforms.catalogue import plain_address
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

PLAIN = "synthetic[n=120]"


def _records(folder: Path, *datasets: str) -> list[Record]:
    changes = {
        "methods": ["gcn_align"],
        "datasets": list(datasets),
        "repeats": 1,
        "use_test_params": True,
    }
    place = Place(None, folder / "cache", "cpu")
    plan = make_plan(load_suite(None, changes), ResultStore(folder / "results"), place)
    return [execute_cell(job) for job in jobs_of(plan, place)]


@pytest.mark.parametrize(
    "name", ["missing-modality", "noisy-seeds", "noisy-features", "name-ablation", "dangling"]
)
def test_a_suite_holds_the_plain_dataset_against_changed_ones(name: str) -> None:
    suite = load_suite(name)
    plain, *changed = suite.datasets
    assert "[" not in plain
    assert changed
    assert {plain_address(dataset) for dataset in changed} == {plain}


def test_points_of_a_curve_share_their_random_numbers(tmp_path: Path) -> None:
    plain, changed = _records(tmp_path, PLAIN, "synthetic[image_ratio=0.4,n=120]")
    for name in ("split_seed", "rng_seed", "n_test"):
        assert plain.cell[name] == changed.cell[name]
    assert changed.cell["dataset"] == "synthetic[image_ratio=0.4,n=120]"
    assert changed.cell["dataset_version"] != plain.cell["dataset_version"]
    assert changed.key != plain.key


def test_a_cell_says_that_its_seeds_are_wrong(tmp_path: Path) -> None:
    plain, noisy = _records(tmp_path, PLAIN, "synthetic[n=120,seed_noise=0.5]")
    n_train = noisy.cell["n_train"]
    assert n_train == plain.cell["n_train"]
    note = f"{round(0.5 * n_train)} of {n_train} training seed links are wrong on purpose"
    assert note in noisy.cell["notes"]
    assert "on purpose" not in (plain.cell["notes"] or "")


def test_what_a_dataset_lacks_skips_its_cells(tmp_path: Path) -> None:
    (record,) = _records(tmp_path, "synthetic[n=120,name_noise=0.2,text=false]")
    assert record.cell["status"] == "skipped"
    assert "lacks the modality 'name'" in record.cell["reason"]
