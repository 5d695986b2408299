"""Bootstrapping: likely pairs become labels, one-to-one, edited or growing from look to look.

Works on whatever a method returns, vectors or scores of pairs, in row blocks. No gold link is read:
candidates are all entities that no seed link holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from torch import Tensor

from mmea_bench.methods.core.base import Alignment
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.similarity import (
    CslsBlocks,
    ScoreBlock,
    ScoreBlocks,
    mutual_nearest_in,
)
from mmea_bench.methods.core.training_log import TrainingLog

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Cells of a matrix of scores.

    Attributes:
        rows: [n] int64.
        columns: [n] int64.
        scores: Higher is better, [n] float64.
    """

    rows: IntArray
    columns: IntArray
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.rows)

    def chosen(self, kept: NDArray[np.generic]) -> ScoredPairs:
        """Some of the pairs, by position or mask."""
        return ScoredPairs(self.rows[kept], self.columns[kept], self.scores[kept])

    def joined(self, other: ScoredPairs) -> ScoredPairs:
        """These pairs and then the others."""
        return ScoredPairs(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.scores, other.scores]),
        )


def threshold_candidates(blocks: ScoreBlocks, threshold: float, top_k: int = 0) -> ScoredPairs:
    """Cells above a threshold that are among the best of their row, sorted by row.

    Args:
        blocks: The scores.
        threshold: Scores have to be larger.
        top_k: Largest rank within a row; 0 is no limit, for thresholds that few cells exceed.
    """
    rows, columns, scores = [], [], []
    size = min(top_k or blocks.n_target, blocks.n_target)
    for block in blocks:
        if top_k:
            best = block.scores.topk(size, dim=1)
            inside, place = torch.nonzero(best.values > threshold, as_tuple=True)
            column, score = best.indices[inside, place], best.values[inside, place]
        else:
            inside, column = torch.nonzero(block.scores > threshold, as_tuple=True)
            score = block.scores[inside, column]
        rows.append((inside + block.start).cpu())
        columns.append(column.cpu())
        scores.append(score.cpu().double())
    if not rows:
        return _no_pairs()
    return ScoredPairs(*(torch.cat(part).numpy() for part in (rows, columns, scores)))


def scores_of(blocks: ScoreBlocks, rows: IntArray, columns: IntArray) -> NDArray[np.float64]:
    """Scores of some cells, [n] float64.

    Args:
        blocks: The scores.
        rows: Row of each cell, [n].
        columns: Column of each cell, [n].
    """
    noted = NotedScores(blocks, rows, columns)
    for _ in noted:
        pass
    return noted.scores


