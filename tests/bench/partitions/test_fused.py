"""Scores of parts are one block-diagonal matrix, ranked exactly as any other."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.partitions.cutting import Parts
from mmea_bench.bench.partitions.fused import PartScores, block_of, fused, outside_score
from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Alignment, Embeddings, Similarity
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import ScoreMatrix

N_SOURCE, N_TARGET = 90, 70
CPU = torch.device("cpu")


def random_parts(n_parts: int) -> Parts:
    draw = np.random.default_rng(4)
    return Parts(draw.integers(0, n_parts, N_SOURCE), draw.integers(0, n_parts, N_TARGET), n_parts)


def random_vectors(n: int, seed: int) -> Tensor:
    return torch.randn(n, 12, generator=torch.Generator().manual_seed(seed))


BOTH = random_vectors(N_SOURCE, 1), random_vectors(N_TARGET, 2)


def in_parts(
    parts: Parts, similarity: Similarity, dtype: torch.dtype = torch.float32
) -> PartScores:
    source, target = (vectors.to(dtype) for vectors in BOTH)
    blocks = {
        number: block_of(
            Embeddings(source[parts.source == number], target[parts.target == number], similarity)
        )
        for number in range(parts.n_parts)
    }
    return fused(parts, blocks, CPU, similarity)


def whole(similarity: Similarity) -> Tensor:
    return torch.cat([block.scores for block in ScoreMatrix(*BOTH, similarity)])


def same_part(parts: Parts) -> Tensor:
    return torch.from_numpy(parts.source[:, None] == parts.target[None, :])


@pytest.mark.parametrize("similarity", get_args(Similarity))
def test_pairs_of_a_part_score_as_they_do_alone(similarity: Similarity) -> None:
    parts = random_parts(3)
    scores = in_parts(parts, similarity).rows(torch.arange(N_SOURCE))
    inside = same_part(parts)
    assert torch.allclose(scores[inside], whole(similarity)[inside], atol=1e-5)
    outside = scores[~inside].unique()
    assert len(outside) == 1
    assert float(outside) < float(scores[inside].min())


def test_vectors_in_half_precision_are_compared_in_single() -> None:
    parts = random_parts(3)
    scores = in_parts(parts, "cosine", torch.float16).rows(torch.arange(N_SOURCE))
    inside = same_part(parts)
    assert torch.allclose(scores[inside], whole("cosine")[inside], atol=2e-3)


def test_a_score_does_not_depend_on_what_else_is_asked_for() -> None:
    scores = in_parts(random_parts(3), "cosine")
    every = scores.rows(torch.arange(N_SOURCE))
    for rows in (torch.tensor([7]), torch.tensor([80, 3, 7, 7]), torch.arange(5, 60)):
        assert torch.equal(scores.rows(rows), every[rows])


def test_scores_of_pairs_are_fused_too() -> None:
    parts = random_parts(2)
    blocks = {}
    for number in range(2):
        own = [np.flatnonzero(part == number) for part in (parts.source, parts.target)]
        matrix = whole("cosine")[own[0]][:, own[1]]
        blocks[number] = block_of(PairScores(matrix.__getitem__, len(own[0]), len(own[1])))
    scores = fused(parts, blocks, CPU, "scores").rows(torch.arange(N_SOURCE))
    inside = same_part(parts)
    assert torch.equal(scores[inside], whole("cosine")[inside])
    assert float(scores[~inside].max()) < float(scores[inside].min())


def ranks_of(alignment: Alignment, links: np.ndarray, size: int) -> np.ndarray:
    task = ranking_task(links, links)
    return rank_links(alignment, task, (size,))[size].src2tgt


@pytest.mark.parametrize("csls", [0, 3, 40])
def test_one_part_ranks_as_the_whole(csls: int) -> None:
    links = np.stack([np.arange(N_TARGET)] * 2, axis=1)
    vectors = Embeddings(*BOTH)
    alone = in_parts(random_parts(1), "cosine")
    assert np.array_equal(ranks_of(alone, links, csls), ranks_of(vectors, links, csls))


@pytest.mark.parametrize("csls", [3, 40])
@pytest.mark.parametrize("similarity", ["cosine", "inner", "manhattan"])
def test_no_pair_that_was_cut_outranks_one_of_a_part(similarity: Similarity, csls: int) -> None:
    """Also with neighbourhoods larger than a part, whose means then hold the outside score."""
    parts = random_parts(4)
    check_cut_pairs_are_behind(parts, in_parts(parts, similarity), csls)


def check_cut_pairs_are_behind(parts: Parts, scores: PartScores, csls: int) -> None:
    links = np.stack([np.arange(N_TARGET)] * 2, axis=1)
    ranks = ranks_of(scores, links, csls)
    n_inside = np.array([(parts.target == part).sum() for part in parts.source[:N_TARGET]])
    is_cut = parts.source[:N_TARGET] != parts.target
    assert (ranks[is_cut] > n_inside[is_cut]).all()
    assert (ranks[~is_cut] <= n_inside[~is_cut]).all()


def test_a_pair_that_was_cut_shares_the_mean_rank_of_all_that_were() -> None:
    """By the plain similarity they are ties; the rule for ties is that of every evaluation."""
    parts = random_parts(4)
    links = np.stack([np.arange(N_TARGET)] * 2, axis=1)
    ranks = ranks_of(in_parts(parts, "cosine"), links, 0)
    for row in np.flatnonzero(parts.source[:N_TARGET] != parts.target):
        n_inside = int((parts.target == parts.source[row]).sum())
        assert ranks[row] == n_inside + (N_TARGET - n_inside + 1) / 2


def test_a_part_that_is_not_trained_yet_scores_nothing() -> None:
    parts = random_parts(2)
    only = block_of(Embeddings(BOTH[0][parts.source == 0], BOTH[1][parts.target == 0]))
    scores = fused(parts, {0: only}, CPU, "cosine").rows(torch.arange(N_SOURCE))
    assert len(scores[torch.from_numpy(parts.source == 1)].unique()) == 1


def test_the_outside_score_lies_below_where_csls_could_lift_it() -> None:
    low, high = -1.0, 1.0
    outside = outside_score([(0.2, 1.0), (-1.0, 0.5)])
    # The worst case: the pair inside has the highest column mean, the one outside the lowest.
    assert 2 * low - high > 2 * outside - outside
    # Equal scores everywhere still leave a gap.
    assert outside_score([(3.0, 3.0)]) < 3.0


def in_runs(parts: Parts) -> PartScores:
    """Vectors of three runs of columns, each of length 1, as DESAlign's propagation leaves them."""
    source, target = in_three_runs()
    blocks = {
        number: block_of(
            Embeddings(source[parts.source == number], target[parts.target == number], n_parts=3)
        )
        for number in range(parts.n_parts)
    }
    return fused(parts, blocks, CPU, "cosine")


