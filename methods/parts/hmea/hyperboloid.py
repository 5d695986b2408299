"""The hyperboloid ``<x, x>_L = -K``: maps from and to the tangent space at its origin, distances.

``<x, y>_L = -x_0 y_0 + sum_i x_i y_i`` and the origin is ``(sqrt K, 0, ..., 0)``. Tangent vectors
at the origin have no first component, so they are written without it.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
    root, tangent = k**0.5, shortened(tangent, k)
    lengths = torch.linalg.vector_norm(tangent, dim=-1, keepdim=True).clamp_min(_SHORTEST)
    space = root * torch.sinh(lengths / root) * tangent / lengths
    time = torch.sqrt(k + space.square().sum(dim=-1, keepdim=True))
    return torch.cat([time, space], dim=-1)


def tangent_of(points: Tensor, k: float = 1.0) -> Tensor:
    """``log_o``: the tangent vector at the origin that leads to a point, [n, dim + 1] to [n, dim].

    It is ``sqrt K arsinh(|x_1:| / sqrt K)`` long.
    """
    root, space = k**0.5, points[..., 1:]
    lengths = torch.linalg.vector_norm(space, dim=-1, keepdim=True).clamp_min(_SHORTEST)
    tangent: Tensor = root * torch.asinh(lengths / root) * space / lengths
    return tangent


def listed_distances(points: Tensor, others: Tensor, k: float = 1.0) -> Tensor:
    """``sqrt K arcosh(-<x, y>_L / K)`` from every point to every member of its list.

    Args:
        points: [n, dim + 1].
        others: [n, m, dim + 1].
        k: K.

    Returns:
        [n, m].
    """
    mirrored = torch.cat([points[:, :1], -points[:, 1:]], dim=1)
    argument = torch.bmm(others, mirrored.unsqueeze(2)).squeeze(2) / k
    distances: Tensor = k**0.5 * torch.acosh(argument.clamp_min(1 + _NEAREST))
    return distances
