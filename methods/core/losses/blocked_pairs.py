"""The margin loss of pairs with many stand-ins, a few pairs at a time.

With 125 stand-ins for both ends of 4,500 pairs and 300 columns, the differences alone would take
1.35 GB, and as much again for their gradients. Here loss and gradient are made together, block by
block, in temporaries that stay in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.methods.core.losses.margins import Norm, lengths
from mmea_bench.methods.core.single_precision import in_single

_BLOCK_NUMBERS = 1_000_000
"""Differences that are in memory at once."""


def blocked_pair_margin_loss(
    vectors: Tensor, pairs: Tensor, negatives: Tensor, margin: float, norm: Norm = "l1"
) -> Tensor:
    """Value and gradient of ``margins.pair_margin_loss`` as a mean, in bounded memory.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [n_pairs, 2].
        negatives: Stand-ins for the targets and for the sources, [2, n_pairs, k] ids.
        margin: gamma.
        norm: How vectors are compared.
    """
    loss: Tensor = _BlockedLoss.apply(  # type: ignore[no-untyped-call]
        vectors, pairs, negatives, margin, norm
    )
    return loss


class _BlockedLoss(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(
        ctx: Any, vectors: Tensor, pairs: Tensor, negatives: Tensor, margin: float, norm: Norm
    ) -> Tensor:
        gradient = torch.zeros_like(vectors)
        total = torch.zeros((), device=vectors.device)
        block = max(1, _BLOCK_NUMBERS // max(1, negatives.shape[2] * vectors.shape[1]))
        for start in range(0, len(pairs), block):
            chosen = slice(start, start + block)
            total = total + _add_block(
                gradient, vectors, pairs[chosen], negatives[:, chosen], margin, norm
            )
        ctx.save_for_backward(gradient.div_(negatives.numel()))
        return total / negatives.numel()

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None, None, None


def _add_block(
    gradient: Tensor, vectors: Tensor, pairs: Tensor, negatives: Tensor, margin: float, norm: Norm
) -> Tensor:
    """Sum of the losses of some pairs; their gradients are added to ``gradient``."""
    ends = [vectors.index_select(0, pairs[:, side]) for side in (0, 1)]
    difference = ends[0] - ends[1]
    own = lengths(difference, norm)
    of_ends, n_costly = [], torch.zeros_like(own)
    total = torch.zeros((), device=vectors.device)
    for anchor, stand_ins in zip(ends, negatives, strict=True):
        flat = stand_ins.flatten()
        away = anchor.unsqueeze(1) - vectors.index_select(0, flat).view(*stand_ins.shape, -1)
        others = lengths(away, norm)
        losses = relu(margin + own.unsqueeze(1) - others)
        costly = (losses > 0).to(vectors)
        pushed = _slopes(away, others, norm).mul_(costly.unsqueeze(2))
        gradient.index_add_(0, flat, pushed.flatten(0, 1))
        of_ends.append(-pushed.sum(dim=1))
        n_costly += costly.sum(dim=1)
        total = total + losses.sum()
    pulled = _slopes(difference, own, norm) * n_costly.unsqueeze(1)
    gradient.index_add_(0, pairs[:, 0], of_ends[0] + pulled)
    gradient.index_add_(0, pairs[:, 1], of_ends[1] - pulled)
    return total


def _slopes(differences: Tensor, distances: Tensor, norm: Norm) -> Tensor:
    """Derivative of the distances by the differences, zero where these are; may reuse memory."""
    if norm == "l1":
        return differences.sign()
    if norm == "squared l2":
        return 2 * differences
    return differences / distances.unsqueeze(-1).clamp_min(1e-30)
