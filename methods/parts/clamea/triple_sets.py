"""Triples of both KGs for translation models: seed swapping and stand-ins for head or tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.methods.core.inputs.joint_graph import JointGraph

IntArray = NDArray[np.int64]
_TRIES = 10


@dataclass(frozen=True, eq=False)
class TripleSet:
    """Distinct triples with the KG that each one stems from.

    Attributes:
        triples: (head, relation, tail) in joint ids, [n, 3] int64.
        from_source: Whether a triple stems from the source KG, [n] bool.
    """

    triples: IntArray
    from_source: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: JointGraph) -> TripleSet:
        """The triples of both KGs."""
        triples = np.unique(graph.triples, axis=0)
        return cls(triples, triples[:, 0] < graph.n_source)

    def with_swaps(self, pairs: IntArray) -> TripleSet:
        """These triples and a copy of each with one entity of a pair in its partner's place.

        A triple whose head and tail both have a partner gives one copy for each. Copies that exist
        already are left out.

        Args:
            pairs: Joint ids of partners, [n_pairs, 2]; an entity may stand in several.
        """
        both_ways = np.concatenate([pairs, pairs[:, ::-1]])
        both_ways = both_ways[np.argsort(both_ways[:, 0], kind="stable")]
        parts, sides = [self.triples], [self.from_source]
        for column in (0, 2):
            entities = self.triples[:, column]
            first = np.searchsorted(both_ways[:, 0], entities, side="left")
            counts = np.searchsorted(both_ways[:, 0], entities, side="right") - first
            rows = np.repeat(np.arange(len(entities)), counts)
            within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
            swapped = self.triples[rows]
            swapped[:, column] = both_ways[first[rows] + within, 1]
            parts.append(swapped)
            sides.append(self.from_source[rows])
        triples, firsts = np.unique(np.concatenate(parts), axis=0, return_index=True)
        return TripleSet(triples, np.concatenate(sides)[firsts])


class StandIns:
    """Draws one entity per triple to stand in for its head or tail.

    Args:
        known: Triples; one that becomes another known triple is drawn again, up to ten times.
        graph: Tells the entities of the two KGs; stand-ins come from the KG of the triple.
    """

    def __init__(self, known: TripleSet, graph: JointGraph) -> None:
        self._triples = torch.from_numpy(known.triples)
        self._size = graph.n_entities
        self._n_relations = graph.n_relations
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
