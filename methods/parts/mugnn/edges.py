"""The triples of one KG as labelled edges that can be walked both ways."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray


@dataclass(frozen=True, eq=False)
class LabelledEdges:
    """Every triple in its direction and against it, sorted by label and start.

    The label of a triple in its direction is its relation ``r``, against it ``r + n_relations``.

    Attributes:
        triples: Distinct (head, relation, tail) of two entities, [n, 3].
        n_entities: Ids below are entities.
        n_relations: Ids below are relations.
        starts: Start of each edge, [2 n].
        labels: Its label, [2 n].
        ends: Its end, [2 n].
        places: Its triple, [2 n].
        firsts: Where the edges of each label begin, [2 n_relations + 1].
    """

    triples: IntArray
    n_entities: int
    n_relations: int
    starts: IntArray
    labels: IntArray
    ends: IntArray
    places: IntArray
    firsts: IntArray

    @classmethod
    def of(cls, triples: IntArray, n_entities: int, n_relations: int) -> LabelledEdges:
        """The edges of a KG; triples of an entity with itself are left out."""
        triples = distinct_rows(triples[triples[:, 0] != triples[:, 2]])
        heads, relations, tails = triples.T
        starts, ends = np.concatenate([heads, tails]), np.concatenate([tails, heads])
        labels = np.concatenate([relations, relations + n_relations])
        places = np.tile(np.arange(len(triples)), 2)
        order = np.lexsort((ends, starts, labels))
        firsts = np.searchsorted(labels[order], np.arange(2 * n_relations + 1))
        columns = (starts[order], labels[order], ends[order], places[order])
        return cls(triples, n_entities, n_relations, *columns, firsts)

    def reversed(self, labels: IntArray) -> IntArray:
        """The labels of the same edges walked the other way."""
        return np.where(
            labels < self.n_relations, labels + self.n_relations, labels - self.n_relations
        )

    def of_label(self, label: int) -> slice:
        """Where the edges of a label lie."""
        return slice(int(self.firsts[label]), int(self.firsts[label + 1]))

    def matrix(self, label: int) -> csr_matrix:
        """Edges of a label, [n_entities, n_entities] of ones."""
        part = self.of_label(label)
        ones = np.ones(part.stop - part.start, dtype=np.int32)
        places = (self.starts[part], self.ends[part])
        return csr_matrix((ones, places), shape=(self.n_entities,) * 2)

    def keys(self, triples: IntArray) -> IntArray:
        """Each triple as one number."""
        sized = triples[:, 0] * self.n_relations + triples[:, 1]
        return np.asarray(sized * self.n_entities + triples[:, 2], dtype=np.int64)