def in_three_runs() -> list[Tensor]:
    return [
        torch.cat([normalize(run, dim=1) for run in vectors.chunk(3, dim=1)], dim=1)
        for vectors in BOTH
    ]


@pytest.mark.parametrize("csls", [0, 3, 40])
def test_runs_of_columns_keep_neighbourhoods_of_their_own(csls: int) -> None:
    """``n_parts`` was lost: CSLS of parts took the means of the joint scores."""
    links = np.stack([np.arange(N_TARGET)] * 2, axis=1)
    found = ranks_of(in_runs(random_parts(1)), links, csls)
    assert np.array_equal(found, ranks_of(Embeddings(*in_three_runs(), n_parts=3), links, csls))
    joint = ranks_of(Embeddings(*in_three_runs()), links, csls)
    assert np.array_equal(found, joint) == (csls == 0)


@pytest.mark.parametrize("csls", [3, 40])
def test_runs_of_columns_lift_no_pair_that_was_cut(csls: int) -> None:
    parts = random_parts(4)
    check_cut_pairs_are_behind(parts, in_runs(parts), csls)


def test_parts_with_different_runs_of_columns_are_one_sentence() -> None:
    parts = random_parts(2)
    source, target = in_three_runs()
    blocks = {
        number: block_of(
            Embeddings(source[parts.source == number], target[parts.target == number], n_parts=n)
        )
        for number, n in enumerate((3, 1))
    }
    with pytest.raises(UserError, match="different numbers of runs of columns"):
        fused(parts, blocks, CPU, "cosine")
