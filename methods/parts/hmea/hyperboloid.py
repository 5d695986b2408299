"""The hyperboloid ``<x, x>_L = -K``: maps from and to the tangent space at its origin, distances.

``<x, y>_L = -x_0 y_0 + sum_i x_i y_i`` and the origin is ``(sqrt K, 0, ..., 0)``. Tangent vectors
at the origin have no first component, so they are written without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.core.single_precision import in_single

LONGEST_TANGENT = 10.0
"""In units of ``sqrt K``; ``cosh`` of it is 11,013."""

_NEAREST = 1e-7
"""Added to one, the smallest argument of the inverse of ``cosh``: its slope is infinite at one."""

_SHORTEST = 1e-12
"""Keeps the division by a length finite at the origin."""


def shortened(tangent: Tensor, k: float = 1.0) -> Tensor:
    """Tangent vectors with their direction and at most ``LONGEST_TANGENT`` long, [n, dim]."""
    lengths = torch.linalg.vector_norm(tangent, dim=-1, keepdim=True)
    kept: Tensor = (LONGEST_TANGENT * k**0.5 / lengths.clamp_min(_SHORTEST)).clamp_max(1.0)
    return tangent * kept


def lifted(tangent: Tensor, k: float = 1.0) -> Tensor:
    """``exp_o``: the point that a tangent vector at the origin leads to, [n, dim] to [n, dim + 1].

    The first component is ``sqrt(K + |x_1:|^2)``, which equals ``sqrt K cosh(|v| / sqrt K)``: the
    point lies on the hyperboloid whatever rounding has done to the others.
    """
    points: Tensor = _Lifted.apply(tangent, k)  # type: ignore[no-untyped-call]
    return points


class _Lifted(torch.autograd.Function):
    """``lifted`` in four passes over the vectors, gradient included."""

    @staticmethod
    @in_single
    def forward(ctx: Any, tangent: Tensor, k: float) -> Tensor:
        root = k**0.5
        lengths = torch.linalg.vector_norm(tangent, dim=-1, keepdim=True).clamp_min_(_SHORTEST)
        scale = root * torch.sinh((lengths / root).clamp_max(LONGEST_TANGENT)) / lengths
        points = tangent.new_empty(*tangent.shape[:-1], tangent.shape[-1] + 1)
        torch.mul(tangent, scale, out=points[..., 1:])
        space = torch.linalg.vector_norm(points[..., 1:], dim=-1, keepdim=True)
        points[..., :1] = torch.sqrt(k + space.square())
        ctx.save_for_backward(tangent, lengths, scale, points[..., :1].clone())
        ctx.root = root
        return points

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        tangent, lengths, scale, time = ctx.saved_tensors
        to_time, to_space = gradients[0][..., :1], gradients[0][..., 1:]
        # Of the time component: space / time; space is ``scale`` times the tangent vector.
        along = to_time / time * scale
        inner = torch.linalg.vecdot(to_space, tangent).unsqueeze(-1) + along * lengths.square()
        argument = lengths / ctx.root
        # Beyond the longest tangent only the direction counts, and at the origin nothing turns.
        slope = torch.where(argument < LONGEST_TANGENT, torch.cosh(argument), 0.0)
        turn = torch.where(lengths > _SHORTEST, (slope - scale) / lengths.square() * inner, 0.0)
        return torch.addcmul(to_space * scale, tangent, scale * along + turn), None


def tangent_of(points: Tensor, k: float = 1.0) -> Tensor:
    """``log_o``: the tangent vector at the origin that leads to a point, [n, dim + 1] to [n, dim].

    It is ``sqrt K arsinh(|x_1:| / sqrt K)`` long.
    """
    root, space = k**0.5, points[..., 1:]
    lengths = torch.linalg.vector_norm(space, dim=-1, keepdim=True).clamp_min(_SHORTEST)
    tangent: Tensor = root * torch.asinh(lengths / root) * space / lengths
    return tangent


def listed_distances(
    points: Tensor, others: Tensor, lists: SparsePattern, k: float = 1.0
) -> Tensor:
    """``sqrt K arcosh(-<x, y>_L / K)`` from every point to every member of its list.

    No member is copied: a list is a row of cells, and what passes back is a sparse product.

    Args:
        points: [n, dim + 1].
        others: What the lists refer to, [n_others, dim + 1].
        lists: Members by point, [n, n_others]; see ``pattern_of_lists``.
        k: K.

    Returns:
        [n_members].
    """
    mirrored = torch.cat([points[:, :1], -points[:, 1:]], dim=1)
    argument = lists.inner_products(mirrored, others) / k
    distances: Tensor = k**0.5 * torch.acosh(argument.clamp_min(1 + _NEAREST))
    return distances


def all_distances(points: Tensor, others: Tensor, k: float = 1.0) -> Tensor:
    """``sqrt K arcosh(-<x, y>_L / K)`` from every point to every other, [n, n_others].

    The two sums of the product nearly cancel: between points ten roots of K from the origin they
    are 1e8 where the argument may be 1e4, so both must be given in double precision.

    Args:
        points: [n, dim + 1].
        others: [n_others, dim + 1].
        k: K.
    """
    mirrored = torch.cat([points[:, :1], -points[:, 1:]], dim=1)
    argument = (mirrored @ others.T).div_(k).clamp_min_(1 + _NEAREST)
    return argument.acosh_().mul_(k**0.5)


def pattern_of_lists(listed: Tensor, n_others: int) -> SparsePattern:
    """Lists of equal length as cells, row by row; a member may be there twice.

    Args:
        listed: Ids, [n, m].
        n_others: What they are below.
    """
    rows = np.repeat(np.arange(len(listed)), listed.shape[1])
    columns = listed.flatten().cpu().numpy()
    return SparsePattern(rows, columns, (len(listed), n_others), listed.device)
