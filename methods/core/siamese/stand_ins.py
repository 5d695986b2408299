"""Entities that stand in for the head or tail of a triple."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet

_TRIES = 10


class StandIns:
    """Draws one entity per triple to stand in for its head or tail.

    Args:
        known: Triples; one that becomes another known triple is drawn again, up to ten times. A
            triple may be there twice.
        graph: Tells the entities of the two KGs; stand-ins come from the KG of the triple.
    """

    def __init__(self, known: TripleSet, graph: JointGraph) -> None:
        self._triples = torch.from_numpy(known.triples)
        self._size = graph.n_entities
        self._n_relations = int(known.triples[:, 1].max(initial=0)) + 1
        of_source = torch.from_numpy(known.from_source)
        self._first = torch.where(of_source, 0, graph.n_source)
        self._count = torch.where(of_source, graph.n_source, graph.n_entities - graph.n_source)
        self._keys = torch.sort(self._key(self._triples)).values

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Stand-ins and whether they replace the head (one in two does), [n] each."""
        replaces_head = torch.rand(len(self._triples), generator=generator) < 0.5
        drawn = torch.empty(len(self._triples), dtype=torch.int64)
        rows = torch.arange(len(self._triples))
        for _ in range(_TRIES):
            shares = torch.rand(len(rows), generator=generator, dtype=torch.float64)
            drawn[rows] = self._first[rows] + (shares * self._count[rows]).long()
            corrupted = self._triples[rows].clone()
            heads = replaces_head[rows]
            corrupted[heads, 0] = drawn[rows][heads]
            corrupted[~heads, 2] = drawn[rows][~heads]
            rows = rows[self._is_known(self._key(corrupted))]
            if not len(rows):
                break
        return drawn, replaces_head

    def _key(self, triples: Tensor) -> Tensor:
        return (triples[:, 0] * self._n_relations + triples[:, 1]) * self._size + triples[:, 2]

    def _is_known(self, keys: Tensor) -> Tensor:
        place = torch.searchsorted(self._keys, keys).clamp_max(len(self._keys) - 1)
        return self._keys[place] == keys
