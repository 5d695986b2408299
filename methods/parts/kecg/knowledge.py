"""KECG's knowledge-embedding model: triples scored on the outputs of the graph model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, relu

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.losses.translation import CorruptedTriples, translation_distances
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    TypedCandidates,
    UniformCandidates,
)

TripleScore = Literal["signed sum", "norm"]

_CHUNK = 16_384
"""Triples whose gaps are in memory at once; the loss is a mean over all of them."""


class TripleNegatives:
    """Two negatives of every triple, redrawn now and then: one uniform and one typed.

    The uniform one has any entity of the triple's KG in the place of its head or tail, the typed
    one an entity that is head (or tail) of the same relation elsewhere; a coin decides for each.
    Known triples are drawn again.

    Args:
        graph: Union graph.
        refresh_every: Epochs of this model between two draws.
        ctx: Generator.
    """

    def __init__(self, graph: JointGraph, refresh_every: int, ctx: RunContext) -> None:
        triples = torch.from_numpy(graph.triples)
        side = triples[:, 0] >= graph.n_source
        everyone = UniformCandidates.of_graphs(graph.n_source, graph.n_entities)
        sizes = (triples, side, graph.n_entities, everyone)
        self._samplers = (
            FilteredCorruption(*sizes),
            FilteredCorruption(*sizes, TypedCandidates(triples, everyone)),
        )
        self._refresh_every = refresh_every
        self._generator = ctx.generator("negative triples")
        self._drawn: CorruptedTriples | None = None

    def at(self, epoch: int) -> CorruptedTriples:
        """All triples with two negatives each, on the CPU.

        Args:
            epoch: Epoch of this model, counted from 0; epochs are asked for in their order.
        """
        if self._drawn is None or epoch % self._refresh_every == 0:
            uniform, typed = (each.draw(1, self._generator) for each in self._samplers)
            self._drawn = CorruptedTriples(
                uniform.triples,
                torch.cat([uniform.stand_ins, typed.stand_ins], dim=1),
                torch.cat([uniform.replaces_head, typed.replaces_head], dim=1),
            )
        return self._drawn


def knowledge_losses(
    entities: Tensor,
    relations: Tensor,
    drawn: CorruptedTriples,
    margin: float,
    score: TripleScore,
    chunk: int = _CHUNK,
) -> Iterator[Tensor]:
    """Parts that sum to the mean of ``[margin - (score(triple) - score(negative))]+``.

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        drawn: All triples with their negatives.
        margin: By how much a triple has to score higher.
        score: ``signed sum`` is that of the components of ``h + r - t`` over its length, as the
            released code has it; ``norm`` is minus the length.
        chunk: Triples of a part.
    """
    n_negatives = max(1, drawn.stand_ins.numel())
    drawn = drawn.to(entities.device)
    for part in drawn.batches(chunk):
        if score == "norm":
            own, others = (-each for each in translation_distances(entities, relations, part))
        else:
            own, others = signed_sums(entities, relations, part)
        yield relu(margin - (own.unsqueeze(1) - others)).sum() / n_negatives


def signed_sums(
    entities: Tensor, relations: Tensor, batch: CorruptedTriples
) -> tuple[Tensor, Tensor]:
    """``sum_d u_d`` with ``u = (h + r - t) / |h + r - t|`` of triples and negatives.

    No distance: the sum of the components has a sign, and a triple that holds exactly has none
    (its gap is cut at a length of 1e-12).

    Args:
        entities: [n_entities, dim].
        relations: [n_relations, dim].
        batch: Rows of the two.

    Returns:
        [b] and [b, k].

    Reference: released code of KECG; the paper's norm is ``translation_distances``.
    """
    head, tail = embedding(batch.triples[:, 0], entities), embedding(batch.triples[:, 2], entities)
    relation = embedding(batch.triples[:, 1], relations)
    other = embedding(batch.stand_ins, entities)  # [b, k, dim]
    moved, returned = (head + relation).unsqueeze(1), (relation - tail).unsqueeze(1)
    gaps = torch.where(batch.replaces_head.unsqueeze(2), other + returned, moved - other)
    return _signed_sum(moved.squeeze(1) - tail), _signed_sum(gaps)


def _signed_sum(gaps: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(gaps, dim=-1)
    return gaps.sum(dim=-1) / lengths.clamp_min(1e-12)
