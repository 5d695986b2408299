"""The best of many against the others, where the data chose which one is the best.

A test of the best mean against each other one, corrected for these tests alone, says "better" far
too often (14 equal methods, 10 repeats: in about .15 of the cases instead of .05), because the same
numbers picked the best. Corrected for all pairs, of which those of the best are a part, the promise
holds whichever method comes out first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from mmea_bench.reports.core.statistics.statistics import SAME, Values, corrected


def best_p_values(samples: Sequence[Values], best: int, correction: str) -> dict[int, float]:
    """Welch's p of the best against every other sample, corrected for all pairs of samples.

    Args:
        samples: Values over repeats of every method; those with fewer than two take no part.
        best: Place of the sample with the best mean.
        correction: Of the p-values.

    Returns:
        Place of each other sample that can be tested against the best to its corrected p.

    Source: closed under selection as Tukey's and Games and Howell's procedures are: all pairs are
    one family (Hochberg and Tamhane 1987, Multiple Comparison Procedures, ch. 7).
    """
    return of_best(pair_p_values(samples), best, correction)


def of_best(pairs: Mapping[tuple[int, int], float], best: int, correction: str) -> dict[int, float]:
    """The p of all pairs corrected together, and of these the pairs of the best.

    Args:
        pairs: Of ``pair_p_values``.
        best: Place of the sample with the best mean.
        correction: Of the p-values.
    """
    p_values = corrected(list(pairs.values()), correction)
    found = zip(pairs, p_values, strict=True)
    return {one if other == best else other: p for (one, other), p in found if best in (one, other)}


def pair_p_values(samples: Sequence[Values]) -> dict[tuple[int, int], float]:
    """Welch's p, not corrected, of every two samples that can be tested, by their places.

    Args:
        samples: As in ``best_p_values``.
    """
    tested = np.array([place for place, values in enumerate(samples) if len(values) >= 2])
    if not len(tested):
        return {}
    means, variances, sizes = (
        np.array([measure(samples[place]) for place in tested])
        for measure in (np.mean, lambda values: np.var(values, ddof=1), len)
    )
    first, second = np.triu_indices(len(tested), k=1)
    has_variance = np.maximum(variances[first], variances[second]) >= SAME**2
    first, second = first[has_variance], second[has_variance]
    shares = variances / sizes
    spread = shares[first] + shares[second]
    statistic = (means[first] - means[second]) / np.sqrt(spread)
    freedom = spread**2 / (
        shares[first] ** 2 / (sizes[first] - 1) + shares[second] ** 2 / (sizes[second] - 1)
    )
    p_values = (2 * stats.t.sf(np.abs(statistic), freedom)).tolist()
    places = zip(tested[first].tolist(), tested[second].tolist(), strict=True)
    return dict(zip(places, p_values, strict=True))
