"""Hand-written operations that stay in float32 where a training runs in mixed precision.

Sparse products have no bfloat16 kernels on a CPU, and what is summed in place over many rows loses
digits in it. So the operations with gradients of their own take and give float32 whatever the
autocast region around them says. Vectors that are compared are widened too: scores of so few digits
would be ties.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

ResultT = TypeVar("ResultT")

HALF_PRECISION = (torch.bfloat16, torch.float16)

_ROWS_AT_ONCE = 256

_SHORTEST = 1e-12
"""Vectors shorter than this are scaled before they are divided by their length."""


def in_single(function: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """A ``forward`` or ``backward`` that is left out of autocast, with half precision widened."""

    @functools.wraps(function)
    def outside(ctx: Any, *given: Any) -> ResultT:
        devices = {value.device.type for value in given if isinstance(value, Tensor)}
        autocast = [device for device in devices if torch.is_autocast_enabled(device)]
        if not autocast:
            return function(ctx, *given)
        with torch.autocast(autocast[0], enabled=False):
            return function(ctx, *map(_single, given))

    return outside


def in_float32(device: torch.device) -> torch.autocast:
    """A region that is left out of autocast, for what is compared and not learned."""
    return torch.autocast(device.type, enabled=False)


def widened(values: Tensor) -> Tensor:
    """Half precision as float32; wider numbers as they are."""
    return values.float() if values.dtype in HALF_PRECISION else values


def comparable(vectors: Tensor, *, as_units: bool) -> Tensor:
    """Vectors in the precision that they are compared in.

    Args:
        vectors: [n, dim]; half precision is widened a few rows at a time, so that no more than the
            result is held beside it.
        as_units: Whether every row gets length 1; a zero row stays zero.
    """
    if vectors.dtype not in HALF_PRECISION:
        return _units(vectors) if as_units else vectors
    single = torch.empty(vectors.shape, dtype=torch.float32, device=vectors.device)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors[start : start + _ROWS_AT_ONCE].float()
        single[start : start + _ROWS_AT_ONCE] = _units(rows) if as_units else rows
    return single


def _units(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    units = vectors / lengths.clamp_min(_SHORTEST)
    short = torch.nonzero(lengths.squeeze(1) < _SHORTEST).squeeze(1)
    if len(short) and vectors.shape[1]:
        # The squares of a short vector are too small for a number; those of its shares are not.
        largest = vectors[short].abs().amax(dim=1, keepdim=True)
        shares = vectors[short] / largest.clamp_min(torch.finfo(vectors.dtype).tiny)
        units[short] = normalize(shares, dim=1)
    return units


def _single(value: object) -> object:
    return widened(value) if isinstance(value, Tensor) else value
