"""The contrastive loss by strips equals automatic differentiation of the whole matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.losses.contrastive import contrastive_loss, pair_log_probabilities


def unit_pairs(n_pairs: int) -> tuple[Tensor, Tensor]:
    """Vectors of pairs; source and target rows of a second call are other leaves."""
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(2, n_pairs, 5, generator=generator)
    first[0] = 0.0
    first, second = normalize(first, dim=1), normalize(first + second, dim=1)
    return first.requires_grad_(), second.requires_grad_()


def anchor_weights(n_pairs: int) -> Tensor:
    weights = torch.rand(2, n_pairs, generator=torch.Generator().manual_seed(2))
    weights[1, -1] = 0.0
    return weights.requires_grad_()


def assert_same(
    found: Tensor, fast: tuple[Tensor, ...], expected: Tensor, plain: tuple[Tensor, ...]
) -> None:
    """Equal losses, and equal gradients to the leaves of each."""
    torch.testing.assert_close(found, expected)
    gradients = (torch.autograd.grad(found, fast), torch.autograd.grad(expected, plain))
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 1 / 60, 0.005])
@pytest.mark.parametrize("n_pairs", [1, 9, 300])
def test_loss_and_gradients_equal_the_plain_ones(n_pairs: int, temperature: float) -> None:
    plain, fast = unit_pairs(n_pairs), unit_pairs(n_pairs)
    expected = -3 * pair_log_probabilities(*plain, temperature).mean()
    found = 3 * contrastive_loss(*fast, temperature)
    assert_same(found, fast, expected, plain)


@pytest.mark.parametrize("temperature", [0.1, 0.005])
@pytest.mark.parametrize("n_pairs", [9, 300])
def test_weighted_loss_and_gradients_equal_the_plain_ones(n_pairs: int, temperature: float) -> None:
    plain = (*unit_pairs(n_pairs), anchor_weights(n_pairs))
    fast = (*unit_pairs(n_pairs), anchor_weights(n_pairs))
    expected = -(pair_log_probabilities(*plain[:2], temperature) * plain[2]).mean()
    found = contrastive_loss(*fast[:2], temperature, fast[2])
    assert_same(found, fast, expected, plain)


def test_sharpest_strips_stay_finite_where_all_rows_are_one() -> None:
    same = normalize(torch.ones(2000, 4), dim=1).requires_grad_()
    loss = contrastive_loss(same, same, 1 / 60)
    (gradient,) = torch.autograd.grad(loss, same)
    assert float(loss.detach()) == pytest.approx(8.294, abs=1e-3)  # log 3999
    assert torch.isfinite(gradient).all()


def test_half_precision_gives_the_loss_of_the_widened_vectors() -> None:
    source, target = (each.detach().bfloat16() for each in unit_pairs(9))
    for temperature in (0.1, 0.005):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = contrastive_loss(source, target, temperature)
        expected = contrastive_loss(source.float(), target.float(), temperature)
        torch.testing.assert_close(found, expected)
