"""Paired differences over repeats, and what so few repeats could have shown at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestPower

from mmea_bench.reports.core.statistics.statistics import LEVEL, SAME, Values, mean_interval

POWER = 0.8
"""Share of the cases in which a difference of the smallest size would be found."""


@dataclass(frozen=True)
class PairedDifference:
    """The second side minus the first, over repeats that both have.

    Attributes:
        n: Paired repeats.
        first: Mean of the first side.
        second: Mean of the second side.
        difference: Mean of the differences.
        interval: Student's 95 % interval of that mean; None for fewer than two repeats.
        p_value: Two-sided p of the paired t-test; None where it cannot be made.
        smallest: Smallest difference that a test on as many repeats, which vary as these do, finds
            in ``POWER`` of the cases; None for fewer than two repeats.
        why_no_test: Why there is no p-value; empty where there is one.
    """

    n: int
    first: float
    second: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    smallest: float | None
    why_no_test: str = ""

    @property
    def is_zero(self) -> bool:
        """Whether both sides have the same mean, rounding aside."""
        return abs(self.difference) < SAME


def paired_difference(first: Values, second: Values) -> PairedDifference:
    """Differences by repeat with their interval, test and smallest detectable size.

    Args:
        first: [n_repeats] values of one side, one or more.
        second: [n_repeats] values of the other, of the same repeats in the same order.
    """
    differences = second - first
    n = len(differences)
    means = float(first.mean()), float(second.mean()), float(differences.mean())
    if n < 2:
        return PairedDifference(n, *means, None, None, None, "one repeat: nothing can be shown")
    spread = float(differences.std(ddof=1))
    interval = mean_interval(differences)
    if spread < SAME:
        why = "equal in every repeat" if abs(means[2]) < SAME else "the same in every repeat"
        return PairedDifference(n, *means, interval, None, 0.0, why)
    p_value = float(stats.ttest_rel(second, first).pvalue)
    return PairedDifference(n, *means, interval, p_value, smallest_effect(n) * spread)


def smallest_effect(n: int, power: float = POWER) -> float:
    """Smallest mean, in standard deviations of the differences, that a paired t-test finds.

    Two-sided at the 5 % level; from the noncentral t distribution.

    Args:
        n: Pairs, two or more.
        power: Share of the cases in which it is to be found.
    """
    found = TTestPower().solve_power(nobs=n, alpha=LEVEL, power=power, alternative="two-sided")
    return float(np.squeeze(found))
