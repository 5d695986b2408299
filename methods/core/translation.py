"""TransE on the entities of one batch: their unit vectors and the margin loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, relu

_LEAST_NORM = 1e-12


class BatchEntities:
    """L2-normalised vectors of the distinct entities of a batch.

    Equals rows of the normalised table, whose other rows are neither normalised nor get gradients.

    Args:
        ids: Joint ids, [n], in any order and number.
        table: Entity table, [n_entities, dim], without zero rows.
    """

    def __init__(self, ids: Tensor, table: Tensor) -> None:
        used = torch.zeros(len(table), dtype=torch.bool, device=table.device)
        used[ids] = True
        rows = used.nonzero().squeeze(1)
        self._place = torch.cumsum(used, dim=0) - 1
        self._vectors = unit_rows(embedding(rows, table))

    def of(self, ids: Tensor) -> Tensor:
        """Vectors of entities that the batch holds, [n, dim]."""
        return embedding(self._place[ids], self._vectors)


def unit_rows(vectors: Tensor) -> Tensor:
    """L2-normalised rows, [n, dim], with the gradient of non-zero rows in closed form."""
    unit: Tensor = _UnitRows.apply(vectors)  # type: ignore[no-untyped-call]
    return unit


def translation_loss(
    ends: Tensor, relations: Tensor, replaces_head: Tensor, margin: float
) -> Tensor:
    """``sum [margin + |h + r - t|^2 - |h' + r - t'|^2]+`` of a batch of triples.

    Args:
        ends: Heads, tails and stand-ins below one another, [3 b, dim].
        relations: r of each triple, [b, dim].
        replaces_head: Whether the stand-in takes the head's place, else the tail's, [b].
        margin: gamma.

    Reference: Bordes et al., NeurIPS 2013; summed as in MSNEA, TMEA and CLAMEA.
    """
    loss: Tensor = _TranslationLoss.apply(  # type: ignore[no-untyped-call]
        ends, relations, replaces_head, margin
    )
    return loss


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        inverse = vectors.norm(dim=1, keepdim=True).clamp_min_(_LEAST_NORM).reciprocal_()
        unit: Tensor = vectors * inverse
        ctx.save_for_backward(unit, inverse)
        return unit

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        unit, inverse = ctx.saved_tensors
        along = (gradient * unit).sum(dim=1, keepdim=True)
        across: Tensor = torch.addcmul(gradient, unit, along, value=-1) * inverse
        return across


class _TranslationLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, ends: Tensor, relations: Tensor, replaces_head: Tensor, margin: float
    ) -> Tensor:
        at_head = replaces_head.unsqueeze(1)
        head, tail, other = ends.chunk(3)
        positive = (head + relations).sub_(tail)
        negative = torch.where(at_head, other, head).add_(relations)
        negative.sub_(torch.where(at_head, tail, other))
        hinge = relu(margin + positive.square().sum(dim=1) - negative.square().sum(dim=1))
        ctx.save_for_backward(positive, negative, hinge > 0, at_head)
        return hinge.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        positive, negative, active, at_head = ctx.saved_tensors
        scale = (2 * gradient * active).unsqueeze(1)
        own, others = positive * scale, negative * scale
        kept_tail = others * at_head  # of negatives that still hold the triple's tail
        kept_head = others - kept_tail
        ends = torch.cat([own - kept_head, kept_tail - own, kept_head - kept_tail])
        return ends, own - others, None, None
