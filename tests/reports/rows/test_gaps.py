"""A folder with failed, timed-out, skipped and missing cells still gives every report."""

from __future__ import annotations

from types import ModuleType

import pytest

from mmea_bench.reports import ablation, low_resource, significance, sweep
from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.gaps import gap_notes
from mmea_bench.reports.formats.pictures import draw_figure
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import Tables, tables_of
from tests.reports.reports_factory import make_record
from tests.reports.studies_factory import TIMEOUT, overridden

FAILED = {"status": "failed", "reason": "ValueError: no"}
# A cell that is skipped knows no dataset version: its dataset was never read.
SKIPPED = {"status": "skipped", "reason": "the dataset lacks: name", "dataset_version": None}


def _gappy() -> Tables:
    """Two methods on two ratios, a variant and a sweep; each lacks cells in its own way."""
    scores = [(m, r, n) for m in ("a", "b", "c") for r in (0.2, 0.5) for n in (1, 2, 3)]
    how = {("a", 0.2, 2): TIMEOUT, ("b", 0.5, 1): FAILED, ("c", 0.2, 3): SKIPPED}
    records = [
        make_record(m, r + 0.01 * n, seed_ratio=r, repeat=n, **how.get((m, r, n), {}))
        for m, r, n in scores
        if (m, r, n) != ("c", 0.5, 3)
    ]
    records += [make_record("a", 0.1, variant="w/o image", repeat=1)]
    records += [make_record("a", 0.1, variant="w/o image", repeat=2, **TIMEOUT)]
    records += [overridden(0.2, "a", lr=0.1), overridden(0.3, "a", lr=0.2)]
    records += [overridden(0.2, "a", lr=0.3, **FAILED)]
    return tables_of(records)


@pytest.mark.parametrize("report", [ablation, low_resource, significance, sweep])
def test_every_report_is_made_and_names_what_it_lacks(report: ModuleType) -> None:
    made = report.build(_gappy(), ReportOptions(csls=0))
    assert isinstance(made, Document)
    for figure in made.figures:
        assert draw_figure(figure, "png")
    (note,) = [note for note in made.notes if "cells have no number:" in note]
    assert "a 20 % repeat 2 (timeout)" in note


def test_what_went_wrong_comes_first_and_what_was_not_run_stands_apart() -> None:
    tables = _gappy()
    ended, missing = gap_notes(tables, ReportOptions(), tables.results)
    assert ended == (
        "5 of 22 cells have no number: a 20 % repeat 2 (timeout); a[lr=0.3] 20 % repeat 1 "
        "(failed); a w/o image 20 % repeat 2 (timeout); b 50 % repeat 1 (failed); "
        "c 20 % repeat 3 (skipped)."
    )
    assert missing == (
        "20 cells are missing, not run yet or not part of the suite: a[lr=0.1] 20 % repeats 2, 3; "
        "a[lr=0.1] 50 % repeats 1–3; a[lr=0.2] 20 % repeats 2, 3; and 6 more, all in the main "
        "table."
    )


@pytest.mark.parametrize("report", [ablation, low_resource, significance, sweep])
def test_a_folder_of_failures_alone_gives_a_reason(report: ModuleType) -> None:
    records = [make_record("a", 0.0, repeat=repeat, **FAILED) for repeat in (1, 2)]
    made = report.build(tables_of(records), ReportOptions())
    assert isinstance(made, Missing)
    assert made.reason.endswith("The main table names the cells without a number.")


def test_datasets_and_protocols_are_named_where_there_are_several() -> None:
    records = [make_record("a", 0.5), make_record("a", 0.5, dataset="other", **FAILED)]
    (note,) = gap_notes(tables_of(records), ReportOptions(), tables_of(records).results)
    assert note == "1 of 2 cells has no number: a other 20 % repeat 1 (failed)."


def test_nothing_is_said_where_nothing_lacks() -> None:
    tables = tables_of([make_record("a", 0.5)])
    assert gap_notes(tables, ReportOptions(), tables.results) == ()


def test_a_later_success_closes_the_gap() -> None:
    failed = make_record("a", 0.0, key="old", finished_at="2026-01-02T00:00:00Z", **FAILED)
    tables = tables_of([Record.of(failed.cell), make_record("a", 0.5)])
    assert gap_notes(tables, ReportOptions(), tables.results) == ()
