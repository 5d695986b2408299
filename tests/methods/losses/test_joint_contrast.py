"""Losses from shared cosines equal those of the vectors one by one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.hybrid.joint_contrast import joint_contrasts
from mmea_bench.methods.core.losses.contrastive import SHARPEST, contrastive_loss


@dataclass(frozen=True)
class Leaves:
    """Unit vectors of three modalities, two kinds of shares, and weights of anchors."""

    parts: Tensor
    shares: tuple[Tensor, Tensor]
    weights: Tensor | None

    @classmethod
    def of(cls, n_pairs: int, *, weighted: bool) -> Leaves:
        generator = torch.Generator().manual_seed(3)
        parts = normalize(torch.randn(3, 2 * n_pairs, 5, generator=generator), dim=2)
        parts[0, 0] = 0.0  # an entity that lacks the first modality
        shares = torch.rand(2, 2 * n_pairs, 3, generator=generator)
        shares = shares / (shares * parts.norm(dim=2).T).norm(dim=2, keepdim=True)
        weights = torch.rand(3, 2, n_pairs, generator=generator) if weighted else None
        kinds = shares[0].clone().requires_grad_(), shares[1].clone().requires_grad_()
        return cls(
            parts.requires_grad_(), kinds, None if weights is None else weights.requires_grad_()
        )

    @property
    def all(self) -> list[Tensor]:
        weights = [] if self.weights is None else [self.weights]
        return [self.parts, *self.shares, *weights]


def one_by_one(leaves: Leaves, temperature: float) -> Tensor:
    losses = []
    for share in leaves.shares:
        joint = torch.cat([share[:, m, None] * leaves.parts[m] for m in range(3)], dim=1)
        source, target = joint.chunk(2)
        losses.append(contrastive_loss(source, target, temperature))
    for m in range(3):
        source, target = leaves.parts[m].chunk(2)
        weights = None if leaves.weights is None else leaves.weights[m]
        losses.append(contrastive_loss(source, target, temperature, weights))
    return torch.stack(losses)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.1, SHARPEST])
@pytest.mark.parametrize("n_pairs", [2, 7, 300])
def test_losses_and_gradients_equal_those_of_joint_vectors(
    n_pairs: int, temperature: float, *, weighted: bool
) -> None:
    fast, plain = (Leaves.of(n_pairs, weighted=weighted) for _ in range(2))
    found = torch.cat(joint_contrasts(fast.parts, fast.shares, temperature, fast.weights))
    expected = one_by_one(plain, temperature)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    factors = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0])  # each loss goes its own way back
    mine = torch.autograd.grad((found * factors).sum(), fast.all)
    theirs = torch.autograd.grad((expected * factors).sum(), plain.all)
    for one, other in zip(mine, theirs, strict=True):
        scale = float(other.abs().max())
        torch.testing.assert_close(one / scale, other / scale, rtol=1e-4, atol=1e-5)
