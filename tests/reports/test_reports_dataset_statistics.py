"""Counts of the loaded datasets beside the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmea_bench.reports import dataset_statistics
from mmea_bench.reports.core.document import Cell, Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.formats.latex_cells import latex_column
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import (
    FAILED,
    FB15K_DB15K,
    NMMEA,
    fill_analyses_folder,
    notes_of,
    texts,
    with_counts,
)
from tests.reports.reports_factory import make_record

GOLDEN = Path(__file__).parent / "golden_analyses" / "dataset_statistics.md"


def _document(records: list[Record]) -> Document:
    made = dataset_statistics.build(tables_of(records), ReportOptions())
    assert isinstance(made, Document)
    return made


def _rows(records: list[Record], place: int = 0) -> dict[tuple[str, ...], list[str]]:
    return texts(_document(records).tables[place])


def test_files_published_and_difference_stand_below_each_other() -> None:
    rows = _rows([with_counts(FB15K_DB15K)])
    assert rows["fb15k-db15k", "FB15K", "files"][:4] == ["14,951", "1,209", "116", "505,436"]
    assert rows["fb15k-db15k", "FB15K", "published"][:4] == ["14,951", "1,345", "116", "592,213"]
    assert rows["fb15k-db15k", "FB15K", "difference"][:4] == ["0", "-136", "0", "-86,777"]


def test_equal_counts_need_no_difference() -> None:
    rows = _rows([with_counts(FB15K_DB15K)])
    assert ("fb15k-db15k", "DB15K", "published") in rows
    assert ("fb15k-db15k", "DB15K", "difference") not in rows


def test_pairs_stand_once_beside_the_first_kg() -> None:
    rows = _rows([with_counts(FB15K_DB15K)])
    assert rows["fb15k-db15k", "FB15K", "files"][-1] == "12,846"
    assert rows["fb15k-db15k", "DB15K", "files"][-1] == ""


def test_a_refuted_number_is_not_the_published_one() -> None:
    # C32: CrossEA prints 14,777 entities of DB15K, MCLEA 12,842, which the files confirm.
    printed = dataset_statistics.printed_counts(read_published(), "fb15k-db15k")
    assert printed.values["DB15K", "entities"] == 12842
    # C31 is about what is said of this number, not about the number.
    assert printed.sources["", "pairs"] == "mclea2022 Table 5"
    assert "C32: crossea2025 Table 1 prints 14,777 DB15K entities." in notes_of(
        _document([with_counts(FB15K_DB15K)])
    )


def test_an_own_dataset_has_counts_only() -> None:
    counts: dict[tuple[str | None, str], float] = {("S", "entities"): 150, (None, "pairs"): 120}
    rows = _rows([with_counts(counts, dataset="synthetic[n=150]")])
    assert list(rows) == [("synthetic[n=150]", "S", "files")]


def test_options_of_an_address_do_not_hide_the_published_counts() -> None:
    rows = _rows([with_counts(FB15K_DB15K, dataset="fb15k-db15k[numeric=true]")])
    assert ("fb15k-db15k[numeric=true]", "FB15K", "published") in rows


def test_nodes_of_texts_and_images_have_the_columns_of_crossea() -> None:
    document = _document([with_counts(NMMEA, dataset="nmmea")])
    table = document.tables[0]
    assert table.columns[:3] == (("entities", "text"), ("entities", "visual"), ("relations", "TT"))
    rows = texts(table)
    # 8,347 of 20,832 pairs.
    assert rows["nmmea", "NMMKG1", "files"][-3] == ".4007"
    assert rows["nmmea", "NMMKG1", "published"][-3:] == [".4007", ".1997", ".3996"]
    assert rows["nmmea", "NMMKG2", "difference"][:3] == ["0", "-89", "–"]


def test_coverage_that_lacks_one_entity_does_not_read_as_all() -> None:
    rows = _rows([with_counts(FB15K_DB15K)], place=-1)
    assert rows["fb15k-db15k", "DB15K"] == ["1.0000", ".9996"]


def test_made_up_features_are_marked() -> None:
    document = _document([with_counts(FB15K_DB15K, simulated_features="image")])
    assert texts(document.tables[0])["fb15k-db15k", "FB15K", "files"][-2] == "13,444†"
    assert texts(document.tables[1])["fb15k-db15k", "FB15K"] == ["1.0000", ".8990†"]
    assert "† with simulated features" in notes_of(document)


def test_two_versions_of_a_dataset_are_two_datasets() -> None:
    other = {**FB15K_DB15K, ("FB15K", "relations"): 1345.0}
    records = [with_counts(FB15K_DB15K), with_counts(other, dataset_version="b" * 12, repeat=2)]
    labels = {labels[0] for labels in _rows(records)}
    assert labels == {"fb15k-db15k @aaaaaa", "fb15k-db15k @bbbbbb"}


def test_datasets_that_no_cell_counts_are_named() -> None:
    records = [
        with_counts(FB15K_DB15K),
        make_record("eva", 0.0, dataset="dbp15k-zh-en", **FAILED),
    ]
    assert "Not counted, since no cell tells what it loaded: dbp15k-zh-en." in notes_of(
        _document(records)
    )


@pytest.mark.parametrize("record", [make_record("eva", 0.5), make_record("eva", 0.0, **FAILED)])
def test_records_without_counts_give_a_sentence(record: Record) -> None:
    made = dataset_statistics.build(tables_of([record]), ReportOptions())
    assert isinstance(made, Missing)
    assert "No record tells the counts" in made.reason


def test_counts_stand_below_each_other_in_latex() -> None:
    counts = (14951.0, 1209.0, -136.0, 0.0)
    assert latex_column([Cell(value, None, 1, style="count") for value in counts]) == [
        r"\phantom{$-$}14,951",
        r"\phantom{$-$0}1,209",
        r"\phantom{00,}$-$136",
        r"\phantom{$-$00,00}0",
    ]


def test_output_equals_the_golden_file(tmp_path: Path) -> None:
    fill_analyses_folder(tmp_path)
    made = dataset_statistics.build(ResultStore(tmp_path).tables(), ReportOptions())
    assert isinstance(made, Document)
    assert render_markdown(made) == GOLDEN.read_text(encoding="utf-8")
