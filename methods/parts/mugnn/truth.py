"""Truth values of triples and of rules, and the losses that set them against negatives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.methods.core.losses.margins import margin_loss
from mmea_bench.methods.core.losses.translation import (
    CorruptedTriples,
    translation_distances,
    triple_distances,
)

_CHUNK = 8192
"""Triples or groundings at once; losses are means over all of them."""


@dataclass(frozen=True, eq=False)
class RuleBatch:
    """Groundings as triples.

    Attributes:
        premises: Two triples each, [n, 2, 3].
        has_second: Whether the second counts, [n].
        conclusions: [n, 3].
        negatives: The conclusions with other relations, [n, 3].
    """

    premises: Tensor
    has_second: Tensor
    conclusions: Tensor
    negatives: Tensor

    def rows(self, chosen: Tensor) -> RuleBatch:
        """Some of the groundings, chosen by ids where they are."""
        parts = (self.premises, self.has_second, self.conclusions, self.negatives)
        return RuleBatch(*(part[chosen] for part in parts))

    def to(self, device: torch.device) -> RuleBatch:
        """The same groundings on a device."""
        parts = (self.premises, self.has_second, self.conclusions, self.negatives)
        return RuleBatch(*(part.to(device) for part in parts))


def truth_values(entities: Tensor, relations: Tensor, triples: Tensor) -> Tensor:
    """``1 - |h + r - t|_1 / (3 sqrt(dim))``, [n].

    Args:
        entities: Unit vectors, [n_entities, dim].
        relations: [n_relations, dim].
        triples: [n, 3].

    Reference: Cao et al., ACL 2019, section 4.1, as the released code scales it.
    """
    return 1 - triple_distances(entities, relations, triples, "l1") / _scale(entities)


def triple_losses(
    entities: Tensor, relations: Tensor, drawn: CorruptedTriples, margin: float, chunk: int = _CHUNK
) -> Iterator[Tensor]:
    """Parts that sum to the mean of ``[margin - (truth(triple) - truth(negative))]+``.

    Args:
        entities: Unit vectors, [n_entities, dim].
        relations: [n_relations, dim].
        drawn: All triples with their negatives.
        margin: By how much a triple has to be truer.
        chunk: Triples of a part.
    """
    total, scale = max(1, drawn.stand_ins.numel()), _scale(entities)
    drawn = drawn.to(entities.device)
    for rows in torch.split(torch.arange(len(drawn.triples), device=entities.device), chunk):
        part = drawn.rows(rows)
        own, others = translation_distances(entities, relations, part, "l1")
        yield margin_loss(own / scale, others / scale, margin, "sum") / total


def rule_losses(
    entities: Tensor, relations: Tensor, batch: RuleBatch, margin: float, chunk: int = _CHUNK
) -> Iterator[Tensor]:
    """Parts that sum to the mean of ``[margin - (truth(rule) - truth(negative rule))]+``.

    The truth of a rule is ``1 + p (f - 1)`` with ``f`` that of its conclusion and ``p`` the product
    of those of its premises; the two rules differ in their conclusions.

    Args:
        entities: Unit vectors, [n_entities, dim].
        relations: [n_relations, dim].
        batch: All groundings.
        margin: By how much a grounding has to be truer.
        chunk: Groundings of a part.
    """
    batch = batch.to(entities.device)
    for rows in torch.split(torch.arange(len(batch.conclusions), device=entities.device), chunk):
        part = batch.rows(rows)
        # At once: every look-up has a gradient of the size of its table.
        triples = torch.cat([*part.premises.unbind(1), part.conclusions, part.negatives])
        first, second, right, wrong = truth_values(entities, relations, triples).chunk(4)
        premises = first * torch.where(part.has_second, second, 1.0)
        own, other = (1 + premises * (conclusion - 1) for conclusion in (right, wrong))
        yield relu(margin - (own - other)).sum() / len(batch.conclusions)


def _scale(entities: Tensor) -> float:
    return 3 * math.sqrt(entities.shape[1])
