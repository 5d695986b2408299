"""Translation distances of triples and of the same triples with a stand-in for one end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding

from mmea_bench.methods.core.losses.margins import Norm, lengths

Measure = Norm | Literal["inner"]
"""Length of ``h + r - t``, or minus the inner product of ``h + r`` and ``t``: lower is closer."""


@dataclass(frozen=True, eq=False)
class CorruptedTriples:
    """Triples, each with several negatives that differ from it in one end.

    Attributes:
        triples: (head, relation, tail) ids, [b, 3].
        stand_ins: Entity of each negative, [b, k].
        replaces_head: Whether it stands in for the head rather than the tail, [b, k].
    """

    triples: Tensor
    stand_ins: Tensor
    replaces_head: Tensor

    def rows(self, chosen: Tensor, device: torch.device) -> CorruptedTriples:
        """Some of the triples, on a device."""
        parts = (self.triples, self.stand_ins, self.replaces_head)
        return CorruptedTriples(*(part[chosen].to(device) for part in parts))

    def negatives(self) -> Tensor:
        """The corrupted triples themselves, [b, k, 3]."""
        heads, relations, tails = (
            column.unsqueeze(1).expand_as(self.stand_ins) for column in self.triples.unbind(1)
        )
        heads = torch.where(self.replaces_head, self.stand_ins, heads)
        tails = torch.where(self.replaces_head, tails, self.stand_ins)
        return torch.stack([heads, relations, tails], dim=2)

    def distinct(self) -> tuple[Tensor, Tensor, CorruptedTriples]:
        """Distinct entity ids, distinct relation ids, and the triples as positions in the two."""
        n = len(self.triples)
        relation_ids, relation_of = _distinct(self.triples[:, 1])
        entities = torch.cat([self.triples[:, 0], self.triples[:, 2], self.stand_ins.flatten()])
        entity_ids, entity_of = _distinct(entities)
        triples = torch.stack([entity_of[:n], relation_of, entity_of[n : 2 * n]], dim=1)
        stand_ins = entity_of[2 * n :].view(self.stand_ins.shape)
        return entity_ids, relation_ids, CorruptedTriples(triples, stand_ins, self.replaces_head)


def _distinct(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct ids in order and the place of each id among them, as ``torch.unique`` has it.

    Marking a list of all ids is six times as fast as sorting the few of a batch.
    """
    if not len(ids):
        return ids, ids
    is_there = torch.zeros(int(ids.max()) + 1, dtype=torch.bool, device=ids.device)
    is_there[ids] = True
    found = is_there.nonzero().squeeze(1)
    place = torch.empty(len(is_there), dtype=torch.int64, device=ids.device)
    place[found] = torch.arange(len(found), device=ids.device)
    return found, place[ids]


def translation_distances(
    entities: Tensor, relations: Tensor, batch: CorruptedTriples, measure: Measure = "l2"
) -> tuple[Tensor, Tensor]:
    """Distances of triples and of their negatives, [b] and [b, k].

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        batch: Rows of the two.
        measure: How ``h + r`` and ``t`` are compared.
    """
    if measure == "inner":
        return _inner_distances(entities, relations, batch)
    parts = (batch.triples, batch.stand_ins, batch.replaces_head)
    own, others = _Distances.apply(  # type: ignore[no-untyped-call]
        entities, relations, *parts, measure
    )
    return own, others


def _inner_distances(
    entities: Tensor, relations: Tensor, batch: CorruptedTriples
) -> tuple[Tensor, Tensor]:
    """Minus the inner products of ``h + r`` and ``t``, [b] and [b, k]."""
    n = len(batch.triples)
    head, tail = embedding(batch.triples[:, 0], entities), embedding(batch.triples[:, 2], entities)
    relation = embedding(batch.triples[:, 1], relations)
    other = embedding(batch.stand_ins, entities)  # [b, k, dim]
    place = torch.arange(n, device=head.device).unsqueeze(1) + n * batch.replaces_head
    # -(h + r) t is -(h + r) e for a stand-in tail and -(r t) - e t for a stand-in head.
    fixed, kept = torch.cat([head + relation, tail]), (relation * tail).sum(dim=1, keepdim=True)
    others = (embedding(place, fixed) * other).sum(dim=2) + kept * batch.replaces_head
    return -((head + relation) * tail).sum(dim=1), -others


