"""Distances to lists of entities against gathering them."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.losses import listed_distances as module
from mmea_bench.methods.core.losses.listed_distances import listed_distances, listed_margin_loss
from mmea_bench.methods.core.losses.margins import pair_margin_loss


def drawn(size: int, *shape: int) -> torch.Tensor:
    return torch.randint(size, shape, generator=torch.Generator().manual_seed(1))


def test_a_distance_is_the_sum_of_absolute_differences() -> None:
    vectors = torch.tensor([[0.0, 1.0], [2.0, -1.0], [0.0, 1.0]])
    found = listed_distances(vectors, torch.tensor([0]), torch.tensor([[1, 2, 0]]))
    assert found.tolist() == [[4.0, 0.0, 0.0]]


@pytest.mark.parametrize("cached", [1, 40, 2**20])
def test_loss_and_gradients_are_those_of_the_plain_loss(
    cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED_NUMBERS", cached)
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(9, 4, generator=generator).requires_grad_()
    pairs, negatives = drawn(9, 6, 2), drawn(9, 2, 6, 5)
    ours = listed_margin_loss(vectors, pairs, negatives, 1.0)
    plain = pair_margin_loss(vectors, pairs, negatives, 1.0)
    assert float(ours.detach()) == pytest.approx(float(plain.detach()))
    (mine,), (theirs,) = (torch.autograd.grad(loss, vectors) for loss in (ours, plain))
    assert torch.allclose(mine, theirs, atol=1e-6)
