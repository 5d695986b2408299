"""Rows of length 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_single

_LEAST_NORM = 1e-12


def unit_rows(vectors: Tensor) -> Tensor:
    """L2-normalised rows, [n, dim], with the gradient of non-zero rows in closed form."""
    unit: Tensor = _UnitRows.apply(vectors)  # type: ignore[no-untyped-call]
    return unit


class _UnitRows(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        inverse = vectors.norm(dim=1, keepdim=True).clamp_min_(_LEAST_NORM).reciprocal_()
        unit: Tensor = vectors * inverse
        ctx.save_for_backward(unit, inverse)
        return unit

    @staticmethod
    @in_single
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        unit, inverse = ctx.saved_tensors
        along = (gradient * unit).sum(dim=1, keepdim=True)
        across: Tensor = torch.addcmul(gradient, unit, along, value=-1) * inverse
        return across
