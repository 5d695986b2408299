"""Tests of many methods over many places, from their ranks in each place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scikit_posthocs
from numpy.typing import NDArray
from scipy import stats

from mmea_bench.reports.core.statistics.statistics import CONFIDENCE, LEVEL, corrected

FEWEST_METHODS = 3
FEWEST_PLACES = 3

Pair = tuple[str, str]


@dataclass(frozen=True)
class RankTests:
    """Tests of whether methods differ over places.

    Attributes:
        ranks: Method to its average rank, best (lowest) first; ties share the mean rank.
        places: What the methods were compared on.
        chi_square: Friedman's statistic, corrected for ties.
        friedman: Its p.
        iman_davenport: Iman and Davenport's F of the same ranks; None where it is infinite,
            because all places rank alike.
        iman_davenport_p: Its p, 0 where F is infinite.
        critical_difference: Average ranks that differ by more differ by Nemenyi's test.
        nemenyi: p of each pair, the better method first.
        wilcoxon: p of Wilcoxon's signed-rank test of each pair.
        wilcoxon_corrected: The same, corrected for the number of pairs.
        wilcoxon_lead: What the test is made of: ranks of the places, by the size of the difference,
            that the first of the pair wins minus those that the second wins. Negative where the
            second leads, as it can with the worse average rank.
        tied_places: Places where two or more methods share a rank.
    """

    ranks: Mapping[str, float]
    places: tuple[str, ...]
    chi_square: float
    friedman: float
    iman_davenport: float | None
    iman_davenport_p: float
    critical_difference: float
    nemenyi: Mapping[Pair, float]
    wilcoxon: Mapping[Pair, float]
    wilcoxon_corrected: Mapping[Pair, float]
    wilcoxon_lead: Mapping[Pair, float]
    tied_places: tuple[str, ...]


def rank_tests(values: pd.DataFrame, correction: str) -> RankTests | str:
    """Friedman's test with Nemenyi's and Wilcoxon's tests of all pairs.

    Args:
        values: One row per place, one column per method, higher is better, no gaps.
        correction: Of Wilcoxon's p-values.

    Returns:
        The tests, or a sentence why there are none.

    Source: Demsar 2006, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7,
    sec. 3.2; the correction of Wilcoxon's tests instead of Nemenyi's after Benavoli et al. 2016,
    JMLR 17.
    """
    n_places, n_methods = values.shape
    if n_methods < FEWEST_METHODS or n_places < FEWEST_PLACES:
        return (
            f"rank tests need {FEWEST_METHODS} methods and {FEWEST_PLACES} places where all of "
            f"them have a number; there are {n_methods} and {n_places}."
        )
    # Values that differ by rounding alone are ties.
    by_place = values.round(12).rank(axis=1, ascending=False)
    if (by_place.nunique(axis=1) == 1).all():
        return "rank tests need a difference; all methods are equal in every place."
    average = by_place.mean()
    names = sorted(values.columns, key=lambda name: (average[name], name))
    chi_square, friedman = stats.friedmanchisquare(*(by_place[name] for name in names))
    strength, strength_p = _iman_davenport(float(chi_square), n_places, n_methods)
    pairs = list(combinations(names, 2))
    by_method = values[names].to_numpy(dtype=float).T
    wilcoxon = wilcoxon_of_pairs(by_method)
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(-values[names].round(12).to_numpy())
    place_of = {name: position for position, name in enumerate(names)}
    return RankTests(
        ranks={name: float(average[name]) for name in names},
        places=tuple(str(place) for place in values.index),
        chi_square=float(chi_square),
        friedman=float(friedman),
        iman_davenport=strength,
        iman_davenport_p=strength_p,
        critical_difference=critical_difference(n_methods, n_places),
        nemenyi={
            (first, second): float(nemenyi.iloc[place_of[first], place_of[second]])
            for first, second in pairs
        },
        wilcoxon=dict(zip(pairs, wilcoxon, strict=True)),
        wilcoxon_corrected=dict(zip(pairs, corrected(wilcoxon, correction), strict=True)),
        wilcoxon_lead=dict(zip(pairs, leads_of_pairs(by_method), strict=True)),
        tied_places=tuple(
            str(place) for place, ranks in by_place.iterrows() if ranks.nunique() < n_methods
        ),
    )


def critical_difference(n_methods: int, n_places: int) -> float:
    """Nemenyi's critical difference of average ranks at 5 %.

    The quantile of the studentised range over the square root of 2, times
    ``sqrt(k (k + 1) / (6 N))`` for k methods in N places.
    """
    quantile = stats.studentized_range.ppf(CONFIDENCE, n_methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_methods * (n_methods + 1) / (6 * n_places)))


def cliques(ranks: Mapping[str, float], difference: float) -> list[tuple[str, ...]]:
    """Largest groups of neighbouring methods whose average ranks differ by no more than that.

    Args:
        ranks: Method to its average rank, best first.
        difference: Critical difference.
    """
    names = list(ranks)
    found: list[tuple[str, ...]] = []
    last_end = 0
    for start, name in enumerate(names):
        end = start
        while end < len(names) and ranks[names[end]] - ranks[name] <= difference + 1e-9:
            end += 1
        if end - start >= 2 and end > last_end:
            found.append(tuple(names[start:end]))
            last_end = end
    return found


def smallest_wilcoxon_p(n_places: int) -> float:
    """Two-sided p of Wilcoxon's exact test where one method wins in every place."""
    return float(2.0 ** (1 - n_places))


