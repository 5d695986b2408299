"""Links whose partner no system finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.reports.core.links.systems import Family


@dataclass(frozen=True)
class Missed:
    """A link that every system misses in every repeat that tests it.

    Attributes:
        source: URI of its source entity.
        target: URI of its target entity.
        best_rank: Best rank that any system gives the partner.
        best_system: Which.
        degrees: Of the two entities.
        name_similarity: Of their names, None where one has none.
    """

    source: str
    target: str
    best_rank: float
    best_system: str
    degrees: tuple[int, int]
    name_similarity: float | None


def missed_by_all(family: Family) -> NDArray[np.bool_]:
    """Whether every system misses an observation's link in all repeats, [n]."""
    _links, link_of = np.unique(family.links, axis=0, return_inverse=True)
    link_of = link_of.ravel()
    found = np.zeros(int(link_of.max()) + 1, dtype=bool)
    for system in family.systems:
        np.logical_or.at(found, link_of, system.hits)
    missed: NDArray[np.bool_] = ~found[link_of]
    return missed


def missed_links(family: Family) -> list[Missed]:
    """The links that all miss, the hardest (largest best rank) first."""
    facts = family.facts
    similarity = dict(zip(map(tuple, facts.links.tolist()), facts.name_similarity, strict=True))
    ranks = np.stack([system.ranks for system in family.systems])
    places = np.flatnonzero(missed_by_all(family))
    links, link_of = np.unique(family.links[places], axis=0, return_inverse=True)
    # Of each system the best rank over repeats.
    own = np.full((len(ranks), len(links)), np.inf)
    np.minimum.at(own.T, link_of.ravel(), ranks[:, places].T)
    best = own.min(axis=0)
    found = []
    for place in np.argsort(-best, kind="stable"):
        source, target = map(int, links[place])
        alike = float(similarity.get((source, target), np.nan))
        found.append(
            Missed(
                str(facts.source.uris[source]),
                str(facts.target.uris[target]),
                float(best[place]),
                family.systems[int(own[:, place].argmin())].name,
                (int(facts.source.degrees[source]), int(facts.target.degrees[target])),
                None if np.isnan(alike) else alike,
            )
        )
    return found
