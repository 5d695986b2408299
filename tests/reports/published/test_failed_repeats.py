"""Repeats that fail, at once or when they are run again, keep a number from ``reproduced``."""

from __future__ import annotations

import json

import pytest

from mmea_bench.reports.core.published.verdicts import CheckRow, check_rows
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import (
    measured_cell,
    published_frame,
    published_row,
    three_repeats,
)

PRINTED = published_frame([published_row(0.3)])


def row_of(*records: Record) -> CheckRow:
    (row,) = check_rows(tables_of(records), PRINTED).rows
    return row


def test_a_failed_repeat_keeps_a_number_from_reproduced() -> None:
    failed = measured_cell(0, repeat=4, status="failed", reason="no luck")
    row = row_of(*three_repeats(measured_cell(0.3)), failed)
    assert (row.verdict, row.n, row.n_failed) == ("close", 3, 1)
    assert "1 of 4 repeats failed" in row.remark
    elsewhere = measured_cell(0, repeat=4, seed_ratio=0.5, status="failed", reason="no luck")
    row = row_of(*three_repeats(measured_cell(0.3)), elsewhere)
    assert (row.verdict, row.n_failed) == ("reproduced", 0)


def test_repeats_that_fail_when_run_again_keep_a_number_from_reproduced() -> None:
    good = three_repeats(measured_cell(0.3, finished_at="2026-01-01T00:00:00Z"))
    ended = {"status": "failed", "reason": "no luck", "dataset_version": None}
    newer = [
        measured_cell(0, key=f"n{n}", repeat=n, finished_at="2026-06-01T00:00:00Z", **ended)
        for n in (1, 2, 3)
    ]
    row = row_of(*good, *newer)
    assert (row.verdict, row.n, row.n_failed) == ("close", 3, 3)
    assert "3 of 3 repeats failed when run again" in row.remark


def test_a_failure_that_was_mended_does_not_count() -> None:
    good = three_repeats(measured_cell(0.3, finished_at="2026-06-01T00:00:00Z"))
    older = measured_cell(
        0, key="old", status="failed", reason="no luck", finished_at="2026-01-01T00:00:00Z"
    )
    row = row_of(*good, older)
    assert (row.verdict, row.n_failed) == ("reproduced", 0)


@pytest.mark.parametrize(("candidates", "n_failed"), [("test", 1), ("unseeded", 0)])
def test_a_failure_counts_against_cells_of_its_own_settings(candidates: str, n_failed: int) -> None:
    usual = json.dumps({"candidates": "test", "csls": [0, 3]})
    good = three_repeats(measured_cell(0.3, protocol_settings=usual))
    own = json.dumps({"candidates": candidates, "csls": [0]})
    failed = measured_cell(0, repeat=4, status="failed", reason="no luck", protocol_settings=own)
    row = row_of(*good, failed)
    assert row.n_failed == n_failed
