"""Equal vectors get equal scores and means, in whatever precision and length they come."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.base import Similarity
from mmea_bench.methods.core.similarity import ScoreMatrix, all_means, nearest_by_l2


def random_vectors(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 16, generator=torch.Generator().manual_seed(seed))


def scores_of(source: Tensor, target: Tensor, similarity: Similarity = "cosine") -> Tensor:
    return torch.cat([block.scores for block in ScoreMatrix(source, target, similarity)])


@pytest.mark.parametrize("n_twins", [31, 101, 258, 500])
@pytest.mark.parametrize("block_rows", [64, 256])
def test_equal_vectors_have_equal_neighbourhood_means(n_twins: int, block_rows: int) -> None:
    """``mean(dim=0)`` adds the last columns of a matrix in another order than the others."""
    base = random_vectors(n_twins)
    twins = torch.cat([base, base, base[:1]])
    others = twins + 0.3 * random_vectors(len(twins), seed=1)
    for k in range(1, 51):
        _, of_columns = all_means(ScoreMatrix(others, twins, block_rows=block_rows), k)
        of_rows, _ = all_means(ScoreMatrix(twins, others, block_rows=block_rows), k)
        for means in (of_columns, of_rows):
            assert torch.equal(means[:n_twins], means[n_twins:-1]), k


def test_means_of_parts_are_equal_for_equal_vectors_too() -> None:
    base = random_vectors(101)
    twins = torch.cat([base, base])
    others = twins + 0.3 * random_vectors(202, seed=1)
    parts = [
        ScoreMatrix(own, other)
        for own, other in zip(others.chunk(8, dim=1), twins.chunk(8, dim=1), strict=True)
    ]
    _, means = all_means(ScoreMatrix(others, twins, parts=parts), 10)
    assert torch.equal(means[:101], means[101:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("similarity", ["cosine", "abs-cosine", "inner", "manhattan", "euclidean"])
def test_half_precision_is_compared_as_the_same_numbers_in_single(
    dtype: torch.dtype, similarity: Similarity
) -> None:
    source, target = (random_vectors(n, n).to(dtype) for n in (300, 270))
    expected = scores_of(source.float(), target.float(), similarity)
    assert torch.equal(scores_of(source, target, similarity), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_zero_row_scores_zero(dtype: torch.dtype) -> None:
    """1e-12, below which no length divides, is 0 in half precision: 0 / 0 was no number."""
    source = random_vectors(5).to(dtype)
    source[2] = 0
    assert torch.equal(scores_of(source, source)[2], torch.zeros(5))


def test_long_vectors_in_half_precision_keep_their_cosines() -> None:
    """Their lengths are infinite in half precision, and all cosines were 0."""
    vectors = (3000 * torch.ones(2, 1000)).half()
    assert torch.allclose(scores_of(vectors, vectors), torch.ones(2, 2))


@pytest.mark.parametrize("length", [1.0, 1e-6, 1e-11, 1e-13, 1e-20, 1e-30])
def test_a_cosine_does_not_depend_on_how_short_a_vector_is(length: float) -> None:
    source, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    target[0] *= length
    assert scores_of(source, target).tolist() == [pytest.approx([1.0, 0.8])]


def test_the_nearest_by_l2_are_those_of_the_differences_without_the_skipped_one() -> None:
    among, queries = random_vectors(40, seed=1), random_vectors(12, seed=2)
    distances = torch.cdist(queries, among)
    skipped = distances.argmin(dim=1)
    found = nearest_by_l2(queries, among, 5).sort().values
    assert torch.equal(found, distances.topk(5, largest=False).indices.sort().values)
    without = nearest_by_l2(queries, among, 5, skipped).sort().values
    distances.scatter_(1, skipped.unsqueeze(1), torch.inf)
    assert torch.equal(without, distances.topk(5, largest=False).indices.sort().values)
