"""Two-step relation paths beside a direct triple."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs

_CHUNK = 2_000_000
"""Pairs of triples that are joined at once."""


@dataclass(frozen=True, eq=False)
class RelationPaths:
    """Items ``r1, r2`` that lead where ``r`` leads at once.

    Attributes:
        relations: (r1, r2, r), [n, 3] int64.
        weights: Number of triples ``(h, r1, .)`` times that of ``(m, r2, .)``, [n] int64.
    """

    relations: IntArray
    weights: IntArray

    def at_most(self, most: int, rng: np.random.Generator) -> RelationPaths:
        """So many of the items, chosen at random; all where there are no more."""
        if len(self.weights) <= most:
            return self
        kept = np.sort(rng.choice(len(self.weights), most, replace=False))
        return RelationPaths(self.relations[kept], self.weights[kept])


def relation_paths(triples: IntArray, max_weight: int) -> RelationPaths:
    """One item for each two triples ``(h, r1, m), (m, r2, t)`` and each triple ``(h, r, t)``.

    Args:
        triples: Of one KG, [n, 3]; repetitions count once.
        max_weight: Items that weigh more are left out.

    Reference: Lin et al. (PTransE), EMNLP 2015, as OpenEA joins them for IPTransE.
    """
    triples = distinct_rows(triples)
    found = [*_joined(triples, max_weight)]
    empty = np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64)
    relations, weights = (np.concatenate(parts) for parts in zip(empty, *found, strict=True))
    return RelationPaths(relations, weights)


def _joined(triples: IntArray, max_weight: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Items of some first steps at a time; triples are sorted by head."""
    if not len(triples):
        return
    heads, relations, tails = triples.T
    size = int(triples.max()) + 1
    _, of_pair, counts = np.unique(
        heads * size + relations, return_inverse=True, return_counts=True
    )
    fan_out = counts[of_pair]
    firsts = np.flatnonzero(fan_out <= max_weight)
    starts, n_next = _spans(heads, tails[firsts])
    ends = heads * size + tails
    by_ends = np.argsort(ends, kind="stable")
    bounds = np.searchsorted(np.cumsum(n_next), np.arange(_CHUNK, n_next.sum() + _CHUNK, _CHUNK))
    for chunk in np.split(np.arange(len(firsts)), np.unique(bounds)):
        first, second = _expanded(firsts[chunk], starts[chunk], n_next[chunk])
        weights = fan_out[first] * fan_out[second]
        kept = weights <= max_weight
        first, second, weights = first[kept], second[kept], weights[kept]
        start, n_direct = _spans(ends[by_ends], heads[first] * size + tails[second])
        row, place = _expanded(np.arange(len(first)), start, n_direct)
        direct = relations[by_ends[place]]
        yield np.stack([relations[first[row]], relations[second[row]], direct], 1), weights[row]


def _spans(ordered: IntArray, wanted: IntArray) -> tuple[IntArray, NDArray[np.int64]]:
    """Where each wanted value begins in an ordered list, and how often it stands there."""
    start = np.searchsorted(ordered, wanted, side="left")
    return start, np.searchsorted(ordered, wanted, side="right") - start


def _expanded(owners: IntArray, starts: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Each owner once for each of its places, and those places."""
    rows, places = listed_runs(starts, counts)
    return owners[rows], places
