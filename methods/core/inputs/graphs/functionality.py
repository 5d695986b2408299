"""How far relations determine their ends, and the adjacency that weighs triples by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph


def relation_functionality(
    graph: JointGraph,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a relation determines its head and its tail.

    Returns:
        ``fun`` (distinct heads over triples) and ``ifun`` (distinct tails over triples) of each
        relation, [n_relations]; 0 for relations without triples.
    """
    relations = graph.triples[:, 1]
    n_triples = np.maximum(1, np.bincount(relations, minlength=graph.n_relations))
    shares = []
    for column in (0, 2):
        distinct = graph.distinct(1, column)[:, 0]
        shares.append(np.bincount(distinct, minlength=graph.n_relations) / n_triples)
    return shares[0], shares[1]


def functional_adjacency(
    graph: JointGraph, floor: float
) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
    """``S = D^-1/2 (W + I) D^-1/2`` with ``D`` the column sums.

    A triple (i, r, j) adds ``max(ifun(r), floor)`` to ``W_ij`` and ``max(fun(r), floor)`` to
    ``W_ji``; triples of an entity with itself are dropped.

    Returns:
        Rows, columns (sorted by row, then column) and values of the cells of ``S``.

    Reference: Wang et al., EMNLP 2018, section 3.2, as the released code of GCN-Align computes it.
    """
    fun, ifun = (np.maximum(values, floor) for values in relation_functionality(graph))
    proper = graph.triples[graph.triples[:, 0] != graph.triples[:, 2]]
    heads, relations, tails = proper.T
    size = graph.n_entities
    everyone = np.arange(size)
    keys = np.concatenate([heads * size + tails, tails * size + heads, everyone * (size + 1)])
    weights = np.concatenate([ifun[relations], fun[relations], np.ones(size)])
    cells, position = np.unique(keys, return_inverse=True)
    summed = np.bincount(position, weights=weights, minlength=len(cells))
    rows, columns = cells // size, cells % size
    scale = 1 / np.sqrt(np.bincount(columns, weights=summed, minlength=size))
    return rows, columns, (summed * scale[rows] * scale[columns]).astype(np.float32)
