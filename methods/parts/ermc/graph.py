"""ERMC's triadic graphs: entities and relations are nodes, a triple is three edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

ENTITY, RELATION = 0, 1

Kind = tuple[int, int]
"""Which nodes gather and which are gathered from: ``ENTITY`` or ``RELATION``."""


@dataclass(frozen=True, eq=False)
class TriadicGraph:
    """Both KGs side by side: source nodes come first among entities and among relations.

    Relations of one name are two nodes, one of each KG.

    Attributes:
        sizes: Entities and relation nodes of both KGs.
        n_source: Entities and relation nodes of the source KG.
        means: For each way of a message its kind and the mean over edges, [n_to, n_from].
    """

    sizes: tuple[int, int]
    n_source: tuple[int, int]
    means: tuple[tuple[Kind, FixedMatrix], ...]


def triadic_graph(view: TrainView, device: torch.device, *, relation_nodes: bool) -> TriadicGraph:
    """Edges from head to relation, from relation to tail and from head to tail, in both directions.

    Args:
        view: Triples.
        device: Where the products run.
        relation_nodes: Otherwise entities are the only nodes, and head to tail the only edge.
    """
    graphs = view.source, view.target
    n_source = (graphs[0].n_entities, graphs[0].n_relations if relation_nodes else 0)
    n_target = (graphs[1].n_entities, graphs[1].n_relations if relation_nodes else 0)
    shifts = np.array([[0, 0, 0], [n_source[0], n_source[1], n_source[0]]])
    triples = np.concatenate(
        [
            graph.relation_triples.astype(np.int64) + shifts[side]
            for side, graph in enumerate(graphs)
        ]
    )
    heads, relations, tails = triples.T
    edges = [(ENTITY, heads, ENTITY, tails)]
    if relation_nodes:
        edges += [(ENTITY, heads, RELATION, relations), (RELATION, relations, ENTITY, tails)]
    sizes = n_source[0] + n_target[0], n_source[1] + n_target[1]
    means = []
    for begin, begins, end, ends in edges:
        for kind, rows, columns in (((end, begin), ends, begins), ((begin, end), begins, ends)):
            shape = sizes[kind[0]], sizes[kind[1]]
            means.append((kind, _mean_over_edges(rows, columns, shape, device)))
    return TriadicGraph(sizes, n_source, tuple(means))


def _mean_over_edges(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    shape: tuple[int, int],
    device: torch.device,
) -> FixedMatrix:
    """Every triple counts; rows without an edge stay zero."""
    ones = np.ones(len(rows), dtype=np.float32)
    counts = csr_matrix((ones, (rows, columns)), shape=shape)
    counts.sum_duplicates()
    counts.sort_indices()
    cells = counts.tocoo()
    row_numbers, column_numbers = cells.row.astype(np.int64), cells.col.astype(np.int64)
    degrees = np.bincount(rows, minlength=shape[0]).astype(np.float32)
    values = torch.from_numpy((cells.data / degrees[row_numbers]).astype(np.float32))
    return FixedMatrix(SparsePattern(row_numbers, column_numbers, shape, device), values)
