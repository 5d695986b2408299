"""Translation distances of triples and of the same triples with a stand-in for one end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding

from mmea_bench.methods.core.losses.margins import Norm, lengths
from mmea_bench.methods.core.losses.translation_gradients import (
    EuclideanGaps,
    ManhattanGaps,
    ManhattanTriples,
)

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

    def rows(self, chosen: Tensor) -> CorruptedTriples:
        """Some of the triples, chosen by ids where they are."""
        parts = (self.triples, self.stand_ins, self.replaces_head)
        return CorruptedTriples(*(part.index_select(0, chosen) for part in parts))

    def batches(self, size: int) -> Iterator[CorruptedTriples]:
        """Their triples in order, that many at once, without copies."""
        parts = (self.triples, self.stand_ins, self.replaces_head)
        columns = (torch.split(part, size) for part in parts)
        yield from (CorruptedTriples(*batch) for batch in zip(*columns, strict=True))

    def to(self, device: torch.device) -> CorruptedTriples:
        """The same triples on a device."""
        parts = (self.triples, self.stand_ins, self.replaces_head)
        return CorruptedTriples(*(part.to(device) for part in parts))

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
        relation_ids, relation_of = distinct_ids(self.triples[:, 1])
        entities = torch.cat([self.triples[:, 0], self.triples[:, 2], self.stand_ins.flatten()])
        entity_ids, entity_of = distinct_ids(entities)
        triples = torch.stack([entity_of[:n], relation_of, entity_of[n : 2 * n]], dim=1)
        stand_ins = entity_of[2 * n :].view(self.stand_ins.shape)
        return entity_ids, relation_ids, CorruptedTriples(triples, stand_ins, self.replaces_head)


def distinct_ids(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct ids in order and the place of each id among them, as ``torch.unique`` has it.

    Marking a list of all ids is six times as fast as sorting the few of a batch.
    """
    if not len(ids):
        return ids, ids
    if ids.device.type == "cpu":  # a third of the library's time for a few thousand ids
        return _distinct_of(ids.numpy())
    is_there = torch.zeros(int(ids.max()) + 1, dtype=torch.bool, device=ids.device)
    is_there[ids] = True
    found = is_there.nonzero().squeeze(1)
    place = torch.empty(len(is_there), dtype=torch.int64, device=ids.device)
    place[found] = torch.arange(len(found), device=ids.device)
    return found, place[ids]


def _distinct_of(ids: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    is_there = np.zeros(int(ids.max()) + 1, dtype=np.bool_)
    is_there[ids] = True
    found = np.flatnonzero(is_there)
    place = np.empty(len(is_there), dtype=np.int64)
    place[found] = np.arange(len(found))
    return torch.from_numpy(found), torch.from_numpy(place[ids])


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
    if measure == "l1":
        own, others = ManhattanGaps.apply(entities, relations, *parts)  # type: ignore[no-untyped-call]
    else:
        squared = measure == "squared l2"
        own, others = EuclideanGaps.apply(  # type: ignore[no-untyped-call]
            entities, relations, *parts, squared
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
    if measure == "l1":
        found: Tensor = ManhattanTriples.apply(entities, relations, triples)  # type: ignore[no-untyped-call]
        return found
    moved = embedding(triples[:, 0], entities) + embedding(triples[:, 1], relations)
    tail = embedding(triples[:, 2], entities)
    return -(moved * tail).sum(dim=1) if measure == "inner" else lengths(moved - tail, measure)
