"""Folders in which cells failed, timed out, were skipped or never ran."""

from __future__ import annotations

from types import ModuleType

import pytest

from mmea_bench.reports import (
    cost,
    dataset_statistics,
    learning_curves,
    modality_weights,
    selection_audit,
    similarity_distribution,
)
from mmea_bench.reports.core.document import Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.lacking import lacking_notes
from mmea_bench.results.core.table import tables_of
from tests.reports.analyses_factory import FAILED, SKIPPED, TIMEOUT
from tests.reports.reports_factory import make_record

REPORTS = (
    *(cost, dataset_statistics, learning_curves),
    *(modality_weights, selection_audit, similarity_distribution),
)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.NAME)
def test_a_folder_of_failures_gives_a_sentence_that_points_to_them(report: ModuleType) -> None:
    endings = (FAILED, TIMEOUT, SKIPPED)
    records = [make_record("a", 0.0, repeat=n, **words) for n, words in enumerate(endings, 1)]
    made = report.build(tables_of(records), ReportOptions())
    assert isinstance(made, Missing)
    assert made.reason.endswith("The main table names the cells without a number.")


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.NAME)
def test_an_empty_folder_gives_a_sentence(report: ModuleType) -> None:
    made = report.build(tables_of([]), ReportOptions())
    assert isinstance(made, Missing)
    assert "cells have no number" not in made.reason


def test_methods_that_cannot_have_it_are_named_once() -> None:
    records = [make_record(name, 0.3, repeat=n) for name in ("a", "b") for n in (1, 2)]
    shown = [record.key for record in records[:2]]
    assert lacking_notes(tables_of(records), ReportOptions(), shown, "weights") == (
        "Without weights: b.",
    )
    shown.pop()
    assert lacking_notes(tables_of(records), ReportOptions(), shown, "weights") == (
        "Without weights: a (1 of 2 cells), b.",
    )
    everything = [record.key for record in records]
    assert lacking_notes(tables_of(records), ReportOptions(), everything, "weights") == ()
