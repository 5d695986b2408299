"""Hand-written operations that stay in float32 where a training runs in mixed precision.

Sparse products have no bfloat16 kernels on a CPU, and what is summed in place over many rows loses
digits in it. So the operations with gradients of their own take and give float32 whatever the
autocast region around them says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

ResultT = TypeVar("ResultT")

_HALF = (torch.bfloat16, torch.float16)


def in_single(function: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """A ``forward`` or ``backward`` that is left out of autocast, with half precision widened."""

    @functools.wraps(function)
    def widened(ctx: Any, *given: Any) -> ResultT:
        devices = {value.device.type for value in given if isinstance(value, Tensor)}
        autocast = [device for device in devices if torch.is_autocast_enabled(device)]
        if not autocast:
            return function(ctx, *given)
        with torch.autocast(autocast[0], enabled=False):
            return function(ctx, *map(_single, given))

    return widened


def in_float32(device: torch.device) -> torch.autocast:
    """A region that is left out of autocast, for what is compared and not learned."""
    return torch.autocast(device.type, enabled=False)


def _single(value: object) -> object:
    is_half = isinstance(value, Tensor) and value.dtype in _HALF
    return value.float() if is_half else value  # type: ignore[attr-defined]
