"""Translation distances with gradients of their own, which take a fraction of autograd's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from mmea_bench.methods.core.losses.orders import stable_order
from mmea_bench.methods.core.losses.reached import reached
from mmea_bench.methods.core.single_precision import in_single


class EuclideanGaps(Function):
    """Lengths of ``h + r - t`` of triples, [b], and of their negatives, [b, k].

    Equal up to rounding to what autograd makes of the formula. A negative compares an entity with
    ``h + r`` or ``t - r``, whose squared distance needs an inner product alone, and gradients are
    weighted sums of rows: no array of the size [b, k, dim] is made, since memory traffic is what an
    epoch takes.
    """

    @staticmethod
    @in_single
    def forward(  # noqa: D102 - as the library
        ctx: Any,
        entities: Tensor,
        relations: Tensor,
        triples: Tensor,
        stand_ins: Tensor,
        replaces_head: Tensor,
        squared: bool,  # noqa: FBT001 - autograd passes arguments by their place
    ) -> tuple[Tensor, Tensor]:
        heads, relation_ids, tails = triples.unbind(1)
        head, tail = entities.index_select(0, heads), entities.index_select(0, tails)
        relation = relations.index_select(0, relation_ids)
        # What stand-ins are compared with, [2 b, dim], and room for the gradients of both.
        room = entities.new_empty(4 * len(triples), entities.shape[1])
        moved, returned, _, _ = room.chunk(4)
        torch.add(head, relation, out=moved)
        torch.sub(tail, relation, out=returned)
        fixed, gap = room[: 2 * len(triples)], moved - tail
        pairs = _Pairs.of(stand_ins, replaces_head)
        inner = pairs.in_place(pairs.inner_products(fixed, entities))
        of_fixed, of_entities = (
            torch.linalg.vector_norm(rows, dim=1).square_() for rows in (fixed, entities)
        )
        own_squares = torch.where(replaces_head, *(part.unsqueeze(1) for part in _halves(of_fixed)))
        # Rounding may leave less than nothing.
        others = (own_squares + of_entities[stand_ins] - 2 * inner).clamp_min_(0)
        own = torch.linalg.vector_norm(gap, dim=1)
        own, others = (own.square_(), others) if squared else (own, others.sqrt_())
        ctx.save_for_backward(entities, triples, gap, own, others)
        ctx.room, ctx.pairs, ctx.n_relations, ctx.squared = room, pairs, len(relations), squared
        ctx.device = entities.device
        return own, others

    @staticmethod
    @in_single
    @once_differentiable
    def backward(  # noqa: D102 - as the library
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        entities, triples, gap, own, others = ctx.saved_tensors
        pairs: _Pairs = ctx.pairs
        own_slope, slopes = (
            _slopes(*parts, squared=ctx.squared)
            for parts in zip(gradients, (own, others), strict=True)
        )
        weights = pairs.in_order(slopes)
        # A margin or a limit leaves most negatives without a gradient.
        places = reached(weights, ctx.device)
        if 2 * len(places) < len(weights):
            pairs, weights = pairs.at(places), weights.index_select(0, places)
        fixed, of_fixed = ctx.room.chunk(2)
        torch.mul(fixed, pairs.sums(weights).unsqueeze(1), out=of_fixed)
        of_fixed -= pairs.weighted_sums(weights, entities)
        at_head, at_tail = of_fixed.chunk(2)
        of_gap = gap * own_slope.unsqueeze(1)
        of_relation = (at_head - at_tail).add_(of_gap)
        at_head += of_gap
        at_tail -= of_gap
        of_relations = entities.new_zeros(ctx.n_relations, entities.shape[1])
        of_relations.index_add_(0, triples[:, 1], of_relation)
        # To an entity come the rows that it is compared with and those of its own triples.
        ids = torch.cat([pairs.columns, triples[:, 0], triples[:, 2]])
        rows = torch.cat([pairs.rows, torch.arange(len(fixed), 2 * len(fixed), device=ids.device)])
        shares = torch.cat([-weights, weights.new_ones(len(fixed))])
        order = stable_order(ids, len(entities))
        # A count by `bincount` would wait for a GPU.
        counts = ids.new_zeros(len(entities)).index_add_(0, ids, torch.ones_like(ids))
        starts = _starts(counts)
        of_entities = _bags(rows[order], starts, ctx.room, shares[order])
        of_columns = weights.new_zeros(len(entities)).index_add_(0, pairs.columns, weights)
        of_entities.addcmul_(entities, of_columns.unsqueeze(1))
        return of_entities, of_relations, None, None, None, None


def _slopes(gradient: Tensor, distances: Tensor, *, squared: bool) -> Tensor:
    """What a gap is multiplied with for its gradient."""
    if squared:
        return 2 * gradient
    # The length of nothing has the gradient 0, as in the library.
    return torch.where(distances > 0, gradient / distances, 0.0)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Which entity is compared with which of ``h + r`` (the first b rows) and ``t - r``.

    Attributes:
        order: Flat place of each pair's stand-in, [b k]: those for tails first.
        rows: By row, [b k].
        columns: Entity of each pair, [b k].
        starts: Where the pairs of each row begin, and their number, [2 b + 1].
        shape: (b, k).
    """

    order: Tensor
    rows: Tensor
    columns: Tensor
    starts: Tensor
    shape: torch.Size

    @classmethod
    def of(cls, stand_ins: Tensor, replaces_head: Tensor) -> _Pairs:
        """The pairs of stand-ins, [b, k], those for tails first."""
        at_head = replaces_head.sum(dim=1)
        counts = torch.cat([stand_ins.shape[1] - at_head, at_head])
        # Sorted by which side is replaced: choosing by a mask would wait for a GPU.
        order = stable_order(replaces_head.flatten(), 2)
        columns = stand_ins.flatten().index_select(0, order)
        rows = torch.repeat_interleave(counts, output_size=len(order))
        return cls(order, rows, columns, _starts(counts), stand_ins.shape)

    def at(self, places: Tensor) -> _Pairs:
        """Some of the pairs, by their places in order."""
        rows, columns = (ids.index_select(0, places) for ids in (self.rows, self.columns))
        # A count by `bincount` would wait for a GPU.
        counts = rows.new_zeros(len(self.starts) - 1).index_add_(0, rows, torch.ones_like(rows))
        order = self.order.index_select(0, places)
        return _Pairs(order, rows, columns, _starts(counts), self.shape)

    def inner_products(self, fixed: Tensor, entities: Tensor) -> Tensor:
        """Of each pair, [b k]."""
        if not len(self.columns):
            return fixed.new_zeros(0)
        shape = (len(fixed), len(entities))
        zeros = fixed.new_zeros(len(self.columns))
        empty = torch.sparse_csr_tensor(
            self.starts, self.columns, zeros, shape, check_invariants=False
        )
        sampled: Tensor = torch.sparse.sampled_addmm(empty, fixed, entities.T, beta=0.0)
        return sampled.values()

    def in_place(self, values: Tensor) -> Tensor:
        """Values of pairs where their stand-ins are, [b, k]."""
        found = torch.empty_like(values)
        found[self.order] = values
        return found.view(self.shape)

    def in_order(self, values: Tensor) -> Tensor:
        """Values of stand-ins, [b, k], as those of pairs."""
        return values.flatten().index_select(0, self.order)

    def sums(self, weights: Tensor) -> Tensor:
        """Sum of the weights of each row's pairs, [2 b]."""
        return weights.new_zeros(len(self.starts) - 1).index_add_(0, self.rows, weights)

    def weighted_sums(self, weights: Tensor, entities: Tensor) -> Tensor:
        """Sum of the entities that a row is compared with, by weight, [2 b, dim]."""
        return _bags(self.columns, self.starts, entities, weights)


