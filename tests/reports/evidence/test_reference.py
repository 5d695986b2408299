"""The band of shipped repeats, against values computed by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmea_bench.reports.core.evidence.reference import (
    BandPoint,
    ReferenceCurve,
    Run,
    own_numbers,
    reference_curve,
)
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.table import tables_of
from tests.reports.published_factory import RANKED, measured_cell
from tests.reports.reports_factory import own_numbers as numbers_of

RUN = Run("gcn_align", "full", "fb15k-db15k", 0.2)


def repeat(n: int, curve: dict[int, float], **changes: Any) -> Record:
    """A repeat whose Hits@1 on the test links is the curve, both ways."""
    cell = measured_cell(0.3, repeat=n, key=f"k{n}", **changes)
    points = [
        {
            **{"epoch": epoch, "loss": 1.0, "links": "test", "metric": "hits@1"},
            **{"similarity": "cosine", "csls": 3, "decoder": "none", **RANKED},
            "direction": direction,
            "value": value if direction == "src2tgt" else 0.99,
        }
        for epoch, value in curve.items()
        for direction in ("src2tgt", "tgt2src")
    ]
    return Record.of(cell.cell, numbers_of(cell), points)


def test_the_reference_is_found_beside_cells_of_other_settings() -> None:
    settings = [json.dumps({"candidates": name}) for name in ("test", "both")]
    own = repeat(1, {10: 0.2}, protocol_settings=settings[0])
    other = repeat(2, {10: 0.9}, protocol_settings=settings[1], method="kecg")
    tables = tables_of([own, other])
    assert reference_curve(tables, RUN).points == (BandPoint(10, 0.2, 0.2, 0.2),)
    assert own_numbers(tables, RUN, ("hits@1",)) == {"hits@1": [0.3]}


def test_the_band_is_median_and_range_of_the_repeats() -> None:
    curves = ({10: 0.1, 20: 0.3}, {10: 0.2, 20: 0.2}, {10: 0.4, 20: 0.25})
    records = [repeat(n, curve) for n, curve in enumerate(curves, 1)]
    found = reference_curve(tables_of(records), RUN)
    assert found == ReferenceCurve((BandPoint(10, 0.2, 0.1, 0.4), BandPoint(20, 0.25, 0.2, 0.3)), 3)


def test_between_two_points_lies_a_straight_line_and_nothing_outside() -> None:
    curve = ReferenceCurve((BandPoint(10, 0.2, 0.1, 0.4), BandPoint(20, 0.4, 0.3, 0.5)), 3)
    found = curve.at(15)
    assert found is not None
    assert (found.middle, found.low, found.high) == pytest.approx((0.3, 0.2, 0.45))
    assert curve.at(20) == curve.points[1]
    assert curve.at(9) is None
    assert curve.at(21) is None
    assert ReferenceCurve((), 0).at(1) is None


def test_an_epoch_that_a_repeat_lacks_has_no_narrower_band() -> None:
    records = [repeat(1, {10: 0.1, 20: 0.2}), repeat(2, {10: 0.3})]
    assert [p.epoch for p in reference_curve(tables_of(records), RUN).points] == [10]


def test_sides_of_a_band() -> None:
    band = BandPoint(1, 0.2, 0.1, 0.3)
    assert [band.side(value) for value in (0.1, 0.3, 0.31, 0.09)] == [
        *("inside", "inside", "above", "below"),
    ]


def test_another_variant_dataset_or_ratio_is_no_reference() -> None:
    others = [
        repeat(1, {10: 0.1}, variant="w/o x"),
        repeat(2, {10: 0.1}, dataset="dbp15k-zh-en"),
        repeat(3, {10: 0.1}, seed_ratio=0.5),
        repeat(4, {10: 0.1}, protocol="strict"),
    ]
    assert reference_curve(tables_of(others), RUN) == ReferenceCurve((), 0)


def test_numbers_without_a_printed_one_are_those_of_csls_3_source_to_target() -> None:
    records = [repeat(n, {10: 0.1}) for n in (1, 2)]
    assert own_numbers(tables_of(records), RUN, ("hits@1", "mrr")) == {"hits@1": [0.3, 0.3]}
