"""The blocked margin loss is the plain one: value and gradient."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.losses import blocked_pairs
from mmea_bench.methods.core.losses.blocked_pairs import blocked_pair_margin_loss
from mmea_bench.methods.core.losses.margins import Norm, pair_margin_loss


@pytest.mark.parametrize("norm", ["l1", "l2", "squared l2"])
@pytest.mark.parametrize("block_numbers", [1, 70, 1_000_000])
def test_value_and_gradient_are_those_of_the_plain_loss(
    norm: Norm, block_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocked_pairs, "_BLOCK_NUMBERS", block_numbers)
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(9, 5, generator=generator)
    pairs = torch.tensor([[0, 5], [1, 6], [2, 7], [3, 5]])
    negatives = torch.randint(9, (2, 4, 6), generator=generator)  # the pairs' own ends among them
    found = []
    for loss in (pair_margin_loss, blocked_pair_margin_loss):
        leaf = vectors.clone().requires_grad_()
        value = loss(leaf, pairs, negatives, 1.5, norm)
        (3 * value).backward()
        assert leaf.grad is not None
        found.append((value.detach(), leaf.grad))
    torch.testing.assert_close(found[1], found[0])


def test_by_hand() -> None:
    vectors = torch.tensor([[0.0], [1.0], [1.5], [9.0]], requires_grad=True)
    negatives = torch.tensor([[[2, 3]], [[2, 3]]])
    loss = blocked_pair_margin_loss(vectors, torch.tensor([[0, 1]]), negatives, 1.0)
    # d = 1: [1 + 1 - 1.5] for the source and [1 + 1 - 0.5] for the target; 3 is too far to cost.
    assert float(loss) == pytest.approx((0.5 + 1.5) / 4)
    loss.backward()
    assert vectors.grad is not None
    # Each costly hinge draws the pair together, 2 / 4; the stand-in right of both pushes by 1 / 4.
    assert vectors.grad.flatten().tolist() == pytest.approx([-0.25, 0.75, -0.5, 0.0])
