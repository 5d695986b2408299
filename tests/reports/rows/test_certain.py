"""Hits@k that cannot be missed carry their mark in every table that prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.reports.core.certain import CERTAIN, CERTAIN_NOTE, certain_rows
from mmea_bench.reports.core.document import Cell, Document, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.web_data import page_data
from mmea_bench.reports.making.build import build_reports
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore, read_tables
from tests.reports.reports_factory import make_record, own_numbers

PROTOCOL_PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods, a variant, a sweep and two seed ratios, all tested on six links."""
    made = tmp_path_factory.mktemp("few")
    store = ResultStore(made)
    for repeat in (1, 2):
        score = 0.3 + 0.01 * repeat
        for ratio in (0.2, 0.5):
            for changes in (
                {"method": "mclea"},
                {"method": "eva"},
                {"method": "mclea", "variant": "w/o image"},
                {
                    "method": "mclea",
                    "variant": "full[dim=50]",
                    "overrides": '{"dim": 50}',
                },
                {
                    "method": "mclea",
                    "variant": "full[dim=100]",
                    "overrides": '{"dim": 100}',
                },
            ):
                record = make_record(
                    changes["method"],
                    score,
                    **{name: word for name, word in changes.items() if name != "method"},
                    repeat=repeat,
                    seed_ratio=ratio,
                    protocol="paper",
                    fit_s=3.0,
                    epochs=2,
                )
                score += 0.01
                store.write(Record.of(record.cell, own_numbers(record, n=6)))
    return made


@pytest.fixture(scope="module")
def documents(folder: Path) -> list[Document]:
    options = ReportOptions(metrics=("hits@10", "hits@1"), published=True)
    return build_reports(folder, options=options, formats=("md",)).documents


def _hits(table: Table) -> list[tuple[tuple[str, ...], Cell]]:
    return [
        (header, cell)
        for row in table.rows
        for header, cell in zip(table.columns, row.cells, strict=True)
        if cell.mean is not None
    ]


@pytest.mark.parametrize(
    "report", ["main_table", "ablation", "low_resource", "sweep", "cost", "significance"]
)
def test_every_table_that_prints_hits_marks_them(documents: list[Document], report: str) -> None:
    (document,) = (found for found in documents if found.name == report)
    marked = [table for table in document.tables if CERTAIN_NOTE in table.notes]
    assert marked
    for table in marked:
        of_k = [(header, cell) for header, cell in _hits(table) if cell.marks]
        assert of_k
        for header, cell in of_k:
            assert cell.marks == (CERTAIN,)
            assert not cell.is_best
            assert "Hits@1" not in header


def test_the_tables_of_the_papers_mark_them_beside_the_printed_numbers(
    documents: list[Document],
) -> None:
    tables = [
        table
        for document in documents
        if document.name == "paper_tables"
        for table in document.tables
    ]
    cells = [pair for table in tables for pair in _hits(table)]
    measured = [cell for header, cell in cells if {"measured", "H@10"} <= set(header)]
    assert measured
    assert all(CERTAIN in cell.marks for cell in measured)
    assert not any(CERTAIN in cell.marks for header, cell in cells if "published" in header)


def test_the_page_knows_which_numbers_they_are(folder: Path) -> None:
    data = page_data(read_tables(folder), ReportOptions())
    names = [metric["id"] for metric in data["metrics"]]
    entries = [entry for group in data["groups"] for entry in group["numbers"]]
    assert {names[entry[0]] for entry in entries if len(entry) > 5} == {"hits@10"}
    assert all(len(entry) == 6 for entry in entries if names[entry[0]] == "hits@10")


def test_only_hits_among_the_links_own_entities_can_be_known_to_be_certain(folder: Path) -> None:
    rows = read_tables(folder).results
    assert set(rows.loc[certain_rows(rows), "metric"]) == {"hits@10"}
    assert not certain_rows(rows.assign(candidates="unseeded")).any()
    assert not certain_rows(rows.assign(n=11)).any()


def test_the_page_on_the_protocol_names_the_mark() -> None:
    assert f"mark it with {CERTAIN}." in " ".join(PROTOCOL_PAGE.read_text(encoding="utf-8").split())
