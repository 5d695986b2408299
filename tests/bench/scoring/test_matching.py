"""One-to-one matchings equal what trying all of them finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.matching import (
    mutual_pairs,
    optimal_pairs,
    optimal_pairs_among,
    stable_pairs,
)
from mmea_bench.methods.core.similarity import ScoreMatrix

SHAPES = [(5, 5), (4, 6), (6, 4), (1, 3)]


def blocks_of(scores: np.ndarray, block_rows: int = 2) -> ScoreMatrix:
    """Any matrix as scores: inner products with unit vectors."""
    unit = torch.eye(scores.shape[1], dtype=torch.float64)
    return ScoreMatrix(torch.from_numpy(scores), unit, "inner", block_rows)


def random_scores(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def every_matching(shape: tuple[int, int]) -> list[list[tuple[int, int]]]:
    n_rows, n_columns = shape
    if n_rows <= n_columns:
        chosen = itertools.permutations(range(n_columns), n_rows)
        return [list(enumerate(columns)) for columns in chosen]
    return [[(r, c) for c, r in pairs] for pairs in every_matching((n_columns, n_rows))]


def is_stable(scores: np.ndarray, pairs: np.ndarray) -> bool:
    """No row and column would both gain (strictly) by leaving their partners."""
    row_has = np.full(scores.shape[0], -np.inf)
    column_has = np.full(scores.shape[1], -np.inf)
    for row, column in pairs:
        row_has[row] = column_has[column] = scores[row, column]
    return not ((scores > row_has[:, None]) & (scores > column_has[None, :])).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_optimal_matching_has_the_largest_sum_of_all(shape: tuple[int, int]) -> None:
    for seed in range(5):
        scores = random_scores(shape, seed)
        best = max(every_matching(shape), key=lambda pairs: sum(scores[p] for p in pairs))
        assert optimal_pairs(blocks_of(scores)).tolist() == sorted(map(list, best))


@pytest.mark.parametrize("shape", SHAPES)
def test_with_all_candidates_it_is_the_same(shape: tuple[int, int]) -> None:
    for seed in range(5):
        blocks = blocks_of(random_scores(shape, seed))
        found = optimal_pairs_among(blocks, shape[1])
        assert sorted(found.tolist()) == optimal_pairs(blocks).tolist()


def test_few_candidates_leave_rows_without_a_partner_only_where_they_must() -> None:
    scores = np.array([[9.0, 8.0, 0.0], [9.5, 1.0, 0.5], [9.9, 0.2, 0.1]])
    # Two candidates each: rows 0 and 1 may have columns 0 and 1, row 2 too; column 2 nobody's.
    found = optimal_pairs_among(blocks_of(scores), 2).tolist()
    assert sorted(found) == [[0, 1], [2, 0]]


def test_more_pairs_are_worth_more_than_a_larger_sum() -> None:
    scores = np.array([[100.0, -100.0], [99.0, -500.0]])
    assert sorted(optimal_pairs_among(blocks_of(scores), 2).tolist()) == [[0, 1], [1, 0]]


def test_stable_matching_of_a_case_by_hand() -> None:
    # The largest score of all is 9 (row 0, column 0); of what is left 7 (row 1, column 2), then 1.
    scores = np.array([[9.0, 8.0, 2.0], [8.5, 3.0, 7.0], [8.0, 1.0, 6.0]])
    assert stable_pairs(blocks_of(scores)).tolist() == [[0, 0], [1, 2], [2, 1]]


@pytest.mark.parametrize("n_candidates", [1, 2, 3, 50])
@pytest.mark.parametrize("shape", [(30, 30), (20, 35), (35, 20)])
def test_it_is_the_one_stable_matching_however_few_candidates_a_round_sees(
    shape: tuple[int, int], n_candidates: int
) -> None:
    scores = random_scores(shape, seed=3)
    pairs = stable_pairs(blocks_of(scores, block_rows=7), n_candidates)
    assert len(pairs) == min(shape)
    assert is_stable(scores, pairs)
    assert np.array_equal(pairs, stable_pairs(blocks_of(scores), max(shape)))


@pytest.mark.parametrize("n_candidates", [1, 4])
def test_it_is_stable_among_ties_too(n_candidates: int) -> None:
    scores = np.random.default_rng(0).integers(0, 3, size=(12, 12)).astype(np.float64)
    pairs = stable_pairs(blocks_of(scores), n_candidates)
    assert len(pairs) == len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == 12
    assert is_stable(scores, pairs)


def test_mutual_neighbours_by_hand() -> None:
    scores = np.array([[5.0, 1.0, 0.0], [4.0, 2.0, 3.0], [0.0, 1.0, 2.5]])
    # Row 0 and column 0 choose each other; row 1 wants column 0, column 2 wants row 1.
    assert mutual_pairs(blocks_of(scores)).tolist() == [[0, 0]]
