"""Translation distances of triples and of the same triples with a stand-in for one end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, relu

TranslationNorm = Literal["l2", "squared l2"]


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

    def distinct(self) -> tuple[Tensor, Tensor, CorruptedTriples]:
        """Distinct entity ids, distinct relation ids, and the triples as positions in the two."""
        n = len(self.triples)
        relation_ids, relation_of = torch.unique(self.triples[:, 1], return_inverse=True)
        entities = torch.cat([self.triples[:, 0], self.triples[:, 2], self.stand_ins.flatten()])
        entity_ids, entity_of = torch.unique(entities, return_inverse=True)
        triples = torch.stack([entity_of[:n], relation_of, entity_of[n : 2 * n]], dim=1)
        stand_ins = entity_of[2 * n :].view(self.stand_ins.shape)
        return entity_ids, relation_ids, CorruptedTriples(triples, stand_ins, self.replaces_head)


def translation_distances(
    entities: Tensor, relations: Tensor, batch: CorruptedTriples, norm: TranslationNorm = "l2"
) -> tuple[Tensor, Tensor]:
    """``|h + r - t|`` of triples and of their negatives, [b] and [b, k].

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        batch: Rows of the two.
        norm: Euclidean length or its square.
    """
    n = len(batch.triples)
    # ``embedding`` because its backward adds up repeated rows far faster than indexing does.
    head, tail = embedding(batch.triples[:, 0], entities), embedding(batch.triples[:, 2], entities)
    relation = embedding(batch.triples[:, 1], relations)
    other = embedding(batch.stand_ins, entities)  # [b, k, dim]
    # A stand-in e gives (h + r) - e as a tail and e - (t - r) as a head.
    fixed = torch.cat([head + relation, relation - tail])  # [2b, dim]
    place = torch.arange(n, device=head.device).unsqueeze(1) + n * batch.replaces_head
    sign = (2 * batch.replaces_head - 1).to(head.dtype).unsqueeze(2)
    gaps = (head + relation - tail, embedding(place, fixed) + sign * other)
    lengths = [torch.linalg.vector_norm(gap, dim=-1) for gap in gaps]
    own, others = (length.square() if norm == "squared l2" else length for length in lengths)
    return own, others


def translation_margin_loss(own: Tensor, others: Tensor, margin: float) -> Tensor:
    """Mean over all negatives of ``[margin + d(triple) - d(negative)]+``.

    Args:
        own: Distances of the triples, [b].
        others: Of their negatives, [b, k].
        margin: gamma.

    Reference: Bordes et al., NeurIPS 2013, equation 1.
    """
    return relu(margin + own.unsqueeze(1) - others).mean()
