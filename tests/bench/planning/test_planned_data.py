"""What a plan says of its data: files that may not be read, equal files under two addresses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, Plan, jobs_of, make_plan
from mmea_bench.bench.planning.requests.outlook import with_outlook
from mmea_bench.results.core.store import ResultStore
from tests.datasets.layouts import write_openea


def planned(tmp_path: Path, *datasets: Path | str) -> tuple[Plan, Place]:
    place = Place(tmp_path, tmp_path / "cache", "cpu")
    named = {"methods": ["random_scores"], "datasets": list(map(str, datasets)), "repeats": 1}
    suite = load_suite(None, {**named, "split": "random"}, tmp_path, ())
    return with_outlook(make_plan(suite, ResultStore(tmp_path / "results"), place)), place


def test_a_dataset_that_may_not_be_read_is_skipped_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_openea(tmp_path / "mine")
    plain = Path.open

    def opened(path: Path, *given: Any, **options: Any) -> Any:
        if path.name == "ent_links":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *given, **options)

    monkeypatch.setattr(Path, "open", opened)
    plan, place = planned(tmp_path, folder, "synthetic[n=100]")
    sentence = f"{folder / 'ent_links'}: cannot be read (Permission denied)."
    assert list(plan.without_data) == [str(folder)]
    assert plan.without_data[str(folder)].startswith(sentence)
    assert [cell.dataset for _, cell in plan.to_train] == ["synthetic[n=100]"]
    cells = {job.cell.dataset: execute_cell(job).cell for job in jobs_of(plan, place)}
    assert cells[str(folder)]["status"] == "skipped"
    assert cells[str(folder)]["reason"].startswith(sentence)
    assert cells["synthetic[n=100]"]["status"] == "ok"


def test_equal_files_under_two_addresses_are_pointed_out_once(tmp_path: Path) -> None:
    """Random splits depend on the address, so that the rows of the two are no repeats."""
    first = write_openea(tmp_path / "first")
    second = shutil.copytree(first, tmp_path / "second")
    other = write_openea(tmp_path / "other")
    path = other / "rel_triples_1"
    path.write_text(path.read_text(encoding="utf-8").replace("born", "bred"), encoding="utf-8")
    plan, _ = planned(tmp_path, first, second, other)
    version = plan.versions[str(first)]
    said = [remark for remarks in plan.remarks.values() for remark in remarks if "same" in remark]
    assert said == [
        f"{second}: the same files as {first} (version {version}) under another address, which "
        "gives other random splits."
    ]
    assert said[0] in plan.remarks[str(second)]


def test_two_datasets_without_data_are_not_called_the_same(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, "fb15k-db15k", "fb15k-yago15k")
    assert set(plan.without_data) == {"fb15k-db15k", "fb15k-yago15k"}
    assert not any("the same files" in remark for said in plan.remarks.values() for remark in said)
