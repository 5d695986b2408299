"""Labels against enumeration of all matchings and against editing one label after the other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.training.bootstrapping import (
    Bootstrapping,
    BootstrapRule,
    NotedScores,
    ScoredPairs,
    best_one_to_one,
    edited,
    scores_of,
    threshold_candidates,
)
from mmea_bench.methods.core.training_log import TrainingLog

NO_SEEDS = torch.empty(0, 2, dtype=torch.int64)


def score_source(scores: Any, block_rows: int = 64) -> ScoreMatrix:
    """A given matrix as blocks: inner products with unit vectors."""
    matrix = torch.tensor(scores)
    return ScoreMatrix(matrix, torch.eye(matrix.shape[1]), "inner", block_rows)


def cells(pairs: ScoredPairs) -> dict[tuple[int, int], float]:
    return {
        (int(row), int(column)): float(score)
        for row, column, score in zip(pairs.rows, pairs.columns, pairs.scores, strict=True)
    }


def scored(found: dict[tuple[int, int], float]) -> ScoredPairs:
    ids = np.array(list(found), dtype=np.int64).reshape(-1, 2)
    return ScoredPairs(ids[:, 0], ids[:, 1], np.array(list(found.values()), dtype=float))


@pytest.mark.parametrize("top_k", [0, 1, 3])
def test_candidates_equal_ranking_every_row(top_k: int) -> None:
    scores = np.random.default_rng(0).random((130, 9)).astype(np.float32)
    expected = {}
    for row, values in enumerate(scores):
        ranked = sorted(range(9), key=lambda column, of=values: -of[column])  # type: ignore[misc]
        for column in ranked[: top_k or 9]:
            if values[column] > 0.6:
                expected[row, column] = values[column]
    found = cells(threshold_candidates(score_source(scores), 0.6, top_k))
    assert found == pytest.approx(expected)


def test_scores_of_cells_in_any_order() -> None:
    scores = np.random.default_rng(1).random((150, 5)).astype(np.float32)
    rows, columns = np.array([149, 3, 70, 3]), np.array([4, 0, 2, 1])
    found = scores_of(score_source(scores), rows, columns)
    assert found.tolist() == pytest.approx(scores[rows, columns].tolist())


def test_scores_are_noted_before_the_reader_of_a_block_changes_them() -> None:
    scores = np.random.default_rng(1).random((150, 5)).astype(np.float32)
    rows, columns = np.array([149, 3, 70, 3]), np.array([4, 0, 2, 1])
    noted = NotedScores(score_source(scores), rows, columns)
    for block in noted:
        block.scores.zero_()
    assert noted.scores.tolist() == pytest.approx(scores[rows, columns].tolist())


@pytest.mark.parametrize("seed", range(20))
def test_one_to_one_has_the_largest_sum_of_all_matchings(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(4, 5))
    scores[generator.random((4, 5)) < 0.3] = -1  # no candidate
    best = 0.0
    for columns in itertools.permutations([*range(5), *[-1] * 4], 4):
        taken = [scores[row, column] for row, column in enumerate(columns) if column >= 0]
        best = max(best, sum(taken))
    candidates = {
        (row, column): scores[row, column]
        for row, column in itertools.product(range(4), range(5))
        if scores[row, column] > -1
    }
    found = cells(best_one_to_one(scored(candidates)))
    assert sum(found.values()) == pytest.approx(best)
    assert len({row for row, _ in found}) == len({column for _, column in found}) == len(found)
    assert all(candidates[cell] == score for cell, score in found.items())


def test_a_row_stays_alone_where_the_others_gain_more() -> None:
    # Rows 0 and 1 both want column 0; row 1 has nothing else and is worth more.
    found = best_one_to_one(scored({(0, 0): 0.8, (1, 0): 0.9}))
    assert cells(found) == {(1, 0): 0.9}
    assert cells(best_one_to_one(scored({}))) == {}
    assert cells(best_one_to_one(scored({(0, 0): -0.5}))) == {}


@pytest.mark.parametrize("seed", range(20))
def test_editing_equals_going_through_labels_one_by_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(1, 6, size=(6, 6)) / 5
    old, new = (
        {(row, int(column)): scores[row, column] for row, column in enumerate(columns) if there}
        for columns, there in zip(
            (generator.permutation(6), generator.permutation(6)), (True, True), strict=True
        )
    )
    old = {cell: score for cell, score in old.items() if cell[0] % 3}
    new = {cell: score for cell, score in new.items() if cell[1] % 3}
    label = dict(old.keys())
    for row, column in new:
        if row not in label or scores[row, column] >= scores[row, label[row]]:
            label[row] = column
    owner: dict[int, int] = {}
    for row, column in sorted(label.items()):
        if column not in owner or scores[row, column] > scores[owner[column], column]:
            owner[column] = row
    expected = {(row, column): scores[row, column] for column, row in owner.items()}
    assert cells(edited(scored(old), scored(new))) == pytest.approx(expected)


def alignment(scores: Any, kind: str) -> Embeddings | PairScores:
    """The same scores as vectors or as a function of pairs."""
    matrix = torch.tensor(scores)
    if kind == "vectors":
        return Embeddings(matrix, torch.eye(matrix.shape[1]), "inner")
    return PairScores(lambda rows: matrix[rows], *matrix.shape)


@pytest.mark.parametrize("kind", ["vectors", "pairs"])
def test_labels_are_edited_from_look_to_look(kind: str) -> None:
    seeds = torch.tensor([[0, 4 + 1]])
    log = TrainingLog()
    labels = Bootstrapping(seeds, 4, 8, BootstrapRule(threshold=0.5), log)
    first = [[9.0, 9, 9, 9], [0.9, 9, 0.4, 0], [0.8, 9, 0.4, 0], [0, 9, 0, 0.45]]
    # Source 0 and target 1 are seeds; only 1-0 and 2-0 pass 0.5, and 1-0 is worth more.
    assert labels.look(10, alignment(first, kind)).tolist() == [[1, 4 + 0]]
    assert log.first_pseudo_epoch == 11
    # 1-0 has become worse than 2-0 and than 1-2, and 3-3 has passed the threshold.
    second = [[9.0, 9, 9, 9], [0.55, 9, 0.7, 0], [0.8, 9, 0.4, 0], [0, 9, 0, 0.55]]
    assert labels.look(20, alignment(second, kind)).tolist() == [[1, 6], [2, 4], [3, 7]]
    assert labels.label_scores.tolist() == pytest.approx([0.7, 0.8, 0.55])
    # Nothing passes the threshold any more, so nothing is found and the labels persist.
    third = [[0.0] * 4, [0.1, 0, 0.1, 0], [0.1] * 4, [0.1] * 4]
    assert labels.look(30, alignment(third, kind)).tolist() == [[1, 6], [2, 4], [3, 7]]
    assert labels.pairs.tolist() == [[0, 5], [1, 6], [2, 4], [3, 7]]


def test_growing_labels_stay_for_good() -> None:
    rule = BootstrapRule("mutual", threshold=-np.inf, edits=False)
    labels = Bootstrapping(NO_SEEDS, 3, 6, rule, TrainingLog())
    first = [[0.9, 0.1, 0.8], [0.8, 0.1, 0.0], [0.85, 0.0, 0.2]]
    # Mutual nearest: only 0-0. Target 1 prefers source 0 (the lowest of equals), target 2 too.
    assert labels.look(1, alignment(first, "vectors")).tolist() == [[0, 3]]
    # Source 0 and target 0 are no longer asked: 1-1 and 2-2 are each other's best.
    second = [[0.0, 0.0, 0.0], [1.0, 0.3, 0.2], [1.0, 0.1, 0.4]]
    assert labels.look(2, alignment(second, "vectors")).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_best_target_of_each_source_goes_to_its_best_source() -> None:
    rule = BootstrapRule("best", threshold=0.5)
    labels = Bootstrapping(NO_SEEDS, 3, 6, rule, TrainingLog())
    scores = [[0.9, 0.0, 0.8], [0.95, 0.9, 0.0], [0.0, 0.0, 0.4]]
    assert labels.look(1, alignment(scores, "vectors")).tolist() == [[1, 3]]


def test_csls_takes_hubs_away() -> None:
    # Target 0 is near everybody; CSLS with one neighbour subtracts what it is to its best source.
    scores = [[0.9, 0.7], [1.0, 0.0]]
    plain = Bootstrapping(NO_SEEDS, 2, 4, BootstrapRule("best", threshold=-np.inf), TrainingLog())
    scaled = Bootstrapping(
        NO_SEEDS, 2, 4, BootstrapRule("best", threshold=-np.inf, csls_k=1), TrainingLog()
    )
    assert plain.look(1, alignment(scores, "vectors")).tolist() == [[1, 2]]
    # 2 * .9 - .9 - 1 = -.1 and 2 * .7 - .9 - .7 = -.2 for source 0; target 0 still is its best.
    assert scaled.look(1, alignment(scores, "vectors")).tolist() == [[1, 2]]
    hub = [[0.9, 0.85], [1.0, 0.0]]
    # 2 * .9 - .9 - 1 = -.1 and 2 * .85 - .9 - .85 = -.05: now target 1 is.
    assert scaled.look(2, alignment(hub, "vectors")).tolist() == [[0, 3], [1, 2]]


def test_without_free_entities_the_labels_stay() -> None:
    seeds = torch.tensor([[0, 1]])
    labels = Bootstrapping(seeds, 1, 2, BootstrapRule(), TrainingLog())
    assert labels.look(1, alignment([[1.0]], "vectors")).shape == (0, 2)
    assert labels.pairs.tolist() == [[0, 1]]