class _Distances(Function):
    """Lengths of ``h + r - t`` of triples, [b], and of their negatives, [b, k].

    Equal to what autograd makes of the formula. Here the gradients of a triple and of its negatives
    are added up before they reach the rows of the tables, and no further array of the size of all
    negatives is made: memory traffic is what an epoch takes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        entities: Tensor,
        relations: Tensor,
        triples: Tensor,
        stand_ins: Tensor,
        replaces_head: Tensor,
        measure: Norm,
    ) -> tuple[Tensor, Tensor]:
        heads, relation_ids, tails = triples.unbind(1)
        head, tail = entities.index_select(0, heads), entities.index_select(0, tails)
        relation = relations.index_select(0, relation_ids)
        moved, returned = head + relation, relation - tail
        # A stand-in e gives (h + r) - e as a tail and e + (r - t) as a head.
        other = entities.index_select(0, stand_ins.flatten()).view(*stand_ins.shape, -1)
        fixed = torch.where(replaces_head.unsqueeze(2), returned.unsqueeze(1), moved.unsqueeze(1))
        gaps = moved.sub_(tail), fixed.addcmul_(other, _signs(replaces_head, other).unsqueeze(2))
        own, others = (lengths(gap, measure) for gap in gaps)
        ctx.save_for_backward(triples, stand_ins, replaces_head, *gaps, own, others)
        ctx.n_rows, ctx.measure = (len(entities), len(relations)), measure
        return own, others

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        triples, stand_ins, replaces_head, own_gap, gaps, own, others = ctx.saved_tensors
        n_entities, n_relations = ctx.n_rows
        own_slope, slopes = (
            _slopes(*parts, ctx.measure) for parts in zip(gradients, (own, others), strict=True)
        )
        if ctx.measure == "l1":
            own_gap, gaps = own_gap.sign(), gaps.sign()
        at_head = replaces_head.to(slopes.dtype)
        # What reaches a triple's head, relation and tail from its negatives that keep them.
        kept = torch.stack([1 - at_head, torch.ones_like(at_head), at_head], dim=1)  # [b, 3, k]
        of_ends = torch.bmm(kept * slopes.unsqueeze(1), gaps)
        of_ends += (own_slope.unsqueeze(1) * own_gap).unsqueeze(1)
        of_entities = gaps.new_zeros(n_entities, gaps.shape[2])
        of_entities.index_add_(0, triples[:, 0], of_ends[:, 0])
        of_entities.index_add_(0, triples[:, 2], of_ends[:, 2], alpha=-1)
        # A margin leaves most negatives without a gradient in the end.
        reached = slopes.flatten().nonzero().squeeze(1)
        weights = (slopes * _signs(replaces_head, slopes)).flatten()[reached].unsqueeze(1)
        of_others = gaps.flatten(0, 1).index_select(0, reached) * weights
        of_entities.index_add_(0, stand_ins.flatten()[reached], of_others)
        of_relations = gaps.new_zeros(n_relations, gaps.shape[2])
        of_relations.index_add_(0, triples[:, 1], of_ends[:, 1])
        return of_entities, of_relations, None, None, None, None


def _slopes(gradient: Tensor, distances: Tensor, measure: Norm) -> Tensor:
    """What a gap is multiplied with for its gradient (its signs, for l1)."""
    if measure == "l1":
        return gradient
    if measure == "squared l2":
        return 2 * gradient
    # The length of nothing has the gradient 0, as in the library.
    return torch.where(distances > 0, gradient / distances, 0.0)


def _signs(replaces_head: Tensor, like: Tensor) -> Tensor:
    """1 where a stand-in is a head and -1 where it is a tail, [b, k]."""
    return (2 * replaces_head - 1).to(like.dtype)


def triple_distances(
    entities: Tensor, relations: Tensor, triples: Tensor, measure: Measure = "l2"
) -> Tensor:
    """Distances of triples alone, [b].

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        triples: (head, relation, tail) rows of the two, [b, 3].
        measure: How ``h + r`` and ``t`` are compared.
    """
    moved = embedding(triples[:, 0], entities) + embedding(triples[:, 1], relations)
    tail = embedding(triples[:, 2], entities)
    return -(moved * tail).sum(dim=1) if measure == "inner" else lengths(moved - tail, measure)
