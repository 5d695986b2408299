"""Dual-AMN's loss with its gradients in closed form, a few hundred pairs at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmea_bench.methods.core.single_precision import in_single

_BLOCK_PAIRS = 256
"""Pairs whose gains by all entities are in memory at a time: 80 MB on DBP15K."""

_CACHED_NUMBERS = 2**18
"""Numbers of the rows that are worked on between two products, on a CPU: 1 MB."""

_SMALLEST = 1e-12


def blocked_hard_sample_loss(
    vectors: Tensor, pairs: Tensor, margin: float = 1.0, scale: float = 30.0, shift: float = 10.0
) -> Tensor:
    """``margins.hard_sample_loss`` in bounded memory and with fewer passes over the gains.

    Loss and gradient are made together. Equal up to rounding.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [b, 2].
        margin: gamma.
        scale: lambda.
        shift: tau.
    """
    loss: Tensor = _HardSampleLoss.apply(  # type: ignore[no-untyped-call]
        vectors, pairs, margin, scale, shift
    )
    return loss


class _HardSampleLoss(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(
        ctx: Any, vectors: Tensor, pairs: Tensor, margin: float, scale: float, shift: float
    ) -> Tensor:
        squares = vectors.square().sum(dim=1)
        gradient = torch.zeros_like(vectors)
        of_columns = torch.zeros_like(squares)
        total = torch.zeros((), dtype=vectors.dtype, device=vectors.device)
        for chunk in torch.split(pairs, _BLOCK_PAIRS):
            ids = chunk.T.flatten()
            anchors = vectors.index_select(0, ids)
            source, target = anchors.chunk(2)
            gaps = source - target
            own = gaps.square().sum(dim=1).repeat(2)
            # A gain is ``own - |a|^2 + margin``, one number for each row, and 2 a . n - |n|^2.
            of_rows = own - squares.index_select(0, ids) + margin
            cells = torch.addmm(-squares, anchors, vectors.T, alpha=2)
            costs, weights = _weigh(cells, of_rows, chunk.repeat(2, 1), scale)
            total += (costs + shift).sum()
            of_columns += cells.sum(dim=0)
            to_anchors = (cells @ vectors).sub_(anchors * weights.unsqueeze(1))
            pulled = gaps * weights.view(2, -1).sum(dim=0).unsqueeze(1)
            to_anchors[: len(chunk)] += pulled
            to_anchors[len(chunk) :] -= pulled
            gradient.addmm_(cells.T, anchors).index_add_(0, ids, to_anchors)
        gradient.addcmul_(vectors, of_columns.unsqueeze(1), value=-1)
        ctx.save_for_backward(gradient.mul_(2 / max(1, len(pairs))))
        return total / max(1, len(pairs))

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradients[0] * gradient, None, None, None, None


def _weigh(cells: Tensor, of_rows: Tensor, left_out: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Puts the derivatives of the costs by the gains in place of the gains.

    Args:
        cells: Gains but for one number of each row, [n, n_entities].
        of_rows: That number, [n].
        left_out: Columns of each row whose gain is zero, [n, 2].
        scale: lambda.

    Returns:
        ``log sum_n e^(scale z_n)`` of the standardised gains, and the sum of each row's
        derivatives, [n] each.
    """
    costs, weights = torch.empty_like(of_rows), torch.empty_like(of_rows)
    on_cpu = cells.device.type == "cpu"
    step = max(1, _CACHED_NUMBERS // cells.shape[1]) if on_cpu else len(cells)
    for first in range(0, len(cells), step):
        rows = slice(first, first + step)
        gains, places = cells[rows], left_out[rows]
        gains.scatter_(1, places, -of_rows[rows].unsqueeze(1).expand_as(places))
        spread, mean = torch.std_mean(gains, dim=1, correction=0, keepdim=True)
        factor = scale / spread.clamp_min_(_SMALLEST)
        top = gains.amax(dim=1, keepdim=True)
        sums = gains.sub_(top).mul_(factor).exp_().sum(dim=1, keepdim=True)
        costs[rows] = ((top - mean) * factor + sums.log()).squeeze(1)
        gains.mul_(factor / sums).scatter_(1, places, 0.0)
        weights[rows] = gains.sum(dim=1)
    return costs, weights
