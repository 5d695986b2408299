"""Intervals and tests on few repeats; everything that cannot be computed is said, not guessed."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from statsmodels.stats.multitest import multipletests

Values = NDArray[np.floating[Any]]
CONFIDENCE = 0.95
LEVEL = 1.0 - CONFIDENCE
"""A p-value below it counts as a difference."""

CORRECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "none": "without correction",
        "holm": "after Holm",
        "bonferroni": "after Bonferroni",
        "fdr_bh": "after Benjamini-Hochberg",
    }
)
"""How a sentence names each correction."""

SAME = 1e-12
"""Standard deviations below it come from rounding alone."""

_LARGE_T = 200.0


def mean_interval(values: Values) -> tuple[float, float] | None:
    """Student's 95 % interval of a mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


@dataclass(frozen=True)
class Effect:
    """By how much two methods differ.

    Attributes:
        difference: Mean of the first minus mean of the second.
        interval: 95 % interval of the difference.
        hedges_g: Standardised difference, corrected for few repeats.
        hedges_interval: 95 % interval of Hedges' g.
        n_repeats: Repeats of the first and of the second.
    """

    difference: float
    interval: tuple[float, float]
    hedges_g: float
    hedges_interval: tuple[float, float]
    n_repeats: tuple[int, int]


@dataclass(frozen=True)
class TwoSampleTests:
    """Tests of whether two methods differ in the mean over repeats.

    Attributes:
        student: Two-sided p of the t-test with equal variances.
        welch: Two-sided p of the t-test with unequal variances.
        paired: Two-sided p of the test on differences by repeat; None where fewer than two
            repeats match or all differ alike.
        of_all: The effect over all repeats, with Welch's interval.
        of_shared: The effect over the repeats that both have, with Student's interval of the
            differences by repeat; None where there is no paired test.
    """

    student: float
    welch: float
    paired: float | None
    of_all: Effect
    of_shared: Effect | None

    def effect(self, test: str) -> Effect:
        """The effect over the repeats that a test is made of.

        Unlike repeats may turn the sign: the better one in each shared repeat need not have the
        better mean of all.

        Args:
            test: ``student``, ``welch`` or ``paired``.
        """
        return self.of_shared if test == "paired" and self.of_shared else self.of_all


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
    if max(first.std(), second.std()) < SAME:
        return "no variance between repeats"
    with warnings.catch_warnings():
        # Said where one of the two methods has (nearly) equal repeats; its tests still hold.
        warnings.filterwarnings("ignore", message="Precision loss", category=RuntimeWarning)
        return _tests(first, second, pairs)


def _tests(first: Values, second: Values, pairs: tuple[Values, Values] | None) -> TwoSampleTests:
    student = stats.ttest_ind(first, second)
    welch = stats.ttest_ind(first, second, equal_var=False)
    of_all = _effect(first, second, welch)
    paired, of_shared = None, None
    if pairs is not None and len(pairs[0]) >= 2 and (pairs[0] - pairs[1]).std() > SAME:
        by_repeat = stats.ttest_rel(*pairs)
        paired, of_shared = float(by_repeat.pvalue), _effect(*pairs, by_repeat)
    return TwoSampleTests(float(student.pvalue), float(welch.pvalue), paired, of_all, of_shared)


def _effect(first: Values, second: Values, test: Any) -> Effect:
    """The effect over these repeats, with the interval of this test of them."""
    interval = test.confidence_interval(CONFIDENCE)
    sizes = (len(first), len(second))
    student = stats.ttest_ind(first, second)
    g, g_interval = hedges_g(float(student.statistic), sizes)
    return Effect(
        float(first.mean() - second.mean()),
        (float(interval.low), float(interval.high)),
        g,
        g_interval,
        sizes,
    )


def hedges_g(student_t: float, sizes: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Hedges' g and its 95 % interval from Student's t of two independent samples.

    ``g = J t sqrt(1/n1 + 1/n2)`` with ``J = 1 - 3 / (4 (n1 + n2 - 2) - 1)``. t follows a
    noncentral t distribution, so the interval holds for few repeats too: its ends are those
    noncentralities under which the t found is the 97.5 % and the 2.5 % quantile.

    Args:
        student_t: Statistic of Student's test with equal variances.
        sizes: Number of values in the first and in the second sample.

    Where repeats hardly vary, t is so large that the search for these noncentralities does not
    end; there the limit holds: ``t = noncentrality / sqrt(chi2 / freedom)``, the normal part of t
    being negligible.

    Source: Hedges and Olkin 1985, Statistical Methods for Meta-Analysis, ch. 5; Steiger and
    Fouladi 1997 for the noncentral interval.
    """
    freedom = sum(sizes) - 2
    scale = (1 - 3 / (4 * freedom - 1)) * np.sqrt(1 / sizes[0] + 1 / sizes[1])
    tail = (1 - CONFIDENCE) / 2
    if abs(student_t) > _LARGE_T:
        ends = sorted(student_t * np.sqrt(stats.chi2.ppf((tail, 1 - tail), freedom) / freedom))
        return float(scale * student_t), (float(scale * ends[0]), float(scale * ends[1]))
    low, high = (special.nctdtrinc(freedom, p, student_t) for p in (1 - tail, tail))
    return float(scale * student_t), (float(scale * low), float(scale * high))


def corrected(p_values: Sequence[float], correction: str) -> list[float]:
    """p-values corrected for multiple comparisons.

    Args:
        p_values: Of one family of comparisons.
        correction: ``none``, or a name that statsmodels' ``multipletests`` knows.
    """
    if correction == "none" or len(p_values) < 2:
        return list(p_values)  # one comparison is no multiple one
    with _heap_set_aside():
        return [float(p) for p in multipletests(p_values, alpha=LEVEL, method=correction)[1]]


@contextmanager
def _heap_set_aside() -> Iterator[None]:
    """Statsmodels collects garbage after Holm, a quarter of a second a call in a full report."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
