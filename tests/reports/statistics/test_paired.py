"""Paired differences, and the smallest one that so few repeats could have shown."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmea_bench.reports.core.statistics.paired import paired_difference, smallest_effect


def test_the_mean_interval_and_p_are_those_of_the_paired_t_test() -> None:
    first, second = np.array([0.50, 0.52, 0.49]), np.array([0.53, 0.54, 0.53])
    found = paired_difference(first, second)
    test = stats.ttest_rel(second, first)
    interval = test.confidence_interval(0.95)
    assert found.difference == pytest.approx(0.03)
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.interval == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_smallest_difference_is_found_in_four_of_five_trials(n: int) -> None:
    """By simulation: normal differences of that mean and a deviation of 1."""
    effect = smallest_effect(n)
    drawn = np.random.default_rng(0).normal(effect, 1.0, (20_000, n))
    found = stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_the_smallest_difference_scales_with_the_spread_of_the_differences() -> None:
    first = np.zeros(4)
    narrow = paired_difference(first, np.array([0.01, 0.02, 0.01, 0.02]))
    wide = paired_difference(first, np.array([0.1, 0.2, 0.1, 0.2]))
    assert narrow.smallest is not None
    assert wide.smallest == pytest.approx(10 * narrow.smallest)


def test_one_repeat_has_a_difference_and_nothing_else() -> None:
    found = paired_difference(np.array([0.5]), np.array([0.6]))
    assert found.difference == pytest.approx(0.1)
    assert (found.interval, found.p_value, found.smallest) == (None, None, None)
    assert found.why_no_test == "one repeat: nothing can be shown"


def test_differences_that_do_not_vary_are_not_tested() -> None:
    values = np.array([0.5, 0.6, 0.7])
    equal, alike = paired_difference(values, values), paired_difference(values, values + 0.1)
    assert equal.p_value is alike.p_value is None
    assert (equal.why_no_test, alike.why_no_test) == (
        *("equal in every repeat", "the same in every repeat"),
    )
