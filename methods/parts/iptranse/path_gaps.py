"""How much nearer a path is to its relation than to another one, without a vector per path."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from mmea_bench.methods.core.losses.orders import stable_order
from mmea_bench.methods.core.losses.reached import reached
from mmea_bench.methods.core.single_precision import in_single


def path_gaps(relations: Tensor, items: Tensor, others: Tensor) -> Tensor:
    """``|r1 + r2 - r|^2 - |r1 + r2 - r'|^2`` of each path, with gradients, [n].

    Equal up to rounding to what autograd makes of the formula. The gap is ``|r|^2 - |r'|^2 - 2 (r1
    + r2) (r - r')``, so that its gradient at a relation is a weighted sum of other relations, whose
    table stays in the cache. A batch of 14,600 paths takes 7 ms of CPU time where four look-ups
    with gradients took 19.

    Args:
        relations: [n_relations, dim].
        items: (r1, r2, r), [n, 3].
        others: r', [n].
    """
    found: Tensor = _PathGaps.apply(relations, items, others)  # type: ignore[no-untyped-call]
    return found


class _PathGaps(Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, relations: Tensor, items: Tensor, others: Tensor) -> Tensor:
        ctx.save_for_backward(relations, items, others)
        ctx.device = relations.device
        direct = items[:, 2]
        signs = relations.new_ones(len(items), 2)
        signs[:, 1] = -1
        walked = _sums_of_two(relations, items[:, :2])
        between = _sums_of_two(relations, torch.stack([direct, others], dim=1), signs.flatten())
        squares = relations.square().sum(dim=1)
        return squares[direct] - squares[others] - 2 * walked.mul_(between).sum(dim=1)

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        relations, items, others = ctx.saved_tensors
        # A margin leaves many paths without a gradient.
        visited = reached(gradients[0], ctx.device)
        slopes = gradients[0].index_select(0, visited)
        first, second, direct = items.index_select(0, visited).unbind(1)
        other = others.index_select(0, visited)
        rows = torch.cat([first, second, first, second, direct, other])
        columns = torch.cat([direct, direct, other, other, direct, other])
        doubled = 2 * slopes
        values = torch.cat([-doubled, -doubled, doubled, doubled, slopes, -slopes])
        # The gradient of a product reaches both of its ends; of a square both halves are there.
        owners, ends = torch.cat([rows, columns]), torch.cat([columns, rows])
        order = stable_order(owners, len(relations))
        # A count by `bincount` would wait for a GPU.
        counts = owners.new_zeros(len(relations)).index_add_(0, owners, torch.ones_like(owners))
        of_relations = embedding_bag(
            ends[order],
            relations,
            torch.cumsum(counts, dim=0) - counts,
            mode="sum",
            per_sample_weights=values.repeat(2)[order],
        )
        return of_relations, None, None


def _sums_of_two(vectors: Tensor, pairs: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum of two rows, [n, dim]; a weight each is [2 n]."""
    return embedding_bag(
        pairs.flatten(),
        vectors,
        torch.arange(0, 2 * len(pairs), 2, device=pairs.device),
        mode="sum",
        per_sample_weights=weights,
    )
