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
    blocks: ScoreBlocks, scored: Sides, csls_size: int = 0
) -> tuple[BestScores, BestScores]:
    """Best candidates of the rows and of the columns; no matrix of all scores is held.

    Args:
        blocks: Scores of some source entities with some target entities.
        scored: Their ids, row by row and column by column.
        csls_size: Neighbours by which scores are rescaled; 0 takes them as they are.
    """
    means = _means(blocks, csls_size)
    rows: list[_Best] = []
    columns: _Best | None = None
    for block in blocks:
        scores = block.scores
        if means is not None:
            scores = csls(scores, means[0][block.start : block.stop].unsqueeze(1), means[1])
        rows.append(_best(scores, dim=1))
        own = _best(scores, dim=0)
        own = _Best(own.scores, own.places + block.start, own.counts)
        columns = own if columns is None else _better(columns, own)
    if columns is None:
        raise ValueError("best scores need at least one row")
    parts = zip(*((best.scores, best.places, best.counts) for best in rows), strict=True)
    of_rows = _Best(*(torch.cat(part) for part in parts))
    sources, targets = (np.asarray(ids, dtype=np.int64) for ids in scored)
    return _found(of_rows, sources, targets), _found(columns, targets, sources)


@dataclass(frozen=True, eq=False)
class _Best:
    """Largest scores, where the first of them stands, and how many are equal to it, [n] each."""

    scores: Tensor
    places: Tensor
    counts: Tensor


def _means(blocks: ScoreBlocks, csls_size: int) -> tuple[Tensor, Tensor] | None:
    if not csls_size:
        return None
    gathered = NeighbourhoodMeans(blocks, csls_size)
    for block in blocks:
        gathered.add(block)
    return gathered.means()


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