def can_wilcoxon_show(n_methods: int, n_places: int, correction: str) -> bool:
    """Whether a pair could differ after the correction, were all pairs as clear as possible."""
    n_pairs = n_methods * (n_methods - 1) // 2
    return min(corrected([smallest_wilcoxon_p(n_places)] * n_pairs, correction)) < LEVEL


def _iman_davenport(chi_square: float, n_places: int, n_methods: int) -> tuple[float | None, float]:
    rest = n_places * (n_methods - 1) - chi_square
    if rest < 1e-9:
        return None, 0.0
    strength = (n_places - 1) * chi_square / rest
    freedom = (n_methods - 1, (n_methods - 1) * (n_places - 1))
    return strength, float(stats.f.sf(strength, *freedom))


def wilcoxon_of_pairs(values: NDArray[np.float64]) -> list[float]:
    """Wilcoxon's signed-rank test of every pair of rows, its p in the order of ``combinations``.

    The test knows the differences by their signed ranks alone, and without ties by the sum of the
    positive ones: pairs that agree in these share one computation, so that some hundred methods
    take seconds.

    Args:
        values: [n_methods, n_places].
    """
    known: dict[tuple[float, bytes], float] = {}
    found = []
    for differences, ranks in _differences(values):
        signed = np.sort(np.sign(differences) * ranks, axis=1)
        for difference, signs in zip(differences, signed, strict=True):
            distinct = np.unique(np.abs(signs))
            is_plain = len(distinct) == len(signs) and distinct[0] > 0
            key = (float(signs[signs > 0].sum()), b"" if is_plain else signs.tobytes())
            if key not in known:
                known[key] = _wilcoxon(difference)
            found.append(known[key])
    return found


def leads_of_pairs(values: NDArray[np.float64]) -> list[float]:
    """Sum of the signed ranks of every pair of rows, in the order of ``combinations``.

    Places where both are equal count for nothing, as in Wilcoxon's test; positive where the first
    row of the pair is the larger one.

    Args:
        values: [n_methods, n_places].
    """
    found: list[float] = []
    for differences, ranks in _differences(values):
        # Zeros have the lowest ranks, which the test does not give away.
        n_equal = (differences == 0).sum(axis=1, keepdims=True)
        found += (np.sign(differences) * (ranks - n_equal)).sum(axis=1).tolist()
    return found


def _differences(
    values: NDArray[np.float64],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Each row minus all later ones, and the ranks of the sizes: [n_later, n_places] both."""
    for row, own in enumerate(values):
        # Values that differ by rounding alone are ties.
        differences = (own - values[row + 1 :]).round(12)
        yield differences, stats.rankdata(np.abs(differences), axis=1)


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    if (differences == 0).all():
        return 1.0  # equal in every place
    return float(stats.wilcoxon(differences).pvalue)
