"""L1 distances from entities to lists of entities, without a vector per member of a list."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from mmea_bench.methods.core.losses.margins import margin_loss
from mmea_bench.methods.core.losses.reached import reached
from mmea_bench.methods.core.single_precision import in_single

_CACHED_NUMBERS = 2**20
"""Numbers of a block: few enough to stay in the processor's cache between two operations."""


def listed_distances(vectors: Tensor, anchors: Tensor, listed: Tensor) -> Tensor:
    """``|x_a - x_i|_1`` of every anchor and every member of its list, with gradients, [n, k].

    Equal to gathering all members; 4,500 lists of 125 vectors of 400 numbers would take 0.9 GB.

    Args:
        vectors: ``x``, [n_entities, dim].
        anchors: Ids, [n].
        listed: Ids, [n, k].
    """
    found: Tensor = _ListedDistances.apply(vectors, anchors, listed)  # type: ignore[no-untyped-call]
    return found


def listed_margin_loss(vectors: Tensor, pairs: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """``margins.pair_margin_loss`` for L1 and long lists of negatives, as a mean.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [n_pairs, 2].
        negatives: Stand-ins for the targets and for the sources, [2, n_pairs, k] ids.
        margin: gamma.
    """
    own = (vectors[pairs[:, 0]] - vectors[pairs[:, 1]]).abs().sum(dim=1)
    sides = [
        margin_loss(own, listed_distances(vectors, anchors, listed), margin)
        for anchors, listed in zip(pairs.T, negatives, strict=True)
    ]
    return torch.stack(sides).mean()


class _ListedDistances(Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, vectors: Tensor, anchors: Tensor, listed: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, anchors, listed)
        ctx.device = vectors.device
        n_rows = max(1, _CACHED_NUMBERS // max(1, listed.shape[1] * vectors.shape[1]))
        blocks = [
            _gaps(vectors, of_anchors.unsqueeze(1).expand_as(members), members)
            for of_anchors, members in zip(
                torch.split(anchors, n_rows), torch.split(listed, n_rows), strict=True
            )
        ]
        return torch.cat([gaps.abs_().sum(dim=1) for gaps in blocks]).view(listed.shape)

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        vectors, anchors, listed = ctx.saved_tensors
        of_vectors = torch.zeros_like(vectors)
        # A margin leaves many members without a gradient.
        flat = gradients[0].flatten()
        places = reached(flat, ctx.device)
        rows = torch.div(places, listed.shape[1], rounding_mode="floor")
        slopes, firsts, others = flat[places], anchors[rows], listed.flatten()[places]
        n_pairs = max(1, _CACHED_NUMBERS // max(1, vectors.shape[1]))
        parts = (torch.split(each, n_pairs) for each in (firsts, others, slopes))
        blocks = zip(*parts, strict=True)
        for first, other, slope in blocks:
            signs = _gaps(vectors, first, other).sign_().mul_(slope.unsqueeze(1))
            of_vectors.index_add_(0, first, signs)
            of_vectors.index_add_(0, other, signs, alpha=-1)
        return of_vectors, None, None


def _gaps(vectors: Tensor, first: Tensor, other: Tensor) -> Tensor:
    """Differences of the vectors of two lists of ids, [n, dim]."""
    gaps = vectors.index_select(0, first.flatten())
    return gaps.sub_(vectors.index_select(0, other.flatten()))
