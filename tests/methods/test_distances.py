"""Distances column by column: the values of the definition, equal for equal vectors everywhere."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.distances import Distances, Power
from mmea_bench.methods.core.similarity import ScoreMatrix


def vectors(n_rows: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(n_rows, dim, generator=torch.Generator().manual_seed(seed))


def test_distances_of_a_pair_computed_by_hand() -> None:
    rows, target = torch.tensor([[1.0, -2.0]]), torch.tensor([[4.0, 2.0], [1.0, -2.0]])
    assert Distances(target, 1).of(rows).tolist() == [[7.0, 0.0]]
    assert Distances(target, 2).of(rows).tolist() == [[5.0, 0.0]]


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("shape", [(3, 4, 5), (300, 1100, 7), (256, 512, 1), (0, 3, 2), (2, 3, 0)])
def test_distances_are_those_of_plain_differences(
    power: Power, shape: tuple[int, int, int]
) -> None:
    n_rows, n_target, dim = shape
    rows, target = vectors(n_rows, dim, 1), vectors(n_target, dim, 2)
    plain = (rows.unsqueeze(1) - target.unsqueeze(0)).norm(p=power, dim=2)
    torch.testing.assert_close(Distances(target, power).of(rows), plain)


@pytest.mark.parametrize("power", [1, 2])
def test_close_vectors_keep_their_digits(power: Power) -> None:
    target = 1000 * vectors(4, 20, 3).double()
    rows = target + 1e-3 * vectors(4, 20, 4)
    plain = (rows.unsqueeze(1) - target.unsqueeze(0)).norm(p=power, dim=2)
    found = Distances(target.float(), power).of(target.float() + (rows - target).float())
    torch.testing.assert_close(found.diagonal(), plain.diagonal().float(), rtol=0.2, atol=0.0)


@pytest.mark.parametrize("power", [1, 2])
def test_equal_vectors_have_bit_equal_distances_wherever_they_stand(power: Power) -> None:
    target = vectors(1, 33, 5).expand(1500, 33)
    rows = vectors(1, 33, 6).expand(700, 33)
    assert len(Distances(target, power).of(rows).unique()) == 1


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(RuntimeError, match="rows have 2 columns, not 3"):
        Distances(torch.zeros(1, 3), 1).of(torch.zeros(1, 2))


@pytest.mark.parametrize("block_rows", [1, 7, 1000])
def test_scores_by_distance_do_not_depend_on_the_blocks(block_rows: int) -> None:
    source, target = vectors(20, 6, 7), vectors(30, 6, 8)
    blocks = list(ScoreMatrix(source, target, "manhattan", block_rows))
    scores = torch.cat([block.scores for block in blocks])
    assert torch.equal(scores, -Distances(target, 1).of(source))
