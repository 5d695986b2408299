"""Intervals and tests on few repeats; everything that cannot be computed is said, not guessed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.floating[Any]]
CONFIDENCE = 0.95
_SAME = 1e-12


def mean_interval(values: Values) -> tuple[float, float] | None:
    """Student's 95 % interval of a mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


@dataclass(frozen=True)
class TwoSampleTests:
    """Tests of whether two methods differ in the mean over repeats.

    Attributes:
        difference: Mean of the first minus mean of the second.
        interval: Welch's 95 % interval of the difference.
        student: Two-sided p of the t-test with equal variances.
        welch: Two-sided p of the t-test with unequal variances.
        paired: Two-sided p of the test on differences by repeat; None where the repeats do not
            match or all differ alike.
        hedges_g: Standardised difference, corrected for few repeats.
    """

    difference: float
    interval: tuple[float, float]
    student: float
    welch: float
    paired: float | None
    hedges_g: float


def two_sample_tests(
    first: Values, second: Values, pairs: tuple[Values, Values] | None = None
) -> TwoSampleTests | str:
    """Student's, Welch's and the paired t-test.

    Args:
        first: Values of one method, one per repeat.
        second: Values of the other.
        pairs: The values of repeats that both have, in the same order.

    Returns:
        The tests, or a sentence why there are none.
    """
    if min(len(first), len(second)) < 2:
        return "fewer than two repeats"
    if max(first.std(), second.std()) < _SAME:
        return "no variance between repeats"
    with warnings.catch_warnings():
        # Said where one of the two methods has (nearly) equal repeats; its tests still hold.
        warnings.filterwarnings("ignore", message="Precision loss", category=RuntimeWarning)
        return _tests(first, second, pairs)


def _tests(first: Values, second: Values, pairs: tuple[Values, Values] | None) -> TwoSampleTests:
    student = stats.ttest_ind(first, second)
    welch = stats.ttest_ind(first, second, equal_var=False)
    interval = welch.confidence_interval(CONFIDENCE)
    paired = None
    if pairs is not None and len(pairs[0]) >= 2 and (pairs[0] - pairs[1]).std() > _SAME:
        paired = float(stats.ttest_rel(*pairs).pvalue)
    return TwoSampleTests(
        float(first.mean() - second.mean()),
        (float(interval.low), float(interval.high)),
        float(student.pvalue),
        float(welch.pvalue),
        paired,
        _hedges_g(first, second),
    )


def _hedges_g(first: Values, second: Values) -> float:
    freedom = len(first) + len(second) - 2
    pooled = (
        (len(first) - 1) * first.var(ddof=1) + (len(second) - 1) * second.var(ddof=1)
    ) / freedom
    correction = 1 - 3 / (4 * freedom - 1)
    return float(correction * (first.mean() - second.mean()) / np.sqrt(pooled))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple comparisons by Holm's step-down rule."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    largest = 0.0
    for step, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[position]))
        corrected[position] = largest
    return [float(value) for value in corrected]
