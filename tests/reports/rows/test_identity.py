"""Settings and rules belong to what a cell is: means are over repeats of one thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmea_bench.reports import main_table
from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.identity import protocol_name, with_protocol_settings
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.results.core.merge import merge_folders
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record, own_numbers

OPTIONS = ReportOptions(csls=0, metrics=("hits@1",))


def settings(**changes: Any) -> str:
    told = {"candidates": "test", "csls": [0], "patience": 5, "tie_rule": "realistic"}
    return json.dumps({**told, **changes})


def scored(name: str, scores: tuple[float, ...], **changes: Any) -> list[Record]:
    """Repeats of one method, scored among the candidates that their settings say."""
    cell = {"all_csls": (0,), "protocol_settings": settings(), **changes}
    candidates = cell.pop("candidates", "test")
    records = [
        make_record("m", score, repeat=repeat, key=f"{name}{repeat}", **cell)
        for repeat, score in enumerate(scores, 1)
    ]
    return [Record.of(r.cell, own_numbers(r, candidates=candidates)) for r in records]


def printed(tables: Tables) -> list[tuple[str, str, str]]:
    """Protocol, number and repeats of every row of the main table."""
    made = main_table.build(tables, OPTIONS)
    assert isinstance(made, Document)
    return [
        (block.title.split(": ")[1].split(" protocol")[0], cell.plain, row.labels[-1])
        for block in made.blocks
        if isinstance(block, Table) and block.columns
        for row in block.rows
        for cell in row.cells
    ]


def merged(folder: Path, *parts: list[Record]) -> Tables:
    for number, records in enumerate(parts):
        for record in records:
            ResultStore(folder / str(number)).write(record)
    folders = [folder / str(number) for number in range(len(parts))]
    merge_folders(folders, folder / "joint")
    return read_tables(folder / "joint")


@pytest.mark.parametrize(
    ("stopped_on", "protocols"),
    [("valid", {"strict[stop_csls=0]", "strict[stop_csls=10]"}), ("last", {"strict"})],
)
def test_the_csls_size_that_chose_a_checkpoint_tells_cells_apart(
    stopped_on: str, protocols: set[str]
) -> None:
    tables = tables_of(
        [
            *scored("a", (0.4,), stopped_on=stopped_on),
            *scored("b", (0.3,), stopped_on=stopped_on, protocol_settings=settings(csls=[0, 10])),
        ]
    )
    assert set(with_protocol_settings(tables).cells["protocol"]) == protocols


def test_the_last_epoch_is_no_other_choice_than_that_by_the_curves() -> None:
    tables = tables_of(
        [*scored("a", (0.4,), stopped_on="test"), *scored("b", (0.3,), stopped_on="last")]
    )
    assert set(with_protocol_settings(tables).cells["protocol"]) == {"strict"}


def test_other_candidates_do_not_replace_repeats_of_a_merged_folder(tmp_path: Path) -> None:
    newer = {"finished_at": "2027-01-01T00:00:00Z", "candidates": "unseeded"}
    tables = merged(
        tmp_path,
        scored("a", (0.41, 0.42, 0.43)),
        scored("b", (0.31, 0.32), protocol_settings=settings(candidates="unseeded"), **newer),
    )
    assert printed(tables) == [
        ("strict[candidates=test]", ".420 ± .010", "3"),
        ("strict[candidates=unseeded]", ".315 ± .007", "2"),
    ]


def test_records_without_settings_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    newer = {"finished_at": "2027-01-01T00:00:00Z", "candidates": "unseeded"}
    tables = merged(
        tmp_path,
        scored("a", (0.41, 0.42, 0.43), protocol_settings=None),
        scored("b", (0.31, 0.32), protocol_settings=None, **newer),
    )
    assert printed(tables) == [("strict", ".420 ± .010", "3"), ("strict", ".315 ± .007", "2")]


def test_another_stopping_rule_is_another_row() -> None:
    slower = scored("b", (0.5, 0.6), protocol_settings=settings(patience=10))
    assert printed(tables_of([*scored("a", (0.4, 0.5)), *slower])) == [
        ("strict[patience=10]", ".550 ± .071", "2"),
        ("strict[patience=5]", ".450 ± .071", "2"),
    ]


def test_neighbourhood_sizes_of_two_runs_stand_beside_each_other() -> None:
    """Where no score chose the epoch: both runs trained alike."""
    other = {"all_csls": (3,), "protocol_settings": settings(csls=[3]), "stopped_on": "last"}
    records = [
        *scored("a", (0.41, 0.42, 0.43), stopped_on="last"),
        *scored("b", (0.5,), finished_at="2027-01-01T00:00:00Z", **other),
    ]
    current = current_cells(tables_of(records))
    assert printed(tables_of(records)) == [("strict", ".420 ± .010", "3")]
    assert (len(current.tables.cells), current.n_replaced) == (4, 0)


def test_a_cell_that_was_run_again_alike_counts_once() -> None:
    again = scored("b", (0.6,), finished_at="2027-01-01T00:00:00Z")
    current = current_cells(tables_of([*scored("a", (0.4,)), *again]))
    assert current.n_replaced == 1
    assert set(current.tables.results["key"]) == {"b1"}


def test_equal_settings_are_not_worth_a_word() -> None:
    known = scored("a", (0.4,))
    unknown = scored("b", (0.5,), protocol_settings=None, variant="w/o image")
    assert set(with_protocol_settings(tables_of(known + unknown)).cells["protocol"]) == {"strict"}


def test_naming_the_settings_twice_changes_nothing() -> None:
    slower = scored("b", (0.5,), protocol_settings=settings(patience=10))
    once = with_protocol_settings(tables_of([*scored("a", (0.4,)), *slower]))
    pd.testing.assert_frame_equal(with_protocol_settings(once).cells, once.cells)
    assert {protocol_name(protocol) for protocol in once.cells["protocol"]} == {"strict"}