def _bags(rows: Tensor, starts: Tensor, vectors: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of rows of ``vectors``, from one start to the next, [n_starts - 1, dim]."""
    return embedding_bag(
        rows, vectors, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def _starts(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Those of ``t - r`` and those of ``h + r``."""
    of_tails, of_heads = values.chunk(2)
    return of_heads, of_tails


class ManhattanGaps(Function):
    """Absolute components of ``h + r - t``, summed: of triples, [b], and of negatives, [b, k].

    Equal to what autograd makes of the formula. Here the gradients of a triple and of its negatives
    are added up before they reach the rows of the tables, and no further array of the size of all
    negatives is made: memory traffic is what an epoch takes.
    """

    @staticmethod
    @in_single
    def forward(  # noqa: D102 - as the library
        ctx: Any,
        entities: Tensor,
        relations: Tensor,
        triples: Tensor,
        stand_ins: Tensor,
        replaces_head: Tensor,
    ) -> tuple[Tensor, Tensor]:
        heads, relation_ids, tails = triples.unbind(1)
        head, tail = entities.index_select(0, heads), entities.index_select(0, tails)
        relation = relations.index_select(0, relation_ids)
        moved, returned = head + relation, relation - tail
        # A stand-in e gives (h + r) - e as a tail and e + (r - t) as a head.
        other = entities.index_select(0, stand_ins.flatten()).view(
            *stand_ins.shape, entities.shape[1]
        )
        fixed = torch.where(replaces_head.unsqueeze(2), returned.unsqueeze(1), moved.unsqueeze(1))
        gaps = moved.sub_(tail), fixed.addcmul_(other, _signs(replaces_head, other).unsqueeze(2))
        own, others = (gap.abs().sum(dim=-1) for gap in gaps)
        # Gradients need their signs alone.
        signs = (gap.sign_() for gap in gaps)
        ctx.save_for_backward(triples, stand_ins, replaces_head, *signs)
        ctx.n_rows, ctx.device = (len(entities), len(relations)), entities.device
        return own, others

    @staticmethod
    @in_single
    @once_differentiable
    def backward(  # noqa: D102 - as the library
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        triples, stand_ins, replaces_head, own_gap, gaps = ctx.saved_tensors
        n_entities, n_relations = ctx.n_rows
        own_slope, slopes = gradients
        at_head = replaces_head.to(slopes.dtype)
        # What reaches a triple's head, relation and tail from its negatives that keep them.
        kept = torch.stack([1 - at_head, torch.ones_like(at_head), at_head], dim=1)  # [b, 3, k]
        of_ends = torch.bmm(kept * slopes.unsqueeze(1), gaps)
        of_ends += (own_slope.unsqueeze(1) * own_gap).unsqueeze(1)
        of_entities = gaps.new_zeros(n_entities, gaps.shape[2])
        of_entities.index_add_(0, triples[:, 0], of_ends[:, 0])
        of_entities.index_add_(0, triples[:, 2], of_ends[:, 2], alpha=-1)
        # A margin leaves most negatives without a gradient in the end.
        places = reached(slopes.flatten(), ctx.device)
        weights = (slopes * _signs(replaces_head, slopes)).flatten()[places].unsqueeze(1)
        of_others = gaps.flatten(0, 1).index_select(0, places).mul_(weights)
        of_entities.index_add_(0, stand_ins.flatten()[places], of_others)
        of_relations = gaps.new_zeros(n_relations, gaps.shape[2])
        of_relations.index_add_(0, triples[:, 1], of_ends[:, 1])
        return of_entities, of_relations, None, None, None


class ManhattanTriples(Function):
    """Absolute components of ``h + r - t`` of triples, summed, [b].

    Equal to what autograd makes of the formula. The signs of a triple's components are all that its
    gradients need, and reach the rows of both ends and of the relation from one array.
    """

    @staticmethod
    @in_single
    def forward(  # noqa: D102 - as the library
        ctx: Any, entities: Tensor, relations: Tensor, triples: Tensor
    ) -> Tensor:
        heads, relation_ids, tails = triples.unbind(1)
        gaps = entities.index_select(0, heads).add_(relations.index_select(0, relation_ids))
        gaps.sub_(entities.index_select(0, tails))
        lengths = gaps.abs().sum(dim=1)
        ctx.save_for_backward(triples, gaps.sign_())
        ctx.n_rows = (len(entities), len(relations))
        return lengths

    @staticmethod
    @in_single
    @once_differentiable
    def backward(  # noqa: D102 - as the library
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        triples, signs = ctx.saved_tensors
        of_gaps = signs * gradients[0].unsqueeze(1)
        of_entities, of_relations = (
            signs.new_zeros(n_rows, signs.shape[1]) for n_rows in ctx.n_rows
        )
        of_entities.index_add_(0, triples[:, 0], of_gaps)
        of_entities.index_add_(0, triples[:, 2], of_gaps, alpha=-1)
        of_relations.index_add_(0, triples[:, 1], of_gaps)
        return of_entities, of_relations, None


def _signs(replaces_head: Tensor, like: Tensor) -> Tensor:
    """1 where a stand-in is a head and -1 where it is a tail, [b, k]."""
    return (2 * replaces_head - 1).to(like.dtype)
