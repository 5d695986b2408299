"""Cuts both KGs into parts at once, so that the two entities of a seed link share a part.

Both KGs are one graph in which the two entities of a seed link are one node, and METIS cuts that
graph into parts of equal size along as few triples as it can. LargeEA (PVLDB 15, 2021) cuts the
source KG first and the target KG after it, with the seed links of a part drawn together by heavy
edges; where one node stands for both ends of a seed link, no link can be torn and one cut will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from mmea_bench.datasets.core.errors import UserError, lacking_extra
from mmea_bench.datasets.core.model.view import TrainView

_SEED = 0
"""The same seed links are cut alike for every method: a comparison stays a paired one."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The part of every entity.

    Attributes:
        source: Number of the part of each source entity, [n_source].
        target: The same of each target entity, [n_target].
        n_parts: How many there are, numbered from 0.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    n_parts: int


def load_metis() -> Any:
    """The binding of METIS, an optional part.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import pymetis
    except ImportError as error:
        raise lacking_extra("Training in parts needs pymetis", "scale") from error
    return pymetis


def cut(view: TrainView, n_parts: int) -> Parts:
    """Parts of about equal numbers of entities, the same ones at every call.

    Args:
        view: Its relation triples and seed links are read, nothing else.
        n_parts: Parts wanted, 2 or more.

    Raises:
        UserError: If METIS is not installed, there are no relation triples, or a part would be
            without entities of one KG or without seed links.
    """
    metis = load_metis()
    n_source = view.source.n_entities
    nodes, n_nodes = _merged(view)
    graph = _graph(view, nodes, n_nodes)
    if not graph.nnz:
        raise UserError("There are no relation triples along which the KGs could be cut in parts.")
    found = metis.part_graph(
        n_parts,
        adjacency=metis.CSRAdjacency(graph.indptr, graph.indices),
        vweights=np.bincount(nodes, minlength=n_nodes),
        eweights=graph.data,
        recursive=False,
        options=metis.Options(seed=_SEED),
    )
    of_entity = np.asarray(found.vertex_part, dtype=np.int64)[nodes]
    parts = Parts(of_entity[:n_source], of_entity[n_source:], n_parts)
    _check(view, parts)
    return parts


def _merged(view: TrainView) -> tuple[NDArray[np.int64], int]:
    """Node of each entity (those of the source KG first), and how many nodes there are."""
    n_source = view.source.n_entities
    size = n_source + view.target.n_entities
    sources, targets = view.seed_links.astype(np.int64).T
    ones = np.ones(len(sources), dtype=np.int8)
    links = coo_matrix((ones, (sources, targets + n_source)), shape=(size, size))
    n_nodes, nodes = connected_components(links, directed=False)
    return nodes.astype(np.int64), int(n_nodes)


def _graph(view: TrainView, nodes: NDArray[np.int64], n_nodes: int) -> csr_matrix:
    """Triples between two nodes, in both directions; loops left out."""
    shift = view.source.n_entities
    heads = [view.source.relation_triples[:, 0], view.target.relation_triples[:, 0] + shift]
    tails = [view.source.relation_triples[:, 2], view.target.relation_triples[:, 2] + shift]
    first, second = nodes[np.concatenate(heads)], nodes[np.concatenate(tails)]
    between = first != second
    ends = np.stack([first[between], second[between]])
    both = np.concatenate([ends, ends[::-1]], axis=1)
    ones = np.ones(both.shape[1], dtype=np.int64)
    # Converting adds up what stands in one cell: the weight of an edge is its number of triples.
    return coo_matrix((ones, tuple(both)), shape=(n_nodes, n_nodes)).tocsr()


def _check(view: TrainView, parts: Parts) -> None:
    n_seeds = np.bincount(parts.source[view.seed_links[:, 0]], minlength=parts.n_parts)
    for what, counts in (
        ("source entities", np.bincount(parts.source, minlength=parts.n_parts)),
        ("target entities", np.bincount(parts.target, minlength=parts.n_parts)),
        ("seed links", n_seeds),
    ):
        n_empty = int((counts == 0).sum())
        if n_empty:
            raise UserError(
                f"{n_empty} of {parts.n_parts} parts hold no {what}; ask for fewer partitions."
            )
