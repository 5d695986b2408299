"""Joining results folders loses no row and says where they disagree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.merge import merge_folders
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.reports.reports_factory import make_record


def fill(folder: Path, *records: object) -> Path:
    for record in records:
        ResultStore(folder).write(record)  # type: ignore[arg-type]
    return folder


def failed(method: str, **changes: object) -> object:
    return make_record(method, 0.0, status="failed", reason="no luck", **changes)


def test_folders_with_different_cells_give_all_of_them(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    second = fill(tmp_path / "b", make_record("eva", 0.3), make_record("eva", 0.3, repeat=2))
    merge = merge_folders([first, second], tmp_path / "out")
    assert (merge.n_records, merge.n_equal, merge.conflicts) == (3, 0, [])
    assert len(read_tables(tmp_path / "out").cells) == 3
    assert (tmp_path / "out" / "results.csv").is_file()


def test_equal_cells_count_once(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    second = fill(tmp_path / "b", make_record("mclea", 0.4, finished_at="2027-01-01T00:00:00Z"))
    merge = merge_folders([first, second], tmp_path / "out")
    assert (merge.n_records, merge.n_equal, merge.conflicts) == (1, 1, [])


def test_different_numbers_are_a_conflict_and_both_are_kept(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    second = fill(tmp_path / "b", make_record("mclea", 0.5))
    merge = merge_folders([first, second], tmp_path / "out")
    (conflict,) = merge.conflicts
    assert (conflict.kept, conflict.set_aside) == (first, second)
    assert "0.4 kept, 0.5 set aside" in conflict.difference
    (kept,) = ResultStore(tmp_path / "out").records()
    (aside,) = ResultStore(tmp_path / "out" / "conflicts" / "1").records()
    values = [record.results[0]["value"] for record in (kept, aside)]
    assert values == [0.4, 0.5]


def test_a_later_conflict_takes_the_place_of_none_before(tmp_path: Path) -> None:
    """The record set aside first lies in none of the folders of the second joint."""
    parts = {
        name: fill(tmp_path / name, make_record("mclea", score))
        for name, score in (("a", 0.4), ("b", 0.5), ("c", 0.6))
    }
    out = tmp_path / "out"
    merge_folders([parts["a"], parts["b"]], out)
    for _again in range(2):
        merge_folders([parts["c"]], out)
    aside = [
        record.results[0]["value"]
        for folder in sorted((out / "conflicts").iterdir())
        for record in ResultStore(folder).records()
    ]
    assert aside == [0.5, 0.6]


def test_a_cell_that_ended_ok_wins_over_one_that_failed(tmp_path: Path) -> None:
    ok = make_record("mclea", 0.4)
    first = fill(tmp_path / "a", failed("mclea", key=ok.key))
    second = fill(tmp_path / "b", ok)
    merge = merge_folders([first, second], tmp_path / "out")
    (record,) = ResultStore(tmp_path / "out").records()
    assert record.cell["status"] == "ok"
    assert "failed in" in merge.replaced[0]
    assert merge.conflicts == []


def test_joining_again_changes_nothing(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    second = fill(tmp_path / "b", make_record("eva", 0.5))
    merge_folders([first, second], tmp_path / "out")
    before = (tmp_path / "out" / "results.csv").read_bytes()
    merge = merge_folders([first, second], tmp_path / "out")
    assert (merge.n_records, merge.conflicts) == (2, [])
    assert (tmp_path / "out" / "results.csv").read_bytes() == before


def test_broken_records_are_named_and_left_where_they_are(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    torn = first / "cells" / "torn.json"
    torn.write_text("{")
    merge = merge_folders([first], tmp_path / "out")
    assert merge.n_records == 1
    assert "torn.json is left out" in merge.problems[0]
    assert torn.is_file()


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="holds no records"):
        merge_folders([tmp_path], tmp_path / "out")


def test_the_joint_must_not_be_one_of_the_parts(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    with pytest.raises(ResultsError, match="one of the folders"):
        merge_folders([first], first)


def test_one_content_under_two_addresses_is_pointed_out(tmp_path: Path) -> None:
    """Splits depend on the address: such numbers look like those of two datasets."""
    names = {"a": "./pair", "b": "/data/release3"}
    for key, dataset in names.items():
        ResultStore(tmp_path / key).write(make_record(key, 0.2, dataset=dataset))
    merge = merge_folders([tmp_path / key for key in names], tmp_path / "both")
    (sentence,) = merge.twins
    assert sentence.startswith(
        "./pair and /data/release3 are the same files (version aaaaaaaaaaaa)"
    )
    other = make_record("b", 0.2, dataset="x", dataset_version="b" * 12)
    ResultStore(tmp_path / "c").write(other)
    assert merge_folders([tmp_path / key for key in "ac"], tmp_path / "apart").twins == []


def test_printed_names_come_along_and_the_first_folder_s_count(tmp_path: Path) -> None:
    first = fill(tmp_path / "a", make_record("mclea", 0.4))
    second = fill(tmp_path / "b", make_record("eva", 0.3))
    for folder, names in (
        (first, {"methods": {"mclea": "Ours"}}),
        (second, {"methods": {"mclea": "MCLEA", "eva": "EVA"}, "datasets": {"x": "X"}}),
    ):
        (folder / "names.json").write_text(json.dumps(names))
    for _again in range(2):
        merge_folders([first, second], tmp_path / "out")
        assert json.loads((tmp_path / "out" / "names.json").read_text()) == {
            "methods": {"mclea": "Ours", "eva": "EVA"},
            "datasets": {"x": "X"},
        }
