"""What ``fit`` returns is refused with its reason where it cannot be scored."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from mmea_bench.bench.scoring.returned import checked
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import DivergedError, Embeddings, Similarity
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import ScoreMatrix

SIZES = (6, 5)


def vectors(scale: float = 1.0, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return tuple(  # type: ignore[return-value]
        scale * torch.randn(n + extra, 4, generator=generator) for n in SIZES
    )


@pytest.mark.parametrize("similarity", get_args(Similarity))
@pytest.mark.parametrize("scale", [1e16, 1e19, 1e30, 1e37])
def test_finite_vectors_whose_scores_overflow_are_refused(
    similarity: Similarity, scale: float
) -> None:
    with pytest.raises(DivergedError, match="too long to be compared"):
        checked(Embeddings(*vectors(scale), similarity), SIZES)


@pytest.mark.parametrize("similarity", get_args(Similarity))
def test_the_longest_vectors_that_pass_have_finite_scores(similarity: Similarity) -> None:
    source, target = (v / v.norm(dim=1, keepdim=True) * 9e14 for v in vectors())
    passed = checked(Embeddings(source, target, similarity), SIZES)
    assert isinstance(passed, Embeddings)
    for block in ScoreMatrix(passed.source, passed.target, similarity):
        assert torch.isfinite(1e4 * block.scores).all()


def test_scores_of_pairs_that_overflow_are_refused() -> None:
    scores = PairScores(lambda rows: torch.full((len(rows), SIZES[1]), 1e38), *SIZES)
    with pytest.raises(DivergedError, match="too large for single precision"):
        checked(scores, SIZES)


def test_surplus_rows_are_refused() -> None:
    """The joint matrix on both sides had given 1.000 where partners share ids."""
    joint = torch.cat(vectors())
    with pytest.raises(UserError, match="rows for 11 source and 11 target entities"):
        checked(Embeddings(joint, joint), SIZES)
    with pytest.raises(UserError, match="rows for 7 source and 6 target"):
        checked(Embeddings(*vectors(extra=1)), SIZES)
