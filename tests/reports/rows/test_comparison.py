"""What the study reports put side by side."""

from __future__ import annotations

from mmea_bench.reports import ablation, low_resource, significance
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import comparisons, mark_notes, shown_numbers
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, own_numbers
from tests.reports.studies_factory import ablation_records, ratio_records

OPTIONS = ReportOptions(csls=0)


def _unseeded(record: Record) -> Record:
    """The same cell, scored among all unseeded entities too."""
    others = own_numbers(record, candidates="unseeded")
    return Record.of(record.cell, [*own_numbers(record), *others])


def test_numbers_under_different_rules_stand_apart_by_name() -> None:
    numbers = shown_numbers(tables_of([_unseeded(make_record("a", 0.5))]), OPTIONS)
    assert [part.title for part in comparisons(numbers, OPTIONS)] == [
        "fb15k-db15k, 20 % seeds, strict protocol, candidates=test",
        "fb15k-db15k, 20 % seeds, strict protocol, candidates=unseeded",
    ]


def test_equal_rules_are_not_worth_a_word() -> None:
    numbers = shown_numbers(tables_of([make_record("a", 0.5)]), OPTIONS)
    (part,) = comparisons(numbers, OPTIONS)
    assert part.title == "fb15k-db15k, 20 % seeds, strict protocol"
    assert part.place == "fb15k-db15k 20 %"


def test_no_figure_overwrites_another() -> None:
    few_ratios = [
        record
        for record in ratio_records()
        if record.cell["seed_ratio"] <= 0.2 and record.cell["method"] < "mclez"
    ]
    for report, records in (
        (ablation, ablation_records(2)),
        (low_resource, few_ratios),
        (significance, few_ratios),
    ):
        made = report.build(tables_of([_unseeded(record) for record in records]), OPTIONS)
        assert isinstance(made, Document)
        names = [figure.name for figure in made.figures]
        assert len(names) == len(set(names)) == 2


def test_only_marks_that_occur_are_explained() -> None:
    plain = shown_numbers(tables_of([make_record("a", 0.5)]), OPTIONS)
    assert mark_notes(plain) == ()
    marked = shown_numbers(tables_of([make_record("a", 0.5, stopped_on="test")]), OPTIONS)
    assert [note[0] for note in mark_notes(marked)] == ["‡"]
