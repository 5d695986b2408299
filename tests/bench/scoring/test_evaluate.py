"""Ranks equal those of a full matrix and a loop, whatever the block size, ties and links."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring import evaluate
from mmea_bench.bench.scoring.evaluate import Scored, rank_in, rank_links, ranking_task
from mmea_bench.methods.core.base import DivergedError, Embeddings
from mmea_bench.methods.core.similarity import ScoreMatrix


def brute_force_ranks(
    scores: np.ndarray,
    links: np.ndarray,
    known: np.ndarray,
    candidates: tuple[np.ndarray, np.ndarray],
    tie_rule: str,
) -> tuple[list[float], list[float]]:
    """The definition, one link and one candidate at a time, on the full matrix [n_src, n_tgt]."""
    partners = {(int(s), int(t)) for s, t in known}

    def rank(truth: float, rivals: list[float]) -> float:
        greater = sum(score > truth for score in rivals)
        equal = sum(score == truth for score in rivals)
        return (
            1 + greater + {"optimistic": 0, "realistic": equal / 2, "pessimistic": equal}[tie_rule]
        )

    forward, backward = [], []
    for s, t in links:
        others = [c for c in candidates[1] if c != t and (int(s), int(c)) not in partners]
        forward.append(rank(scores[s, t], [scores[s, c] for c in others]))
        others = [c for c in candidates[0] if c != s and (int(c), int(t)) not in partners]
        backward.append(rank(scores[s, t], [scores[c, t] for c in others]))
    return forward, backward


def integer_vectors(rng: np.random.Generator, n: int, dtype: torch.dtype) -> torch.Tensor:
    """Small integers: products are exact, so brute force sees the very same ties."""
    return torch.from_numpy(rng.integers(-2, 3, size=(n, 5))).to(dtype)


LINK_SETS = {
    "one_to_one": np.stack([np.arange(40), np.random.default_rng(0).permutation(40)], axis=1),
    "many_to_one": np.array([[0, 3], [1, 3], [2, 3], [5, 7], [6, 8], [9, 7], [30, 39]]),
    "one_to_many": np.array([[4, 1], [4, 2], [4, 9], [7, 0], [12, 11], [7, 10]]),
    "many_to_many": np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 5], [3, 4]]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tie_rule", ["realistic", "optimistic", "pessimistic"])
@pytest.mark.parametrize("kind", LINK_SETS)
def test_ranks_equal_brute_force_with_ties(kind: str, tie_rule: Any, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    source, target = integer_vectors(rng, 40, dtype), integer_vectors(rng, 45, dtype)
    known = LINK_SETS[kind]
    links = known[1:]
    embeddings = Embeddings(source, target, similarity="inner")
    task = ranking_task(links, known)
    expected = brute_force_ranks(
        (source @ target.T).numpy(),
        links,
        known,
        (np.unique(links[:, 0]), np.unique(links[:, 1])),
        tie_rule,
    )
    ranks = rank_links(embeddings, task, (0,), tie_rule)[0]
    np.testing.assert_array_equal(ranks.src2tgt, expected[0])
    np.testing.assert_array_equal(ranks.tgt2src, expected[1])


@pytest.mark.parametrize("kind", LINK_SETS)
def test_unseeded_candidates_are_all_entities_outside_the_seeds(kind: str) -> None:
    rng = np.random.default_rng(2)
    source, target = (
        integer_vectors(rng, 40, torch.float32),
        integer_vectors(rng, 45, torch.float32),
    )
    known = LINK_SETS[kind]
    seeds, links = known[:1], known[1:]
    task = ranking_task(links, known, sizes=(40, 45), excluded_links=seeds)
    candidates = tuple(
        np.setdiff1d(np.arange(size), np.setdiff1d(seeds[:, side], links[:, side]))
        for side, size in enumerate((40, 45))
    )
    expected = brute_force_ranks((source @ target.T).numpy(), links, known, candidates, "realistic")
    ranks = rank_links(Embeddings(source, target, "inner"), task)[0]
    np.testing.assert_array_equal(ranks.src2tgt, expected[0])
    np.testing.assert_array_equal(ranks.tgt2src, expected[1])


@pytest.mark.parametrize("held", [False, True])
def test_csls_of_parts_is_the_mean_of_each_parts_own(
    held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "WIDE_VECTORS", 1 if held else 2048)
    generator = torch.Generator().manual_seed(6)
    source = torch.randn(30, 2, 8, generator=generator)
    target = source + torch.randn(30, 2, 8, generator=generator)
    source, target = (torch.nn.functional.normalize(each, dim=2) for each in (source, target))
    rescaled = torch.zeros(30, 30)
    for part in range(2):
        scores = source[:, part] @ target[:, part].T
        rows = scores.topk(3, dim=1).values.mean(dim=1, keepdim=True)
        rescaled += (2 * scores - rows - scores.topk(3, dim=0).values.mean(dim=0)) / 2
    expected = 1 + (rescaled > rescaled.diagonal().unsqueeze(1)).sum(dim=1)
    links = np.stack([np.arange(30)] * 2, axis=1)
    embeddings = Embeddings(source.flatten(1), target.flatten(1), n_parts=2)
    scored = evaluate.Scored(embeddings, ranking_task(links, links))
    ranks = evaluate.rank_in(scored.blocks, scored.layout, (3,))[3]
    np.testing.assert_array_equal(ranks.src2tgt, expected)


@pytest.mark.parametrize("similarity", ["cosine", "manhattan", "euclidean"])
@pytest.mark.parametrize("csls_size", [0, 1, 3, 100])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ranks_do_not_depend_on_the_block_size(
    similarity: Any, csls_size: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(3)
    source = torch.randn(150, 20, generator=generator, dtype=dtype)
    target = torch.randn(170, 20, generator=generator, dtype=dtype)
    target[140:170] = target[0:30]  # equal vectors far apart must stay equal
    source[100:120] = source[0:20]
    links = np.stack([np.arange(130), np.arange(130)], axis=1)
    task = ranking_task(links, links, sizes=(150, 170))
    embeddings = Embeddings(source, target, similarity)
    reference = rank_links(embeddings, task, (csls_size,), block_rows=4096)[csls_size]
    for block_rows in (1, 7, 64, 100, 128):
        ranks = rank_links(embeddings, task, (csls_size,), block_rows=block_rows)[csls_size]
        np.testing.assert_array_equal(ranks.src2tgt, reference.src2tgt)
        np.testing.assert_array_equal(ranks.tgt2src, reference.tgt2src)


def test_csls_ranks_equal_those_of_the_full_matrix() -> None:
    rng = np.random.default_rng(4)
    source = torch.from_numpy(rng.integers(-3, 4, size=(30, 4))).double()
    target = torch.from_numpy(rng.integers(-3, 4, size=(33, 4))).double()
    scores = (source @ target.T).numpy()
    row_means = np.sort(scores, axis=1)[:, -4:].mean(axis=1, keepdims=True)
    column_means = np.sort(scores, axis=0)[-4:].mean(axis=0, keepdims=True)
    scaled = 2 * scores - row_means - column_means
    links = np.stack([np.arange(30), np.arange(30)], axis=1)
    expected = brute_force_ranks(scaled, links, links, (np.arange(30), np.arange(33)), "realistic")
    task = ranking_task(links, links, sizes=(30, 33))
    ranks = rank_links(Embeddings(source, target, "inner"), task, (0, 4))[4]
    np.testing.assert_array_equal(ranks.src2tgt, expected[0])
    np.testing.assert_array_equal(ranks.tgt2src, expected[1])


def test_constant_scores_do_not_win() -> None:
    links = np.stack([np.arange(101), np.arange(101)], axis=1)
    same = torch.ones(101, 3)
    for size in (0, 3):
        ranks = rank_links(Embeddings(same, same), ranking_task(links, links), (size,))[size]
        assert set(ranks.src2tgt) == {51.0}
        assert set(ranks.tgt2src) == {51.0}


def test_zero_vectors_do_not_win() -> None:
    links = np.stack([np.arange(11), np.arange(11)], axis=1)
    zero = torch.zeros(11, 3)
    assert set(rank_links(Embeddings(zero, zero), ranking_task(links, links))[0].src2tgt) == {6.0}


def test_perfect_vectors_rank_first_in_both_directions() -> None:
    links = np.stack([np.arange(20), np.arange(20)], axis=1)
    unit = torch.eye(20)
    ranks = rank_links(Embeddings(unit, unit), ranking_task(links, links), (0, 3))
    for size in (0, 3):
        assert set(ranks[size].src2tgt) == {1.0}
        assert set(ranks[size].tgt2src) == {1.0}


def test_values_that_are_not_finite_raise_instead_of_winning() -> None:
    links = np.array([[0, 0], [1, 1]])
    broken = torch.tensor([[float("nan")], [1.0]])
    with pytest.raises(DivergedError):
        rank_links(Embeddings(broken, broken), ranking_task(links, links))


@pytest.mark.parametrize("k", [1, 3, 5, 8, 10, 20, 50])
def test_csls_decides_no_tie_between_equal_vectors(k: int) -> None:
    """Twins share a rank that ends in a half; CSLS of 5 and more had put one of them first."""
    base = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
    twins = torch.cat([base, base])[:63]
    others = twins + 0.3 * torch.randn(63, 16, generator=torch.Generator().manual_seed(1))
    links = np.stack([np.arange(63)] * 2, axis=1)
    has_twin = np.arange(63) != 31
    of_targets = rank_links(Embeddings(others, twins), ranking_task(links, links), (k,))[k]
    of_sources = rank_links(Embeddings(twins, others), ranking_task(links, links), (k,))[k]
    assert (of_targets.src2tgt[has_twin] % 1 == 0.5).all()
    assert (of_sources.tgt2src[has_twin] % 1 == 0.5).all()


def test_a_true_pair_whose_score_is_no_number_does_not_win() -> None:
    """It beats nobody and nobody beats it, which would be the first rank."""
    one, link = torch.ones(1, 1), np.array([[0, 0]])
    scored = Scored(Embeddings(one, one), ranking_task(link, link))
    blocks = ScoreMatrix(one * torch.nan, one, "inner")
    with pytest.raises(DivergedError, match="not numbers"):
        rank_in(blocks, scored.layout)
