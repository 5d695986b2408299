"""What the study reports put side by side."""

from __future__ import annotations

from mmea_bench.reports import ablation, low_resource, significance
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import comparisons, mark_notes, shown_numbers
from mmea_bench.results.core.table import tables_of
from tests.reports.reports_factory import make_record, with_unseeded
from tests.reports.studies_factory import ablation_records, ratio_records

OPTIONS = ReportOptions(csls=0)


def test_numbers_under_different_rules_stand_apart_by_name() -> None:
    numbers = shown_numbers(tables_of([with_unseeded(make_record("a", 0.5))]), OPTIONS)
    assert [part.title for part in comparisons(numbers, OPTIONS)] == [
        "fb15k-db15k, 20 % seeds, strict protocol, candidates=test",
        "fb15k-db15k, 20 % seeds, strict protocol, candidates=unseeded",
    ]


def test_conditions_are_alike_in_places_of_equal_rules() -> None:
    """The title tells numbers of its own place apart, the conditions those of all places."""
    records = [with_unseeded(make_record("a", 0.5)), make_record("a", 0.5, dataset="other")]
    parts = list(comparisons(shown_numbers(tables_of(records), OPTIONS), OPTIONS))
    assert [(part.title, part.conditions) for part in parts] == [
        (
            "fb15k-db15k, 20 % seeds, strict protocol, candidates=test",
            "strict protocol, candidates=test",
        ),
        ("other, 20 % seeds, strict protocol", "strict protocol, candidates=test"),
        (
            "fb15k-db15k, 20 % seeds, strict protocol, candidates=unseeded",
            "strict protocol, candidates=unseeded",
        ),
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
        made = report.build(tables_of([with_unseeded(record) for record in records]), OPTIONS)
        assert isinstance(made, Document)
        names = [figure.name for figure in made.figures]
        assert len(names) == len(set(names)) == 2


def test_only_marks_that_occur_are_explained() -> None:
    plain = shown_numbers(tables_of([make_record("a", 0.5)]), OPTIONS)
    assert mark_notes(plain) == ()
    marked = shown_numbers(tables_of([make_record("a", 0.5, stopped_on="test")]), OPTIONS)
    assert [note[0] for note in mark_notes(marked)] == ["‡"]
