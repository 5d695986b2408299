"""One-to-one matchings of scores: optimal, stable, and mutual nearest neighbours.

Each takes the scores in row blocks and returns (row, column) pairs, [n_pairs, 2] int64, sorted by
row; no row and no column stands in two pairs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from torch import Tensor

from mmea_bench.methods.core.similarity import ScoreBlocks, mutual_nearest_in, top_candidates

Pairs = NDArray[np.int64]

LARGEST_DENSE_CELLS = 2**28
"""Scores that an optimal assignment holds at once (2 GiB); larger ones need candidates."""

STABLE_CANDIDATES = 50
"""Candidates of a row that a round of the stable matching looks at."""


def optimal_pairs(blocks: ScoreBlocks) -> Pairs:
    """The matching with the largest sum of scores, over all cells.

    Holds all scores in float64; see ``LARGEST_DENSE_CELLS``.

    Reference: Kuhn 1955; ``scipy.optimize.linear_sum_assignment``.
    """
    is_wide = blocks.n_source <= blocks.n_target
    # SciPy copies what it has to negate or to transpose.
    costs = np.empty(sorted((blocks.n_source, blocks.n_target)))
    for block in blocks:
        rows = slice(block.start, block.stop)
        part = block.scores.neg().cpu().numpy()
        if is_wide:
            costs[rows] = part
        else:
            costs[:, rows] = part.T
    matched = linear_sum_assignment(costs)
    pairs = np.stack(matched if is_wide else matched[::-1], axis=1).astype(np.int64)
    return pairs[np.argsort(pairs[:, 0])]


def optimal_pairs_among(blocks: ScoreBlocks, n_candidates: int) -> Pairs:
    """The matching with the largest sum of scores among the best candidates of every row.

    As many rows as possible are matched; a row whose candidates are all taken by others stays
    without a partner.

    Args:
        blocks: The scores.
        n_candidates: Columns that each row may be matched with, its best ones.
    """
    best, columns = (part.cpu().numpy() for part in top_candidates(blocks, n_candidates))
    n_rows, size = columns.shape
    rows = np.repeat(np.arange(n_rows), size)
    low = best.min()
    # A further column for each row alone makes a full matching possible. Any real cell is worth
    # more than all that choosing it can cost elsewhere, so that no row ends there without need.
    bonus = n_rows * float(best.max() - low + 1)
    values = np.concatenate([best.ravel().astype(np.float64) - low + bonus, np.ones(n_rows)])
    places = (
        np.concatenate([rows, np.arange(n_rows)]),
        np.concatenate([columns.ravel(), blocks.n_target + np.arange(n_rows)]),
    )
    graph: csr_matrix = coo_matrix(
        (values, places), shape=(n_rows, blocks.n_target + n_rows)
    ).tocsr()
    matched = np.stack(min_weight_full_bipartite_matching(graph, maximize=True), axis=1)
    return matched[matched[:, 1] < blocks.n_target].astype(np.int64)


def stable_pairs(blocks: ScoreBlocks, n_candidates: int = STABLE_CANDIDATES) -> Pairs:
    """The stable matching: no row and column prefer each other to their partners.

    Rows and columns read the same score, so proposing in the order of Gale and Shapley ends where
    matching the largest score among the free ones, again and again, does. Each round sorts the best
    free candidates of every free row, and stops where a score that it does not hold could be next.

    Args:
        blocks: The scores.
        n_candidates: Candidates of a row in a round; any value gives a stable matching.

    Reference: Gale and Shapley 1962; for entity alignment Zeng et al., ICDE 2020 (CEA).
    """
    free_rows = torch.ones(blocks.n_source, dtype=torch.bool)
    free_columns = torch.ones(blocks.n_target, dtype=torch.bool)
    pairs: list[tuple[int, int]] = []
    while bool(free_rows.any()) and bool(free_columns.any()):
        size = min(n_candidates, int(free_columns.sum()))
        rows, columns, scores = _free_candidates(blocks, free_rows, free_columns, size)
        found = _greedy(rows, columns, scores, hides_more=size < int(free_columns.sum()))
        pairs += found
        for row, column in found:
            free_rows[row] = free_columns[column] = False
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _free_candidates(
    blocks: ScoreBlocks, free_rows: Tensor, free_columns: Tensor, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]:
    """Free rows [n], their best free columns [n, size] and scores [n, size], best first."""
    columns = torch.nonzero(free_columns).squeeze(1).to(blocks.device)
    rows = torch.nonzero(free_rows).squeeze(1)
    # Written in place, as in ``top_candidates``, so that memory does not grow by blocks.
    best = torch.empty((len(rows), size), dtype=blocks.dtype)
    chosen = torch.empty((len(rows), size), dtype=torch.int64)
    done = 0
    for block in blocks:
        inside = torch.nonzero(free_rows[block.start : block.stop]).squeeze(1).to(blocks.device)
        if len(inside):
            top = block.scores[inside][:, columns].topk(size, dim=1)
            best[done : done + len(inside)] = top.values
            chosen[done : done + len(inside)] = columns[top.indices]
            done += len(inside)
    return rows.numpy(), chosen.numpy(), best.numpy()


def _greedy(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    scores: NDArray[np.floating],
    *,
    hides_more: bool,
) -> list[tuple[int, int]]:
    """Pairs in descending order of score, while no score outside the lists could be larger."""
    n_rows, size = scores.shape
    left = [size] * n_rows
    taken_rows, taken_columns = set[int](), set[int]()
    found: list[tuple[int, int]] = []
    for cell in np.argsort(-scores, axis=None, kind="stable").tolist():
        row, place = divmod(cell, size)
        if row in taken_rows:
            continue
        column = int(columns[row, place])
        left[row] -= 1
        if column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
            found.append((int(rows[row]), column))
        elif not left[row] and hides_more:
            break  # what comes next for this row is not in its list
    return found


def mutual_pairs(blocks: ScoreBlocks) -> Pairs:
    """Rows and columns that are each other's best; all others stay without a partner."""
    return mutual_nearest_in(blocks).numpy()
