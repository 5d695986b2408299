"""Distinct triples of both KGs, and their copies along aligned pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs


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
    def of(cls, graph: JointGraph, *, own_relations: bool = False) -> TripleSet:
        """The triples of both KGs.

        Args:
            graph: Union graph, in which relations of equal name are one.
            own_relations: Whether they are two: consecutive ids, those of the source KG first, of
                which there are ``n_own_relations(graph)``.
        """
        triples = graph.distinct(0, 1, 2)
        from_source = triples[:, 0] < graph.n_source
        if own_relations:
            _, triples[:, 1] = np.unique(_told_apart(triples, graph), return_inverse=True)
        return cls(triples, from_source)

    def with_swaps(self, pairs: IntArray) -> TripleSet:
        """These triples and a copy of each with one entity of a pair in its partner's place.

        A triple whose head and tail both have a partner gives one copy for each. Copies that exist
        already are left out.

        Args:
            pairs: Joint ids of partners, [n_pairs, 2]; an entity may stand in several.
        """
        copies = self.swaps(pairs)
        triples, firsts = np.unique(
            np.concatenate([self.triples, copies.triples]), axis=0, return_index=True
        )
        sides = np.concatenate([self.from_source, copies.from_source])
        return TripleSet(triples, sides[firsts])

    def swaps(self, pairs: IntArray) -> TripleSet:
        """The distinct copies alone, as ``with_swaps`` makes them."""
        copies, rows, _ = self.copies_along(pairs)
        triples, firsts = np.unique(copies, axis=0, return_index=True)
        return TripleSet(triples, self.from_source[rows[firsts]])

    def copies_along(self, pairs: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Every copy that has one entity of a pair in its partner's place.

        Args:
            pairs: As in ``with_swaps``.

        Returns:
            The copies, [n, 3], repetitions included; the row of the triple behind each, [n]; and
            the row of its pair, [n].
        """
        both_ways = np.concatenate([pairs, pairs[:, ::-1]])
        order = np.argsort(both_ways[:, 0], kind="stable")
        both_ways = both_ways[order]
        copies, all_rows, all_pairs = [], [], []
        for column in (0, 2):
            entities = self.triples[:, column]
            first = np.searchsorted(both_ways[:, 0], entities, side="left")
            counts = np.searchsorted(both_ways[:, 0], entities, side="right") - first
            rows, places = listed_runs(first, counts)
            swapped = self.triples[rows]
            swapped[:, column] = both_ways[places, 1]
            copies.append(swapped)
            all_rows.append(rows)
            all_pairs.append(order[places] % max(1, len(pairs)))
        return np.concatenate(copies), np.concatenate(all_rows), np.concatenate(all_pairs)


def n_own_relations(graph: JointGraph) -> int:
    """Relations in the triples of both KGs, where one of equal name in both is two."""
    return len(np.unique(_told_apart(graph.triples, graph)))


def _told_apart(triples: IntArray, graph: JointGraph) -> IntArray:
    """Relation of each triple, [n]; those of the target KG stand behind all others."""
    return triples[:, 1] + np.where(triples[:, 0] < graph.n_source, 0, graph.n_relations)
