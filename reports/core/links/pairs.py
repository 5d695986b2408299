"""Two systems on the same links: who finds what the other misses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar

from mmea_bench.reports.core.links.systems import Family, System
from mmea_bench.reports.core.statistics.statistics import corrected


@dataclass(frozen=True)
class PairOfSystems:
    """Links by which of two systems finds their partner first.

    With several repeats a link counts for the system that finds it in more of them; where both find
    it equally often it is ``both``, or ``neither`` if never.

    Attributes:
        first: One system.
        second: The other.
        wins: Links that the first finds and the second does not.
        losses: Links that the second finds and the first does not.
        both: Links that both find.
        neither: Links that both miss.
        p: Exact McNemar test of wins against losses, two-sided.
        p_corrected: The same, corrected over all pairs of the family.
    """

    first: str
    second: str
    wins: int
    losses: int
    both: int
    neither: int
    p: float
    p_corrected: float


def pairs_of_systems(family: Family, correction: str) -> list[PairOfSystems]:
    """Every pair of systems, in the order of their names.

    Args:
        family: The systems.
        correction: Of the p-values, a name that ``corrected`` knows.

    Source: McNemar 1947, Psychometrika 12; its exact form is the binomial test.
    """
    _links, link_of = np.unique(family.links, axis=0, return_inverse=True)
    found = {each.name: _hits_by_link(each, link_of.ravel()) for each in family.systems}
    counted = [
        (first, second, _counts(found[first], found[second]))
        for first, second in combinations(found, 2)
    ]
    p_values = [_p(counts) for *_names, counts in counted]
    return [
        PairOfSystems(first, second, *counts, p, p_corrected)
        for (first, second, counts), p, p_corrected in zip(
            counted, p_values, corrected(p_values, correction), strict=True
        )
    ]


def _hits_by_link(system: System, link_of: NDArray[np.intp]) -> NDArray[np.int64]:
    """Repeats in which the partner of each link stands first."""
    return np.bincount(link_of, weights=system.hits).astype(np.int64)


def _counts(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Wins, losses, both, neither."""
    equal = first == second
    return (
        int((first > second).sum()),
        int((first < second).sum()),
        int((equal & (first > 0)).sum()),
        int((equal & (first == 0)).sum()),
    )


def _p(counts: tuple[int, int, int, int]) -> float:
    wins, losses, both, neither = counts
    if not wins + losses:
        return 1.0
    return float(mcnemar([[both, wins], [losses, neither]], exact=True).pvalue)
