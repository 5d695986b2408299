"""Matrices in which relations count: rare ones weigh more, or entities are gathered by relation."""

from __future__ import annotations

import numpy as np
import torch

from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    IntArray,
    JointGraph,
    undirected_edges,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern


def underweighted_adjacency(graph: JointGraph, device: torch.device | None = None) -> FixedMatrix:
    """``D^-1/2 A D^-1/2`` with a binary ``A`` whose degrees ``D`` count triples, itself once.

    Rows with parallel triples weigh less than one in all. GCN-JE is made so, and so were RDGCN's
    published numbers; for its later code and for others see ``adjacency_matrix``.
    """
    rows, columns, weights = undirected_edges(graph)
    size = graph.n_entities
    scale = 1 / np.sqrt(np.bincount(rows, weights=weights, minlength=size))
    values = torch.from_numpy((scale[rows] * scale[columns]).astype(np.float32))
    return FixedMatrix(SparsePattern(rows, columns, (size, size), device), values)


def inverse_frequency_adjacency(
    graph: JointGraph, device: torch.device | None = None
) -> FixedMatrix:
    """Rare relations weigh more: ``A_ht = sum over (h, r, t) of log(|T| / c_r)``, not normalised.

    ``T`` are the distinct triples with their inverses, which count as relations of their own, and
    ``c_r`` the triples of one; the diagonal gets ``log(|T| / n_entities)``.

    Reference: Mao et al., SEU, EMNLP 2021, as the released code computes it.
    """
    size, n_relations = graph.n_entities, graph.n_relations
    heads, relations, tails = graph.distinct(0, 1, 2).T
    ends = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    directed = np.concatenate([relations, relations + n_relations])
    frequency = np.bincount(directed, minlength=2 * n_relations)
    weights = np.log(len(directed) / frequency[directed])
    everyone = np.arange(size)
    keys = np.concatenate([ends[0] * size + ends[1], everyone * (size + 1)])
    itself = np.full(size, np.log(max(1, len(directed)) / size))
    cells, position = np.unique(keys, return_inverse=True)
    summed = np.bincount(position, weights=np.concatenate([weights, itself]))
    values = torch.from_numpy(summed.astype(np.float32))
    rows, columns = cells // size, cells % size
    return FixedMatrix(SparsePattern(rows, columns, (size, size), device), values)


def relation_means(
    graph: JointGraph, device: torch.device | None = None
) -> tuple[FixedMatrix, FixedMatrix]:
    """Means over the distinct heads, and over the distinct tails, of each relation.

    Returns:
        Two matrices [n_relations, n_entities]; a relation without triples has an empty row.
    """
    means = []
    for column in (0, 2):
        relations, entities = graph.distinct(1, column).T
        counts = np.bincount(relations, minlength=graph.n_relations)
        shape = (graph.n_relations, graph.n_entities)
        pattern = SparsePattern(relations.copy(), entities.copy(), shape, device)
        means.append(FixedMatrix(pattern, torch.from_numpy(1 / counts[relations]).float()))
    return means[0], means[1]


def neighbour_means(graph: JointGraph, device: torch.device | None = None) -> FixedMatrix:
    """Mean over an entity's distinct neighbours and itself, [n_entities, n_entities].

    Reference: Mao et al., MRAEA, WSDM 2020; RREA and Dual-AMN have the same.
    """
    rows, columns, _ = undirected_edges(graph)
    size = graph.n_entities
    return _row_means(rows, columns, (size, size), device)


def incident_relation_means(graph: JointGraph, device: torch.device | None = None) -> FixedMatrix:
    """Mean over the distinct relations that an entity takes part in, [n_entities, 2 n_relations].

    A relation counts apart as head and as tail: column ``r`` is that of its tails, ``n_relations +
    r`` that of its heads, which is the swap that the released code of MRAEA and RREA makes.
    Entities without triples have an empty row.
    """
    heads, relations, tails = graph.triples.T
    shape = graph.n_entities, 2 * graph.n_relations
    keys = np.concatenate([tails * shape[1] + relations, heads * shape[1] + relations])
    keys[len(tails) :] += graph.n_relations
    cells = np.unique(keys)
    return _row_means(cells // max(1, shape[1]), cells % max(1, shape[1]), shape, device)


def _row_means(
    rows: IntArray, columns: IntArray, shape: tuple[int, int], device: torch.device | None
) -> FixedMatrix:
    counts = np.bincount(rows, minlength=shape[0])
    values = torch.from_numpy(1 / counts[rows]).float()
    return FixedMatrix(SparsePattern(rows, columns, shape, device), values)
