"""AliNet's graphs: triples copied between partners, and neighbours at two hops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    IntArray,
    JointGraph,
    symmetric_normalised,
)
from mmea_bench.methods.core.inputs.graphs.runs import listed_runs
from mmea_bench.methods.core.layers.graph_layers import adjacency_matrix
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern


def with_copied_triples(graph: JointGraph, pairs: IntArray) -> JointGraph:
    """The graph with every triple between two paired entities in the other KG, too.

    A copy is left out where an edge of that direction, of whatever relation, is there already. Of
    an entity in several pairs the last one counts.

    Args:
        graph: Union graph.
        pairs: Joint ids of partners, [n_pairs, 2].
    """
    partner = np.full(graph.n_entities, -1, dtype=np.int64)
    partner[pairs[:, 0]] = pairs[:, 1]
    partner[pairs[:, 1]] = pairs[:, 0]
    copies = graph.triples.copy()
    copies[:, [0, 2]] = partner[graph.triples[:, [0, 2]]]
    copies = copies[(copies[:, [0, 2]] >= 0).all(axis=1)]
    known = _keys(graph.triples, graph.n_entities)
    new = copies[~np.isin(_keys(copies, graph.n_entities), known)]
    return replace(graph, triples=np.concatenate([graph.triples, distinct_rows(new)]))


def one_hop(graph: JointGraph, pairs: IntArray, device: torch.device) -> FixedMatrix:
    """Undirected edges with those copied along ``pairs`` and loops, symmetrically normalised."""
    return adjacency_matrix(with_copied_triples(graph, pairs), device)


def two_hop(graph: JointGraph, n_dropped: int, device: torch.device) -> FixedMatrix:
    """Undirected two-hop neighbours with loops, symmetrically normalised.

    Args:
        graph: Union graph, without copied triples.
        n_dropped: See ``two_hop_pairs``; of each KG.
        device: Where products run.
    """
    size, of_source = graph.n_entities, graph.triples[:, 0] < graph.n_source
    sides = [graph.triples[of_source], graph.triples[~of_source]]
    found = [two_hop_pairs(triples, size, n_dropped) for triples in sides]
    heads, tails = np.concatenate(found).T
    everyone = np.arange(size)
    keys = np.concatenate([heads * size + tails, tails * size + heads, everyone * (size + 1)])
    cells = np.unique(keys)
    rows, columns = cells // size, cells % size
    ones = np.ones(len(cells), dtype=np.float32)
    values = symmetric_normalised(rows, columns, ones, size)
    pattern = SparsePattern(rows, columns, (size, size), device)
    return FixedMatrix(pattern, torch.from_numpy(values))


def two_hop_pairs(triples: IntArray, n_entities: int, n_dropped: int) -> IntArray:
    """Ends of directed paths of two triples between which no edge of that direction is.

    The paths whose two relations, in their order, are among the most frequent such patterns are
    left out; a pair of ends stays if another path joins it.

    Args:
        triples: (head, relation, tail) of one KG, [n, 3].
        n_entities: Ids below are entities.
        n_dropped: How many patterns are left out; of equally frequent ones those whose relations
            have the smaller ids.

    Returns:
        Distinct (start, end), [n_pairs, 2].
    """
    triples = distinct_rows(triples)  # sorted by head
    first, second = _joined(triples)
    starts, ends = triples[first, 0], triples[second, 2]
    keys = starts * n_entities + ends
    is_new = ~np.isin(keys, _keys(triples, n_entities))
    n_relations = int(triples[:, 1].max(initial=0)) + 1
    patterns = triples[first, 1] * n_relations + triples[second, 1]
    kinds, counts = np.unique(patterns[is_new], return_counts=True)
    frequent = kinds[np.argsort(-counts, kind="stable")[:n_dropped]]
    kept = np.unique(keys[is_new & ~np.isin(patterns, frequent)])
    return np.stack([kept // n_entities, kept % n_entities], axis=1)


def _joined(triples: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of the two triples of every path, of triples sorted by their heads."""
    lowest = np.searchsorted(triples[:, 0], triples[:, 2], side="left")
    counts = np.searchsorted(triples[:, 0], triples[:, 2], side="right") - lowest
    return listed_runs(lowest, counts)


def _keys(triples: IntArray, n_entities: int) -> NDArray[np.int64]:
    """Directed edge of each triple as one number."""
    return triples[:, 0] * n_entities + triples[:, 2]
