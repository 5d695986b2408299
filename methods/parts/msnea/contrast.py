"""MSNEA's contrast of all views and of the fused vector, with its gradients in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmea_bench.methods.core.single_precision import in_single

_LEAST_NORM = 1e-12


def views_contrast(views: Mapping[str, Tensor], margin: float) -> Tensor:
    """``(1 - y) S^2 + y [margin - S]+^2``, averaged over n x n, of the fused and of each view.

    Equal to twice ``squared_contrastive_loss`` of the normalised concatenation and of every view.
    Each step has all seeds in it, and here they are passed over a third as often.

    Args:
        views: The sources' vectors, then in the same order their partners', [2 n, dim] each, whose
            concatenation has no zero row; S is the inner product.
        margin: Of partners.
    """
    loss: Tensor = _ViewsContrast.apply(margin, *views.values())  # type: ignore[no-untyped-call]
    return loss


class _ViewsContrast(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, margin: float, *views: Tensor) -> Tensor:
        joined = torch.cat(views, dim=1)
        norms = joined.norm(dim=1, keepdim=True).clamp_min_(_LEAST_NORM)
        unit = joined.div_(norms)
        total, gradient = _contrast(unit, margin)
        along = torch.linalg.vecdot(gradient, unit).unsqueeze(1)
        gradient.addcmul_(unit, along, value=-1).div_(norms)
        parts = torch.split(gradient, [view.shape[1] for view in views], dim=1)
        for view, part in zip(views, parts, strict=True):
            value, of_view = _contrast(view, margin)
            total += value
            part += of_view
        ctx.save_for_backward(*parts)
        return total

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(gradients[0] * part for part in ctx.saved_tensors))


def _contrast(vectors: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The loss of the rows of pairs and its gradient, [] and [2 n, dim]."""
    n = len(vectors) // 2
    source, target = vectors[:n], vectors[n:]
    of_source, of_target = source.T @ source, target.T @ target
    own = torch.linalg.vecdot(source, target)
    lack = torch.relu(margin - own)
    scale = 1 / max(1, n) ** 2
    pull = (own + lack).mul_(-2 * scale).unsqueeze(1)
    gradient = torch.empty_like(vectors)
    torch.mm(source, of_target * (2 * scale), out=gradient[:n]).addcmul_(target, pull)
    torch.mm(target, of_source * (2 * scale), out=gradient[n:]).addcmul_(source, pull)
    squares = (of_source * of_target).sum() - own.square().sum() + lack.square().sum()
    return squares * scale, gradient
