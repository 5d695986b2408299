"""GMN's topic graphs: an entity, what it points to, and the triples between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.parts.gmn.ragged import list_numbers, ragged_ranges


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Topic graphs one behind the other.

    Attributes:
        counts: Nodes of each graph, [n_graphs].
        graph_of: Graph of each node, [n_nodes].
        places: Where the nodes stand among those of all topic graphs, [n_nodes].
        entities: Entity of each node, [n_nodes]; that of the graph comes first.
        forward: Sampled nodes that each node points to, as rows of this batch, [n_nodes, s];
            ``n_nodes`` where there are fewer.
        backward: As ``forward``, of those that point to it.
    """

    counts: Tensor
    graph_of: Tensor
    places: Tensor
    entities: Tensor
    forward: Tensor
    backward: Tensor


class TopicGraphs:
    """The topic graph of every entity.

    Nodes are the entity and the tails of its triples, each once, in the order of the triples;
    edges are the distinct pairs of nodes that a triple links. Heads of its triples are no nodes.

    Args:
        graph: Union graph.
        n_sampled: Neighbours that a node sees in either direction, those that come first.
        device: Where batches are made.
    """

    def __init__(self, graph: JointGraph, n_sampled: int, device: torch.device) -> None:
        size = graph.n_entities
        pairs, first = np.unique(
            graph.triples[:, 0] * size + graph.triples[:, 2], return_index=True
        )
        order = np.lexsort((first, pairs // size))
        heads, tails, rank = pairs[order] // size, pairs[order] % size, first[order]
        proper = heads != tails
        owners = np.concatenate([np.arange(size), heads[proper]])
        nodes = np.concatenate([np.arange(size), tails[proper]])
        # The entity itself stands first, then its tails as they came.
        by_owner = np.lexsort((np.concatenate([np.full(size, -1), rank[proper]]), owners))
        owners, nodes = owners[by_owner], nodes[by_owner]
        edges = _edges(owners, nodes, heads, tails, rank, size)
        self.n_nodes = len(nodes)
        starts = np.searchsorted(owners, np.arange(size + 1))
        self._starts = torch.from_numpy(starts).to(device)
        self.entities = torch.from_numpy(nodes).to(device)
        sides = [_first_listed(*edges[:2], edges[2], len(nodes), n_sampled)]
        sides.append(_first_listed(edges[1], edges[0], edges[2], len(nodes), n_sampled))
        self._forward, self._backward = (torch.from_numpy(side).to(device) for side in sides)

    def sizes(self, entities: Tensor) -> Tensor:
        """Nodes of the topic graphs of some entities, [n]."""
        return self._starts[entities + 1] - self._starts[entities]

    def batch(self, entities: Tensor) -> GraphBatch:
        """The topic graphs of some entities (joint ids, [n], repetitions allowed)."""
        starts, counts = self._starts[entities], self.sizes(entities)
        places, graph_of = ragged_ranges(starts, counts), list_numbers(counts)
        moved = (torch.cumsum(counts, dim=0) - counts - starts)[graph_of].unsqueeze(1)
        sampled = []
        for side in (self._forward, self._backward):
            listed = side[places]
            sampled.append(torch.where(listed < 0, len(places), listed + moved))
        return GraphBatch(counts, graph_of, places, self.entities[places], *sampled)


def _edges(
    owners: IntArray,
    nodes: IntArray,
    heads: IntArray,
    tails: IntArray,
    rank: IntArray,
    size: int,
) -> tuple[IntArray, IntArray, IntArray]:
    """Places of both ends of every edge of every topic graph, and the order of the triples."""
    starts = np.searchsorted(heads, np.arange(size + 1))
    counts = np.diff(starts)[nodes]
    # From every node along every triple; what ends outside of the topic graph is no edge.
    ends = torch.from_numpy(starts[nodes]), torch.from_numpy(counts)
    triple = ragged_ranges(*ends).numpy()
    begin = np.repeat(np.arange(len(nodes)), counts)
    keys = owners * size + nodes
    by_key = np.argsort(keys)
    wanted = owners[begin] * size + tails[triple]
    place = np.searchsorted(keys[by_key], wanted)
    place = np.minimum(place, len(keys) - 1)
    inside = keys[by_key][place] == wanted
    return begin[inside], by_key[place[inside]], rank[triple[inside]]


def _first_listed(
    begin: IntArray, end: IntArray, rank: IntArray, n_nodes: int, most: int
) -> NDArray[np.int64]:
    """The first ends of each node in the order of the triples, [n_nodes, most]; -1 for none."""
    order = np.lexsort((rank, begin))
    begin, end = begin[order], end[order]
    column = np.arange(len(begin)) - np.searchsorted(begin, begin)
    kept = column < most
    listed = np.full((n_nodes, most), -1, dtype=np.int64)
    listed[begin[kept], column[kept]] = end[kept]
    return listed
