"""How much of what was asked of a results folder is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmea_bench.results.core.plans.completeness import Counts, completeness
from mmea_bench.results.core.plans.plan_file import planned_cells
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.reports.reports_factory import make_record

NINE = {
    f"{method}{repeat}": {"method": method, "variant": "full", "repeat": repeat}
    for method in ("eva", "mclea", "transe")
    for repeat in (1, 2, 3)
}


def row(key: str, status: str = "ok") -> dict[str, object]:
    return {"key": key, "status": status, **NINE.get(key, {"method": "other"})}


def test_a_cell_without_a_record_is_missing() -> None:
    found = completeness(NINE, [row("eva1"), row("mclea1"), row("transe1", "timeout")])
    assert found.counts() == Counts(planned=9, done=2, failed=1, missing=6)
    assert found.counts().sentence() == "2 of 9 cells done, 1 failed, 6 missing"
    assert found.counts(method="eva") == Counts(planned=3, done=1, missing=2)
    assert not found.counts(method="eva").is_complete


def test_a_method_of_which_nothing_is_there_is_named() -> None:
    found = completeness(NINE, [row("eva1"), row("eva2"), row("eva3")])
    assert found.by("method") == {
        ("eva",): Counts(planned=3, done=3),
        ("mclea",): Counts(planned=3, missing=3),
        ("transe",): Counts(planned=3, missing=3),
    }
    assert [words["repeat"] for words in found.words("missing", method="mclea")] == [1, 2, 3]


def test_a_skipped_cell_is_neither_done_nor_a_gap() -> None:
    found = completeness({"eva1": NINE["eva1"]}, [row("eva1", "skipped")])
    assert found.counts() == Counts(planned=1, skipped=1)
    assert found.counts().is_complete


def test_records_that_no_plan_names_were_asked_for_once() -> None:
    found = completeness({}, [row("x")])
    assert (found.counts(), found.has_plan) == (Counts(planned=1, done=1), False)


def test_the_tables_of_a_folder_know_its_plan(tmp_path: Path) -> None:
    record = make_record("mclea", 0.4)
    ResultStore(tmp_path).write(record)
    words = {name: record.cell[name] for name in ("method", "variant", "dataset", "repeat")}
    cells = {record.key: words, "other": {**words, "repeat": 2}}
    (tmp_path / "plan.json").write_text(json.dumps({"keys": [], "done": [], "cells": cells}))
    found = read_tables(tmp_path).completeness
    assert found.counts(method="mclea") == Counts(planned=2, done=1, missing=1)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"cells": 3}', '{"keys": 3}', '{"cells": {"a": 1}}']
)
def test_a_plan_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    assert planned_cells(tmp_path) == {}


def test_a_plan_of_keys_alone_counts(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"keys": ["a", "b"], "done": []}')
    assert completeness(planned_cells(tmp_path), []).counts() == Counts(planned=2, missing=2)
