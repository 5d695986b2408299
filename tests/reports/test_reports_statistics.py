"""Tests of significance, against hand-computed and published values."""

from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.reports.core.statistics import (
    TwoSampleTests,
    holm,
    mean_interval,
    two_sample_tests,
)

CROSSEA = [0.768, 0.763, 0.759, 0.769, 0.766, 0.763, 0.769, 0.773, 0.764, 0.768]
DESALIGN = [0.714, 0.718, 0.717, 0.712, 0.711, 0.714, 0.713, 0.721, 0.714, 0.715]


def _tests(first: list[float], second: list[float]) -> TwoSampleTests:
    made = two_sample_tests(np.array(first), np.array(second), (np.array(first), np.array(second)))
    assert isinstance(made, TwoSampleTests)
    return made


def test_crosseas_ten_runs_give_the_printed_p_value() -> None:
    # Table 6 of the paper prints p = 2.126e-17: Student's test with equal variances.
    found = _tests(CROSSEA, DESALIGN)
    assert found.student == pytest.approx(2.126e-17, rel=1e-3)
    assert found.welch == pytest.approx(1.85e-16, rel=1e-2)
    assert found.paired == pytest.approx(9.5e-11, rel=1e-2)
    assert found.difference == pytest.approx(0.7662 - 0.7149)


def test_interval_of_a_mean_by_hand() -> None:
    # Mean 2, standard error 1 / sqrt(3), t quantile of 2 degrees of freedom 4.3027.
    low, high = mean_interval(np.array([1.0, 2.0, 3.0])) or (0.0, 0.0)
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)


def test_one_value_has_no_interval() -> None:
    assert mean_interval(np.array([0.5])) is None


def test_hedges_g_by_hand() -> None:
    # Pooled variance 1, difference 2, correction 1 - 3 / (4 * 4 - 1) = 0.8.
    assert _tests([3.0, 4.0, 5.0], [1.0, 2.0, 3.0]).hedges_g == pytest.approx(1.6)


def test_holm_by_hand() -> None:
    # Sorted .01, .03, .04 times 3, 2, 1; the last may not fall below the one before.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [([0.5], [0.4, 0.3], "fewer than two repeats"), ([0.5, 0.5], [0.4, 0.4], "no variance")],
)
def test_what_cannot_be_tested_is_said(
    first: list[float], second: list[float], reason: str
) -> None:
    made = two_sample_tests(np.array(first), np.array(second))
    assert isinstance(made, str)
    assert reason in made


def test_equal_differences_give_no_paired_test() -> None:
    assert _tests([0.5, 0.6], [0.4, 0.5]).paired is None
