"""Repeats that were made unlike are averaged with a note, and stand apart when asked."""

from __future__ import annotations

from typing import Any

import pytest

from mmea_bench.reports import low_resource, main_table
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.origins import kept_apart
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import ratio_records

OLD, NEW = '{"numpy": "2.0", "torch": "2.4"}', '{"numpy": "2.0", "torch": "2.5"}'


def repeats(*changes: dict[str, Any], method: str = "m") -> list[Record]:
    return [make_record(method, 0.4, repeat=number, **own) for number, own in enumerate(changes, 1)]


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ({"git_commit": "abc"}, {"git_commit": "def"}, "commits of the program: {}: abc (1), def"),
        ({"versions": OLD}, {"versions": NEW}, "library versions: {}: torch 2.4 (1), torch 2.5"),
        ({"device": "cpu"}, {"device": "cuda"}, "devices: {}: cpu (1), cuda"),
        ({"n_train": 90, "n_valid": 10}, {"n_train": 80}, "numbers of seed links: {}: 100 (1), 80"),
        ({"simulated_features": "image"}, {}, "simulated inputs: {}: image (1), none"),
    ],
)
def test_a_mean_over_unlike_repeats_says_so(
    first: dict[str, Any], second: dict[str, Any], sentence: str
) -> None:
    where = "m (full) on fb15k-db15k, 20 %, strict"
    (note,) = current_cells(tables_of(repeats(first, second))).notes
    assert note == f"Means over repeats of different {sentence.format(where)} (1)."
    document = main_table.build(tables_of(repeats(first, second)), ReportOptions())
    assert isinstance(document, Document)
    assert note in document.notes


def test_equal_repeats_are_not_worth_a_word() -> None:
    same = {"git_commit": "abc", "versions": OLD, "device": "cpu", "n_train": 90}
    assert current_cells(tables_of(repeats(same, same))).notes == ()


def test_methods_of_other_versions_stand_side_by_side_with_a_note() -> None:
    records = [
        *repeats({"versions": OLD}, {"versions": OLD}),
        *repeats({"versions": NEW}, method="other"),
    ]
    (note,) = current_cells(tables_of(records)).notes
    assert note == (
        "Side by side stand cells of different library versions: torch 2.4 (2), torch 2.5 (1)."
    )


def test_reports_of_one_method_note_their_own_rows() -> None:
    records = [
        Record.of({**record.cell, "device": f"gpu{record.cell['repeat']}"}, record.results)
        for record in ratio_records()
    ]
    document = low_resource.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(document, Document)
    assert any("Means over repeats of different devices" in note for note in document.notes)


def test_cells_of_other_versions_stand_apart_on_request() -> None:
    tables = tables_of(repeats({"versions": OLD}, {"versions": NEW}, {"versions": NEW}))
    current = current_cells(kept_apart(tables, ("versions",)))
    counts = current.tables.cells["protocol"].value_counts().to_dict()
    assert counts == {"strict[torch 2.4]": 1, "strict[torch 2.5]": 2}
    assert set(current.tables.results["protocol"]) == set(counts)
    assert not any("Means over" in note for note in current.notes)
    same = kept_apart(tables, ("device",))
    assert set(same.cells["protocol"]) == {"strict"}