class NotedScores:
    """Scores whose cells of interest are written down while somebody else reads the blocks.

    A pass makes all scores anew, which is what a look for labels takes.

    Args:
        plain: The scores.
        rows: Row of each cell, [n].
        columns: Column of each cell, [n].

    Attributes:
        scores: Of those cells after a pass, [n] float64.
    """

    def __init__(self, plain: ScoreBlocks, rows: IntArray, columns: IntArray) -> None:
        self.n_source, self.n_target = plain.n_source, plain.n_target
        self.device, self.dtype = plain.device, plain.dtype
        self._plain, self._order = plain, np.argsort(rows, kind="stable")
        self._rows, self._columns = rows[self._order], columns[self._order]
        self.scores = np.empty(len(rows))

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row; the reader may change their scores."""
        for block in self._plain:
            first, last = np.searchsorted(self._rows, [block.start, block.stop])
            if first < last:
                rows, columns = (
                    torch.from_numpy(ids[first:last].copy()).to(block.scores.device)
                    for ids in (self._rows - block.start, self._columns)
                )
                found = block.scores[rows, columns].double().cpu().numpy()
                self.scores[self._order[first:last]] = found
            yield block


def best_one_to_one(candidates: ScoredPairs) -> ScoredPairs:
    """The matching with the largest sum of scores among candidates, sorted by row.

    No row and no column stands in two pairs; scores of zero or less are never matched, and a row
    stays alone where that makes the sum larger.

    Args:
        candidates: Distinct cells.

    Reference: Sun et al. (BootEA), IJCAI 2018, section 3.4.
    """
    candidates = candidates.chosen(candidates.scores > 0)
    if not len(candidates):
        return candidates
    _, rows = np.unique(candidates.rows, return_inverse=True)
    column_ids, columns = np.unique(candidates.columns, return_inverse=True)
    n_rows, n_columns = int(rows.max()) + 1, len(column_ids)
    # Every row has a further column of its own, so that staying alone is part of a full matching.
    # One is added to all values, because a cell of value zero counts as no cell.
    everyone = np.arange(n_rows)
    values = np.concatenate([candidates.scores + 1, np.ones(n_rows)])
    places = np.concatenate([rows, everyone]), np.concatenate([columns, n_columns + everyone])
    graph = coo_matrix((values, places), shape=(n_rows, n_columns + n_rows)).tocsr()
    matched_rows, matched_columns = min_weight_full_bipartite_matching(graph, maximize=True)
    partner = np.full(n_rows, -1, dtype=np.int64)
    partner[matched_rows] = matched_columns
    return candidates.chosen(np.flatnonzero(partner[rows] == columns))


def edited(old: ScoredPairs, new: ScoredPairs) -> ScoredPairs:
    """Labels after a look: the better-scoring pair of every entity stays, sorted by row.

    A row's old pair gives way to a new one that scores as well or better; then a column that
    several rows claim goes to the best of them. Pairs that nothing challenges persist.

    Args:
        old: Labels so far with their current scores; a row stands in one at most.
        new: Found at this look.

    Reference: Sun et al. (BootEA), IJCAI 2018, section 3.4, as the released code edits.
    """
    both = old.joined(new)
    is_old = np.arange(len(both)) < len(old)
    order = np.lexsort((is_old, -both.scores, both.rows))
    by_row = both.chosen(order[_first_of(both.rows[order])])
    order = np.lexsort((by_row.rows, -by_row.scores, by_row.columns))
    kept = by_row.chosen(order[_first_of(by_row.columns[order])])
    return kept.chosen(np.argsort(kept.rows))


@dataclass(frozen=True)
class BootstrapRule:
    """Which pairs a look finds and what becomes of older labels.

    Attributes:
        matching: ``one-to-one`` is the matching with the largest sum of scores, ``mutual`` takes
            mutual nearest neighbours, ``best`` the best target of every source (several sources
            may then claim a target; the best of them gets it).
        threshold: Scores have to be larger; one-to-one never matches scores of 0 or less.
        top_k: Largest rank of a target among those of its source in a one-to-one matching.
        csls_k: Neighbourhood of CSLS, 0 without.
        edits: Whether older labels compete with new ones by current score, as in BootEA; else they
            stay for good and their entities are looked at no more, as in Dual-AMN.
    """

    matching: Literal["one-to-one", "mutual", "best"] = "one-to-one"
    threshold: float = 0.7
    top_k: int = 20
    csls_k: int = 0
    edits: bool = True


class Bootstrapping:
    """Labels of entities without a seed, renewed at every look.

    Args:
        seed_pairs: Seed links as joint ids, [n_seed, 2] int64.
        n_source: Source entities; joint ids below are source entities.
        n_entities: Entities of both graphs.
        rule: What a look does.
        log: Told from which epoch on labels are learned, which makes a row "iterative".

    Attributes:
        labels: Current pseudo-labels as joint ids, [n_labels, 2] int64, sorted by source.
        label_scores: Their scores at the last look (without edits: when found), [n_labels] float32.
    """

    def __init__(
        self,
        seed_pairs: Tensor,
        n_source: int,
        n_entities: int,
        rule: BootstrapRule,
        log: TrainingLog,
    ) -> None:
        self._seed_pairs, self._rule, self._log = seed_pairs.cpu(), rule, log
        self._n_source, self._n_entities = n_source, n_entities
        self.labels = torch.empty(0, 2, dtype=torch.int64)
        self.label_scores = torch.empty(0)

    @property
    def pairs(self) -> Tensor:
        """Seed links and then labels, [n_seed + n_labels, 2] int64."""
        return torch.cat([self._seed_pairs, self.labels])

    def look(self, epoch: int, alignment: Alignment) -> Tensor:
        """Finds labels by the current scores.

        Args:
            epoch: Epoch just trained, counted from 1.
            alignment: Current vectors or scores of pairs, as a method returns them.

        Returns:
            The labels from now on, as ``labels``.
        """
        sources, targets = self._free(self._seed_pairs if self._rule.edits else self.pairs)
        if len(sources) and len(targets):
            plain = score_blocks(alignment, sources, targets)
            blocks = CslsBlocks(plain, self._rule.csls_k) if self._rule.csls_k else plain
            rows, columns = self._places(sources, targets) if self._rule.edits else _no_places()
            noted = NotedScores(blocks, rows, columns)
            found = self._found(noted)
            # Without edits nothing is noted, and new labels compete with each other alone.
            new = edited(ScoredPairs(rows, columns, noted.scores), found)
            self._take(new, sources, targets)
        if len(self.labels):
            self._log.pseudo_labels_from(epoch + 1)
        return self.labels

    def _free(self, pairs: Tensor) -> tuple[IntArray, IntArray]:
        """Source and target ids of entities that stand in no pair."""
        free = np.ones(self._n_entities, dtype=bool)
        free[pairs.flatten().numpy()] = False
        return np.flatnonzero(free[: self._n_source]), np.flatnonzero(free[self._n_source :])

    def _found(self, blocks: ScoreBlocks) -> ScoredPairs:
        rule = self._rule
        if rule.matching == "mutual":
            rows, columns = mutual_nearest_in(blocks).numpy().T
            found = ScoredPairs(rows, columns, scores_of(blocks, rows, columns))
            return found.chosen(found.scores > rule.threshold)
        if rule.matching == "best":
            return threshold_candidates(blocks, rule.threshold, 1)
        return best_one_to_one(threshold_candidates(blocks, rule.threshold, rule.top_k))

    def _places(self, sources: IntArray, targets: IntArray) -> tuple[IntArray, IntArray]:
        """Rows and columns of the labels so far among the scores."""
        labels = self.labels.numpy()
        rows = np.searchsorted(sources, labels[:, 0])
        return rows, np.searchsorted(targets, labels[:, 1] - self._n_source)

    def _take(self, found: ScoredPairs, sources: IntArray, targets: IntArray) -> None:
        ids = np.stack([sources[found.rows], targets[found.columns] + self._n_source], axis=1)
        labels, scores = torch.from_numpy(ids), torch.from_numpy(found.scores).float()
        if not self._rule.edits:
            labels = torch.cat([self.labels, labels])
            scores = torch.cat([self.label_scores, scores])
        order = torch.argsort(labels[:, 0])
        self.labels, self.label_scores = labels[order], scores[order]


def _first_of(sorted_ids: IntArray) -> NDArray[np.bool_]:
    """Whether each id differs from the one before it."""
    return np.concatenate([[True], sorted_ids[1:] != sorted_ids[:-1]])[: len(sorted_ids)]


def _no_places() -> tuple[IntArray, IntArray]:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


def _no_pairs() -> ScoredPairs:
    return ScoredPairs(*_no_places(), np.empty(0))
