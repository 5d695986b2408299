"""The ablation report."""

from __future__ import annotations

import pytest

from mmea_bench.reports import ablation
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import TIMEOUT, ablation_records


def _document(records: list[Record]) -> Document:
    made = ablation.build(tables_of(records), ReportOptions(csls=0))
    assert isinstance(made, Document)
    return made


def test_the_variant_is_subtracted_repeat_by_repeat() -> None:
    records = [
        make_record("a", score, variant=variant, repeat=repeat)
        for variant, scores in {"full": (0.5, 0.6), "w/o image": (0.4, 0.45)}.items()
        for repeat, score in enumerate(scores, 1)
    ]
    (table,) = _document(records).tables
    assert table.columns[:2] == (("Hits@1", "value"), ("Hits@1", "drop"))
    assert [row.labels[0] for row in table.rows] == ["full", "w/o image"]
    drop = table.rows[1].cells[1]
    assert drop.mean == pytest.approx(0.125)
    assert drop.sd == pytest.approx(0.05 / 2**0.5)


def test_variants_are_compared_under_the_same_overrides_only() -> None:
    records = [
        make_record("a", 0.5),
        make_record("a", 0.3, variant="full[epochs=5]", overrides='{"epochs": 5}'),
        make_record("a", 0.2, variant="w/o image[epochs=5]", overrides='{"epochs": 5}'),
    ]
    (table,) = _document(records).tables
    assert table.title.startswith("a [epochs=5]")
    assert table.rows[1].cells[1].mean == pytest.approx(0.1)


def test_a_variant_is_needed() -> None:
    made = ablation.build(tables_of([make_record("a", 0.5)]), ReportOptions())
    assert isinstance(made, Missing)
    assert "variant" in made.reason


def test_datasets_are_grouped_columns_of_one_table_and_panels_of_one_figure() -> None:
    document = _document(ablation_records(3))
    (table,) = document.tables
    assert table.level_names == ("place", "metric", "what")
    assert [words for words, _ in table.header(0)] == [
        *("dbp15k-zh-en 20 %", "fb15k-db15k 20 %", "fb15k-yago15k 20 %"),
    ]
    assert [row.labels for row in table.rows][:2] == [("full", "3"), ("w/o ICL", "3")]
    assert len(document.figures) == 1


def test_every_method_has_its_own_table() -> None:
    records = [
        make_record(method, 0.5 - 0.1 * place, variant=variant)
        for method in ("a", "b")
        for place, variant in enumerate(("full", "w/o image"))
    ]
    assert [table.title[:2] for table in _document(records).tables] == ["a:", "b:"]


def test_a_dataset_without_a_number_keeps_its_place() -> None:
    (table,) = _document(ablation_records(2, has_gaps=True)).tables
    image = next(row for row in table.rows if row.labels[0] == "w/o image modality")
    assert [cell.plain for cell in image.cells[:2]] == ["–", "–"]
    assert image.labels[1] == "0–3"
    assert image.cells[7].mean is not None


def test_a_variant_that_never_ended_well_keeps_its_row() -> None:
    records = [
        *ablation_records(1),
        make_record("mclea", 0.0, variant="w/o IAL", **TIMEOUT),
    ]
    document = _document(records)
    row = next(row for row in document.tables[0].rows if row.labels[0] == "w/o IAL")
    assert {cell.plain for cell in row.cells} == {"–"}
    assert "mclea w/o IAL 20 % repeat 1 (timeout)" in document.notes[-2]
