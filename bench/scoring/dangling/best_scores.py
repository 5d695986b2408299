"""The best candidate of every entity, gathered out of row blocks of scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.methods.core.similarity import NeighbourhoodMeans, ScoreBlocks, csls

Sides = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Ids of source entities, and of target entities."""


@dataclass(frozen=True, eq=False)
class BestScores:
    """The best candidate of each entity of one KG that was scored, in the order of ``entities``.

    Attributes:
        entities: Ids, [n].
        scores: Score of the best candidate, [n].
        candidates: Id of the best candidate, [n].
        is_sole: Whether no other candidate has that score, [n].
    """

    entities: NDArray[np.int64]
    scores: NDArray[np.float64]
    candidates: NDArray[np.int64]
    is_sole: NDArray[np.bool_]

    def of(self, entities: Ids) -> BestScores:
        """The part that is about these entities, in their order; all of them were scored."""
        order = np.argsort(self.entities)
        rows = order[np.searchsorted(self.entities, entities, sorter=order)]
        return BestScores(
            self.entities[rows], self.scores[rows], self.candidates[rows], self.is_sole[rows]
        )


def best_scores(
    blocks: ScoreBlocks, scored: Sides, csls_sizes: tuple[int, ...] = (0,)
) -> dict[int, tuple[BestScores, BestScores]]:
    """Best candidates of the rows and of the columns; no matrix of all scores is held.

    Scores of wide vectors are dear: one pass over them serves the plain scores and the means of all
    neighbourhoods, a second one all rescaled scores.

    Args:
        blocks: Scores of some source entities with some target entities, at least one.
        scored: Their ids, row by row and column by column.
        csls_sizes: Neighbours by which scores are rescaled; 0 takes them as they are.

    Returns:
        Neighbourhood size to the best of the rows and of the columns.
    """
    rescaled = [size for size in csls_sizes if size]
    gathered = {size: NeighbourhoodMeans(blocks, size) for size in rescaled}
    found = {size: _Bests() for size in csls_sizes}
    for block in blocks:
        if 0 in found:
            found[0].add(block.scores, block.start)
        for means in gathered.values():
            means.add(block)
    all_means = {size: means.means() for size, means in gathered.items()}
    for block in blocks if rescaled else ():
        for size, (row_means, column_means) in all_means.items():
            own = row_means[block.start : block.stop].unsqueeze(1)
            found[size].add(csls(block.scores, own, column_means), block.start)
    sources, targets = (np.asarray(ids, dtype=np.int64) for ids in scored)
    return {
        size: (
            _found(bests.of_rows(), sources, targets),
            _found(bests.of_columns(), targets, sources),
        )
        for size, bests in found.items()
    }


@dataclass(frozen=True, eq=False)
class _Best:
    """Largest scores, where the first of them stands, and how many are equal to it, [n] each."""

    scores: Tensor
    places: Tensor
    counts: Tensor


class _Bests:
    """Best of all rows and columns, gathered block by block."""

    def __init__(self) -> None:
        self._rows: list[_Best] = []
        self._columns: _Best | None = None

    def add(self, scores: Tensor, start: int) -> None:
        """Takes the next rows into account, of which the first is ``start``."""
        self._rows.append(_best(scores, dim=1))
        own = _best(scores, dim=0)
        own = _Best(own.scores, own.places + start, own.counts)
        self._columns = own if self._columns is None else _better(self._columns, own)

    def of_rows(self) -> _Best:
        parts = zip(*((best.scores, best.places, best.counts) for best in self._rows), strict=True)
        return _Best(*(torch.cat(part) for part in parts))

    def of_columns(self) -> _Best:
        if self._columns is None:
            raise ValueError("best scores need at least one row")
        return self._columns


def _best(scores: Tensor, dim: int) -> _Best:
    values, places = scores.max(dim=dim)
    # Summed as floats: many times faster than booleans, and exact below 2 ** 24 candidates.
    counts = scores.eq(values.unsqueeze(dim)).float().sum(dim=dim)
    return _Best(values, places, counts)


def _better(first: _Best, second: _Best) -> _Best:
    is_second, is_equal = second.scores > first.scores, second.scores == first.scores
    return _Best(
        torch.where(is_second, second.scores, first.scores),
        torch.where(is_second, second.places, first.places),
        torch.where(is_second, second.counts, first.counts + second.counts * is_equal),
    )


def _found(best: _Best, entities: NDArray[np.int64], others: NDArray[np.int64]) -> BestScores:
    return BestScores(
        entities,
        best.scores.double().cpu().numpy(),
        others[best.places.cpu().numpy()],
        best.counts.cpu().numpy() == 1,
    )
