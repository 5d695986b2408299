"""ICL with gradients worked out by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_single


def contrastive_loss(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """``intra_modal_contrastive_loss`` (mean of logs) with fewer products and less memory.

    Similarities of a graph's own rows are symmetric, so that their gradient needs one product, not
    two; gradients are formed with the loss, after which the [b, b] matrices are dropped. Equal up
    to rounding.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: tau.
    """
    loss: Tensor = _ContrastiveLoss.apply(  # type: ignore[no-untyped-call]
        source, target, temperature
    )
    return loss


class _ContrastiveLoss(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, source: Tensor, target: Tensor, temperature: float) -> Tensor:
        size = len(source)
        across = (source / temperature) @ target.T
        same_source = ((source / temperature) @ source.T).fill_diagonal_(-torch.inf)
        same_target = ((target / temperature) @ target.T).fill_diagonal_(-torch.inf)
        own = across.diagonal().clone()
        top_source = torch.maximum(across.amax(dim=1), same_source.amax(dim=1))
        top_target = torch.maximum(across.amax(dim=0), same_target.amax(dim=1))
        # Exponentials, then probabilities, in place; row i belongs to entity i of its graph, in
        # ``backwards`` column i to target i.
        backwards = (across - top_target).exp_()
        across.sub_(top_source.unsqueeze(1)).exp_()
        same_source.sub_(top_source.unsqueeze(1)).exp_()
        same_target.sub_(top_target.unsqueeze(1)).exp_()
        total_source = across.sum(dim=1) + same_source.sum(dim=1)
        total_target = backwards.sum(dim=0) + same_target.sum(dim=1)
        across.div_(total_source.unsqueeze(1)).add_(backwards.div_(total_target))
        across.diagonal().sub_(2)
        same_source.div_(total_source.unsqueeze(1))
        same_target.div_(total_target.unsqueeze(1))
        scale = 1 / (2 * size * temperature)
        ctx.save_for_backward(
            torch.addmm(across @ target, same_source + same_source.T, source) * scale,
            torch.addmm(across.T @ source, same_target + same_target.T, target) * scale,
        )
        log_source = own - top_source - total_source.log()
        log_target = own - top_target - total_target.log()
        return -(log_source.mean() + log_target.mean()) / 2

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        to_source, to_target = ctx.saved_tensors
        return gradients[0] * to_source, gradients[0] * to_target, None
