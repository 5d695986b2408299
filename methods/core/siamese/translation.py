"""TransE on the entities of one batch: their unit vectors and the margin loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, relu

from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.single_precision import in_single

_BLOCK = 2048
"""Triples at once on a CPU: what is made of them stays in its cache."""


@dataclass(frozen=True, eq=False)
class Triples:
    """Triples with one negative each.

    Attributes:
        ends: Entities as head, as tail and as stand-in, [b] each.
        relation: [b].
        replaces_head: Whether the stand-in takes the head's place, else the tail's, [b].
    """

    ends: tuple[Tensor, Tensor, Tensor]
    relation: Tensor
    replaces_head: Tensor

    def blocks(self, size: int) -> Iterator[Triples]:
        """Runs of that many triples, one empty run of no triples."""
        for start in range(0, max(1, len(self.relation)), size):
            yield self.rows(slice(start, start + size))

    def rows(self, chosen: Tensor | slice) -> Triples:
        """Some of the triples."""
        head, tail, other = (ids[chosen] for ids in self.ends)
        return Triples((head, tail, other), self.relation[chosen], self.replaces_head[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Triples]) -> Triples:
        """All triples of several."""
        head, tail, other = (
            torch.cat(ids) for ids in zip(*(part.ends for part in parts), strict=True)
        )
        return cls(
            (head, tail, other),
            torch.cat([part.relation for part in parts]),
            torch.cat([part.replaces_head for part in parts]),
        )


class BatchEntities:
    """L2-normalised vectors of the distinct entities of a batch.

    Equals rows of the normalised table, whose other rows are neither normalised nor get gradients.

    Args:
        ids: Joint ids, [n], in any order and number.
        table: Entity table, [n_entities, dim], without zero rows.

    Attributes:
        rows: The distinct entities, ascending, [n_distinct].
        vectors: Theirs, [n_distinct, dim].
    """

    def __init__(self, ids: Tensor, table: Tensor) -> None:
        used = torch.zeros(len(table), dtype=torch.bool, device=table.device)
        used[ids] = True
        self.rows = used.nonzero().squeeze(1)
        self._place = torch.cumsum(used, dim=0) - 1
        self.vectors = unit_rows(embedding(self.rows, table))

    def triples(
        self, head: Tensor, tail: Tensor, stand_in: Tensor, relation: Tensor, replaces_head: Tensor
    ) -> Triples:
        """Triples of joint ids as triples of the rows of ``vectors``, [b] each."""
        ends = (self._place[head], self._place[tail], self._place[stand_in])
        return Triples(ends, relation, replaces_head)

    def of(self, ids: Tensor) -> Tensor:
        """Vectors of entities that the batch holds, [n, dim]."""
        return embedding(self._place[ids], self.vectors)


def translation_loss(
    entities: Tensor, relations: Tensor, triples: Triples, margin: float
) -> Tensor:
    """``sum [margin + |h + r - t|^2 - |h' + r - t'|^2]+`` of a batch of triples.

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        triples: Rows of the two and what stands in for head or tail.
        margin: gamma.

    Reference: Bordes et al., NeurIPS 2013; summed as in MSNEA, TMEA and CLAMEA.
    """
    loss: Tensor = _TranslationLoss.apply(  # type: ignore[no-untyped-call]
        entities, relations, triples, margin
    )
    return loss


class _TranslationLoss(torch.autograd.Function):
    """Keeps what triples within the margin need: once trained, most lie beyond and send nothing."""

    @staticmethod
    @in_single
    def forward(
        ctx: Any, entities: Tensor, relations: Tensor, triples: Triples, margin: float
    ) -> Tensor:
        total = torch.zeros((), dtype=entities.dtype, device=entities.device)
        size = _BLOCK if entities.device.type == "cpu" else max(1, len(triples.relation))
        active, gaps = [], []
        for part in triples.blocks(size):
            at_head = part.replaces_head.unsqueeze(1)
            head, tail, other = (embedding(ids, entities) for ids in part.ends)
            relation = embedding(part.relation, relations)
            positive = (head + relation).sub_(tail)
            negative = torch.where(at_head, other, head).add_(relation)
            negative.sub_(torch.where(at_head, tail, other))
            hinge = relu(margin + positive.square().sum(dim=1) - negative.square().sum(dim=1))
            total += hinge.sum()
            rows = hinge.nonzero().squeeze(1)
            active.append(part.rows(rows))
            gaps.append((positive[rows], negative[rows]))
        ctx.active, ctx.sizes = Triples.joined(active), (len(entities), len(relations))
        ctx.save_for_backward(*(torch.cat(parts) for parts in zip(*gaps, strict=True)))
        return total

    @staticmethod
    @in_single
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        active: Triples = ctx.active
        own, others = (2 * gradient * gap for gap in ctx.saved_tensors)
        kept_tail = others * active.replaces_head.unsqueeze(1)  # negatives with the own tail
        kept_head = others - kept_tail
        n_entities, n_relations = ctx.sizes
        to_entities = own.new_zeros(n_entities, own.shape[1])
        to_ends = (own - kept_head, kept_tail - own, kept_head - kept_tail)
        for ids, rows in zip(active.ends, to_ends, strict=True):
            to_entities.index_add_(0, ids, rows)
        to_relations = own.new_zeros(n_relations, own.shape[1])
        return to_entities, to_relations.index_add_(0, active.relation, own - others), None, None
