"""Tests of significance, against hand-computed and published values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmea_bench.reports.core.statistics.statistics import (
    TwoSampleTests,
    corrected,
    hedges_g,
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
    assert found.of_all.difference == pytest.approx(0.7662 - 0.7149)
    assert found.of_all.n_repeats == (10, 10)


def test_interval_of_a_mean_by_hand() -> None:
    # Mean 2, standard error 1 / sqrt(3), t quantile of 2 degrees of freedom 4.3027.
    low, high = mean_interval(np.array([1.0, 2.0, 3.0])) or (0.0, 0.0)
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-3)


def test_one_value_has_no_interval() -> None:
    assert mean_interval(np.array([0.5])) is None


def test_hedges_g_by_hand() -> None:
    # Pooled variance 1, difference 2, correction 1 - 3 / (4 * 4 - 1) = 0.8.
    assert _tests([3.0, 4.0, 5.0], [1.0, 2.0, 3.0]).of_all.hedges_g == pytest.approx(1.6)


def test_interval_of_hedges_g_puts_the_t_found_at_its_quantiles() -> None:
    student_t, sizes = 2.5, (4, 6)
    _, ends = hedges_g(student_t, sizes)
    scale = (1 - 3 / 31) * (1 / 4 + 1 / 6) ** 0.5
    quantiles = [float(stats.nct.cdf(student_t, 8, end / scale)) for end in ends]
    assert quantiles == pytest.approx([0.975, 0.025], abs=1e-6)


def test_interval_of_hedges_g_approaches_hedges_and_olkins_normal_one_by_hand() -> None:
    # Many repeats: variance 1/100 + 1/100 + .25^2 / (2 * 200), half width 1.96 * .1420 = .2783.
    g, ends = hedges_g(0.251 / (2 / 100) ** 0.5, (100, 100))
    assert g == pytest.approx(0.25, abs=1e-3)
    assert ends == pytest.approx((0.25 - 0.2783, 0.25 + 0.2783), abs=2e-3)


def test_no_difference_has_an_interval_around_zero() -> None:
    g, (low, high) = hedges_g(0.0, (5, 5))
    assert g == 0.0
    assert low == pytest.approx(-high)


@pytest.mark.parametrize(
    ("correction", "by_hand"),
    [
        ("none", [0.04, 0.01, 0.03]),
        # Sorted .01, .03, .04 times 3, 2, 1; the last may not fall below the one before.
        ("holm", [0.06, 0.03, 0.06]),
        ("bonferroni", [0.12, 0.03, 0.09]),
        # Times 3/3, 3/2, 3/1 from the largest; none may exceed the one above.
        ("fdr_bh", [0.04, 0.03, 0.04]),
    ],
)
def test_corrections_by_hand(correction: str, by_hand: list[float]) -> None:
    assert corrected([0.04, 0.01, 0.03], correction) == pytest.approx(by_hand)


def test_no_comparison_needs_no_correction() -> None:
    assert corrected([], "holm") == []


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


def test_the_paired_effect_is_of_the_shared_repeats_with_students_interval() -> None:
    """The first has the better mean of all its repeats and loses every shared one."""
    first, second = np.array([0.30, 0.31, 0.32, 0.60, 0.62]), np.array([0.35, 0.37, 0.36])
    found = two_sample_tests(first, second, (first[:3], second))
    assert isinstance(found, TwoSampleTests)
    # Differences -.05, -.06, -.04: deviation .01, t quantile of 2 degrees of freedom 4.3027.
    shared, half = found.effect("paired"), 4.3027 * 0.01 / 3**0.5
    assert shared.difference == pytest.approx(-0.05)
    assert shared.interval == pytest.approx((-0.05 - half, -0.05 + half), abs=1e-5)
    # Both deviate by .01, so the difference is -5 of them, times 1 - 3 / (4 * 4 - 1).
    assert shared.hedges_g == pytest.approx(-5 * 0.8)
    assert shared.n_repeats == (3, 3)
    assert found.effect("welch").difference == pytest.approx(0.43 - 0.36)


def test_the_interval_of_a_huge_effect_is_bounded_and_joins_the_exact_one() -> None:
    """Near-constant repeats: t of a million, for which the exact search does not end."""
    g, (low, high) = hedges_g(1e6, (5, 5))
    assert low < g < high
    below, above = hedges_g(199.9, (5, 5))[1], hedges_g(200.1, (5, 5))[1]
    assert below == pytest.approx(above, rel=2e-3)
    assert hedges_g(-1e6, (5, 5))[1] == pytest.approx((-high, -low))
