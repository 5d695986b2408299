"""Sinkhorn in row blocks equals the plain matrix algorithm."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.score_blocks import LARGEST_SCORE, HeldScores
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.sinkhorn import SMALLEST_TEMPERATURE, SinkhornAmong, SinkhornBlocks


def plain_plan(scores: np.ndarray, temperature: float, sweeps: int) -> np.ndarray:
    plan = np.exp(scores / temperature)
    for _ in range(sweeps):
        plan /= plan.sum(axis=1, keepdims=True)
        plan /= plan.sum(axis=0, keepdims=True)
    return plan


def plan_of(scores: np.ndarray, temperature: float, sweeps: int, block_rows: int) -> np.ndarray:
    unit = torch.eye(scores.shape[1], dtype=torch.float64)
    plain = ScoreMatrix(torch.from_numpy(scores), unit, "inner", block_rows)
    blocks = SinkhornBlocks(plain, temperature, sweeps)
    return np.exp(np.concatenate([block.scores.numpy() for block in blocks]))


@pytest.mark.parametrize("block_rows", [1, 64, 1000])
@pytest.mark.parametrize(("temperature", "sweeps"), [(1.0, 1), (0.3, 4), (0.1, 10)])
def test_blocks_give_the_plan_of_the_full_matrix(
    temperature: float, sweeps: int, block_rows: int
) -> None:
    scores = np.random.default_rng(1).uniform(-1, 1, size=(130, 90))
    found = plan_of(scores, temperature, sweeps, block_rows)
    np.testing.assert_allclose(found, plain_plan(scores, temperature, sweeps), rtol=1e-9)


def test_one_sweep_by_hand() -> None:
    # exp(log x) is x: rows [1, 3] and [2, 2] become [1/4, 3/4] and [1/2, 1/2], whose columns sum
    # to 3/4 and 5/4.
    scores = np.log(np.array([[1.0, 3.0], [2.0, 2.0]]))
    np.testing.assert_allclose(plan_of(scores, 1.0, 1, 64), [[1 / 3, 3 / 5], [2 / 3, 2 / 5]])


def test_columns_sum_to_one_after_many_sweeps_and_so_do_rows() -> None:
    scores = np.random.default_rng(2).uniform(-1, 1, size=(40, 40))
    plan = plan_of(scores, 0.2, 200, 16)
    np.testing.assert_allclose(plan.sum(axis=0), 1)
    np.testing.assert_allclose(plan.sum(axis=1), 1, rtol=1e-3)


def test_shares_too_small_for_a_number_are_summed_in_logarithms() -> None:
    # Column 1 gets exp(-1000) of every row, which is 0 in double precision, and 1 in the end.
    scores = np.array([[0.0, -1000.0], [0.0, -1000.0]])
    plan = plan_of(scores, 1.0, 1, 64)
    np.testing.assert_allclose(plan, np.full((2, 2), 0.5))


@pytest.mark.parametrize("largest", [0, 10**6])
def test_held_scores_are_the_scores_whatever_a_reader_does_with_them(largest: int) -> None:
    vectors = torch.randn(130, 8, generator=torch.Generator().manual_seed(6))
    plain = ScoreMatrix(vectors, vectors[:90], block_rows=64)
    held = HeldScores(plain, largest)
    for block in held:
        block.scores.zero_()
    for block, expected in zip(held, plain, strict=True):
        assert (block.start, block.stop) == (expected.start, expected.stop)
        assert torch.equal(block.scores, expected.scores)


def test_a_small_temperature_does_not_overflow() -> None:
    scores = np.random.default_rng(3).uniform(-1, 1, size=(20, 20))
    assert np.isfinite(plan_of(scores, 1e-4, 20, 8)).all()


def sparse_plan(scores: np.ndarray, n_candidates: int) -> np.ndarray:
    plain = ScoreMatrix(torch.from_numpy(scores), torch.eye(scores.shape[1]).double(), "inner")
    blocks = SinkhornAmong(plain, n_candidates, temperature=0.3, sweeps=4)
    return np.exp(np.concatenate([block.scores.numpy() for block in blocks]))


def test_among_all_candidates_the_plan_is_the_same() -> None:
    scores = np.random.default_rng(4).uniform(-1, 1, size=(270, 40))
    np.testing.assert_allclose(sparse_plan(scores, 40), plain_plan(scores, 0.3, 4), rtol=1e-9)


def test_the_plan_is_zero_but_for_the_best_candidates_of_a_row() -> None:
    scores = np.random.default_rng(5).uniform(-1, 1, size=(30, 20))
    is_kept = scores >= np.sort(scores, axis=1)[:, -3:-2]
    plan = np.where(is_kept, np.exp(scores / 0.3), 0.0)
    for _ in range(4):
        plan /= plan.sum(axis=1, keepdims=True)
        plan /= np.where(plan.any(axis=0), plan.sum(axis=0), 1.0)
    np.testing.assert_allclose(sparse_plan(scores, 3), plan, rtol=1e-9)


def test_the_shares_of_candidates_are_the_plan_without_its_zeros() -> None:
    scores = torch.from_numpy(np.random.default_rng(6).uniform(-1, 1, size=(9, 7)))
    plain = ScoreMatrix(scores, torch.eye(7).double(), "inner")
    blocks = SinkhornAmong(plain, 3, temperature=0.3, sweeps=4)
    columns, shares = blocks.shares()
    whole = torch.zeros_like(scores).scatter_(1, columns, shares)
    np.testing.assert_allclose(whole.numpy(), sparse_plan(scores.numpy(), 3))


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-310, float("nan")])
def test_a_temperature_that_scores_cannot_be_divided_by_is_refused(temperature: float) -> None:
    """1e-310 had made a plan without numbers, in which every true pair was the best one."""
    plain = ScoreMatrix(torch.eye(3), torch.eye(3), "inner")
    for blocks in (
        lambda: SinkhornBlocks(plain, temperature, 1),
        lambda: SinkhornAmong(plain, 2, temperature, 1),
    ):
        with pytest.raises(UserError, match="temperature of Sinkhorn is"):
            blocks()


def test_the_smallest_temperature_leaves_numbers_of_the_largest_scores() -> None:
    scores = LARGEST_SCORE * np.random.default_rng(7).uniform(-1, 1, size=(5, 4))
    plain = ScoreMatrix(torch.from_numpy(scores), torch.eye(4).double(), "inner")
    for plan in (
        SinkhornBlocks(plain, SMALLEST_TEMPERATURE, 10),
        SinkhornAmong(plain, 4, SMALLEST_TEMPERATURE, 10),
    ):
        assert torch.isfinite(torch.cat([block.scores for block in plan])).all()
