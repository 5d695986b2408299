"""Slices of links by facts on their entities, and how good a system is in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from mmea_bench.reports.core.links.systems import Family, System
from mmea_bench.reports.core.statistics.statistics import LEVEL
from mmea_bench.results.core.predictions.schema import DatasetFacts

Mask = NDArray[np.bool_]
N_BINS = 4
_NAME_EDGES = (0.25, 0.5, 0.75, 1.0)
_DRAWS = 500
_SEED = 0
ALL = "all"


@dataclass(frozen=True, eq=False)
class Slice:
    """Some of the links.

    Attributes:
        group: What they were divided by.
        name: Which part.
        mask: Whether each observation is among them, [n].
    """

    group: str
    name: str
    mask: Mask


@dataclass(frozen=True)
class Measured:
    """A system in a slice.

    Attributes:
        n: Observations.
        hits: Hits@1.
        hits_interval: Its 95 % interval: Wilson's, or by bootstrap over links where repeats test
            the same ones.
        mrr: Mean reciprocal rank.
        mrr_interval: Its 95 % interval by bootstrap over links.
    """

    n: int
    hits: float
    hits_interval: tuple[float, float]
    mrr: float
    mrr_interval: tuple[float, float]


def slices_of(family: Family) -> list[Slice]:
    """Every slice with links in it, all of them first."""
    facts, links = family.facts, family.links
    source, target = facts.source, facts.target
    sides = (links[:, 0], links[:, 1])
    degree = np.minimum(source.degrees[sides[0]], target.degrees[sides[1]])
    n_attributes = np.minimum(source.n_attributes[sides[0]], target.n_attributes[sides[1]])
    n_images = source.has_image[sides[0]].astype(int) + target.has_image[sides[1]]
    n_identified = source.is_identified[sides[0]].astype(int) + target.is_identified[sides[1]]
    many = np.maximum(source.n_links[sides[0]], target.n_links[sides[1]]) > 1
    counts = ("neither", "one", "both")
    found = [
        Slice(ALL, ALL, np.ones(len(links), dtype=bool)),
        *_binned("degree", degree),
        *_binned("attributes", n_attributes),
        *_parts("image", n_images, counts),
        *_named(facts, links),
        *_parts("identifying relation", n_identified, counts),
        *_parts("links of the entity", many.astype(int), ("one", "several")),
    ]
    return [each for each in found if each.mask.any()]


def _binned(group: str, values: NDArray[np.integer]) -> Iterator[Slice]:
    """Quarters of the links; bins with one border become one."""
    quantiles = np.quantile(values, np.linspace(0, 1, N_BINS + 1)[1:-1], method="higher")
    edges = sorted({int(values.min()), *map(int, quantiles)})
    for place, low in enumerate(edges):
        is_last = place + 1 == len(edges)
        high = int(values.max()) if is_last else edges[place + 1] - 1
        name = str(low) if low == high else f"{low} to {high}"
        yield Slice(group, name, (values >= low) & (values <= high))


def _parts(group: str, values: NDArray[np.integer], names: tuple[str, ...]) -> Iterator[Slice]:
    for value, name in enumerate(names):
        yield Slice(group, name, values == value)


def _named(facts: DatasetFacts, links: NDArray[np.int32]) -> Iterator[Slice]:
    known = {pair: place for place, pair in enumerate(map(tuple, facts.links.tolist()))}
    places = np.array([known.get(tuple(link), -1) for link in links.tolist()])
    values = np.where(places >= 0, facts.name_similarity[places], np.nan)
    group, low = "name similarity", 0.0
    yield Slice(group, "no name", np.isnan(values))
    for high in _NAME_EDGES:
        name = f"{low:g} to below {high:g}" if low else f"below {high:g}"
        yield Slice(group, name, (values >= low) & (values < high))
        low = high
    yield Slice(group, "equal", values >= 1.0)


class Intervals:
    """Intervals of systems in slices; the draws are made once for all of them.

    A bootstrap over links: a draw weighs every link by a Poisson number of mean 1, in all repeats
    alike (Chamandy et al. 2012, Estimating uncertainty for massive data streams).

    Args:
        family: The systems.
    """

    def __init__(self, family: Family) -> None:
        _links, link_of = np.unique(family.links, axis=0, return_inverse=True)
        self._has_repeats = len(set(family.repeats.tolist())) > 1
        rng = np.random.default_rng(_SEED)
        draws = rng.poisson(1.0, (_DRAWS, int(link_of.max()) + 1)).astype(np.float32)
        self._weights = draws[:, link_of.ravel()]

    def of(self, system: System, part: Slice) -> Measured:
        """A system in a slice."""
        hits, reciprocal = system.hits[part.mask], system.reciprocal[part.mask]
        n = len(hits)
        weights = self._weights[:, part.mask]
        mrr_interval = _percentiles(weights, reciprocal)
        if self._has_repeats:
            interval = _percentiles(weights, hits)
        else:
            low, high = proportion_confint(int(hits.sum()), n, alpha=LEVEL, method="wilson")
            interval = (float(low), float(high))
        return Measured(n, float(hits.mean()), interval, float(reciprocal.mean()), mrr_interval)


def _percentiles(weights: NDArray[np.float32], values: NDArray[np.generic]) -> tuple[float, float]:
    totals = weights.sum(axis=1)
    drawn = totals > 0
    means = (weights[drawn] @ values.astype(np.float32)) / totals[drawn]
    if not len(means):
        return float(values.mean()), float(values.mean())
    low, high = np.quantile(means, (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)
