"""GMN's network: graph convolutions, matching of two topic graphs node by node, a classifier."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.parts.gmn.batch_form import INDEPENDENT, BatchForm
from mmea_bench.methods.parts.gmn.ragged import (
    group_max,
    group_mean,
    list_numbers,
    ragged_ranges,
)
from mmea_bench.methods.parts.gmn.topic_graphs import GraphBatch

_SMALLEST_NORM = 1e-3


class Hop(nn.Module):
    """``ReLU([x W_s || mean(x_neighbours) W_n] + b)`` over the sampled neighbours of one direction.

    Args:
        n_in: Columns of the input.
        n_out: Columns of each half.
        generator: CPU generator of the initial values, Glorot-uniform; the bias starts at zero.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.own = glorot_uniform(n_in, n_out, generator)
        self.neighbours = glorot_uniform(n_in, n_out, generator)
        self.bias = nn.Parameter(torch.zeros(2 * n_out))

    def forward(self, rows: Tensor, sampled: Tensor, places: Tensor | None = None) -> Tensor:
        """[n_nodes, 2 n_out].

        Args:
            rows: [n_rows, n_in].
            sampled: Rows of each node's neighbours, [n_nodes, s]; ``n_rows`` is a zero row, over
                which the mean runs too.
            places: Row of each node, [n_nodes]; None if rows are nodes.
        """
        own, near = rows @ self.own, rows @ self.neighbours
        near = torch.cat([near, near.new_zeros(1, near.shape[1])])
        mean = near.index_select(0, sampled.flatten()).view(*sampled.shape, -1).mean(dim=1)
        own = own if places is None else own.index_select(0, places)
        return relu(torch.cat([own, mean], dim=1) + self.bias)


class NodeEncoder(nn.Module):
    """The first graph convolution: names of nodes and of their neighbours, in either direction."""

    def __init__(self, n_in: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.forwards = Hop(n_in, width, generator)
        self.backwards = Hop(n_in, width, generator)

    def forward(self, names: Tensor, row_of: Tensor, graphs: GraphBatch) -> Tensor:
        """Vectors of nodes, [n_nodes, 4 width].

        Args:
            names: Vectors of names, [n_rows, n_in].
            row_of: Row of the name of each node, [n_nodes].
            graphs: Topic graphs.
        """
        rows = torch.cat([row_of, row_of.new_full((1,), len(names))])
        sides = [
            hop(names, rows[sampled], row_of)
            for hop, sampled in (
                (self.forwards, graphs.forward),
                (self.backwards, graphs.backward),
            )
        ]
        return torch.cat(sides, dim=1)


class Matcher(nn.Module):
    """Compares the nodes of two topic graphs and spreads what it finds: from pairs to log-odds.

    Args:
        width: Columns of each half of a convolution; node vectors have ``4 width``.
        n_perspectives: Weight vectors of the cosines, and of the inner products.
        hidden: Columns of the classifier's hidden layer.
        generator: CPU generator of the initial values, Glorot-uniform.
        form: What the graphs of a batch do to each other.
    """

    def __init__(
        self,
        width: int,
        n_perspectives: int,
        hidden: int,
        generator: torch.Generator,
        form: BatchForm = INDEPENDENT,
    ) -> None:
        super().__init__()
        self._form = form
        dim, bound = 4 * width, math.sqrt(6 / (n_perspectives + 4 * width))
        self.cosines = uniform_parameter((n_perspectives, dim), bound, generator)
        self.products = uniform_parameter((n_perspectives, dim), bound, generator)
        n_found = 3 + 3 * n_perspectives
        self.forwards = nn.ModuleList(Hop(n_in, width, generator) for n_in in (n_found, 2 * width))
        self.backwards = nn.ModuleList(Hop(n_in, width, generator) for n_in in (n_found, 2 * width))
        self.hidden = glorot_uniform(4 * dim, hidden, generator)
        self.hidden_bias = glorot_uniform(hidden, hidden, generator, (hidden,))
        self.output = glorot_uniform(hidden, 2, generator)
        self.output_bias = glorot_uniform(2, 2, generator, (2,))

    def forward(
        self, nodes: tuple[Tensor, Tensor], graphs: tuple[GraphBatch, GraphBatch]
    ) -> Tensor:
        """No match and match of every pair of graphs, before the softmax, [n_pairs, 2].

        Args:
            nodes: Vectors of the nodes of both sides, [n_nodes, 4 width] each.
            graphs: As many graphs on both sides; the n-th ones are a pair.
        """
        vectors: list[Tensor] = []
        for found, batch in zip(self.matched(nodes, graphs), graphs, strict=True):
            sides = []
            for hops, sampled in (
                (self.forwards, batch.forward),
                (self.backwards, batch.backward),
            ):
                rows, neighbours = self._form.inputs(found, sampled, batch.counts)
                for hop, listed in zip(hops, neighbours, strict=True):
                    rows = hop(rows, listed)
                sides.append(rows)
            vectors += self._form.pooled(torch.cat(sides, dim=1), batch)
        hidden = torch.tanh(torch.cat(vectors, dim=1) @ self.hidden + self.hidden_bias)
        return hidden @ self.output + self.output_bias

    def matched(
        self, nodes: tuple[Tensor, Tensor], graphs: tuple[GraphBatch, GraphBatch]
    ) -> tuple[Tensor, Tensor]:
        """What each node finds in the other graph of its pair, [n_nodes, 3 + 3 n_perspectives].

        Largest and mean cosine, plain and under each perspective; tanh of the inner product with
        the node of the largest plain cosine, plain and under each perspective.
        """
        cells = _cells(*graphs)
        squares = torch.cat([torch.ones_like(self.cosines[:1]), self.cosines.square()])
        ends = [side.index_select(0, cell) for side, cell in zip(nodes, cells, strict=True)]
        products = (ends[0] * ends[1]) @ squares.T  # [n_cells, 1 + n_perspectives]
        for side, cell in zip(nodes, cells, strict=True):
            norms = (side.square() @ squares.T).clamp_min(_SMALLEST_NORM**2).sqrt()
            products = products / norms.index_select(0, cell)
        weights = torch.cat([torch.ones_like(self.products[:1]), self.products])
        found = []
        for one, other in ((0, 1), (1, 0)):
            own, batch = nodes[one], graphs[one]
            largest = group_max(products, cells[one], len(own))
            n_met = graphs[other].counts[batch.graph_of]
            largest, n_met = self._form.met(largest, n_met, graphs[other])
            mean = group_mean(products, cells[one], n_met)
            best = _first_best(products[:, 0].detach(), largest[:, 0].detach(), cells[one])
            partner = nodes[other].index_select(0, cells[other][best])
            found.append(torch.cat([largest, mean, torch.tanh((own * partner) @ weights.T)], dim=1))
        return found[0], found[1]


def _cells(source: GraphBatch, target: GraphBatch) -> tuple[Tensor, Tensor]:
    """Every pair of nodes of every pair of graphs, as rows of either batch, [n_cells] each."""
    n_met = target.counts[source.graph_of]  # by source node
    first = (torch.cumsum(target.counts, dim=0) - target.counts)[source.graph_of]
    return list_numbers(n_met), ragged_ranges(first, n_met)


def _first_best(cosines: Tensor, largest: Tensor, node_of: Tensor) -> Tensor:
    """The first cell of each node that holds its largest cosine, [n_nodes]."""
    numbers = torch.arange(len(cosines), device=cosines.device)
    numbers = torch.where(cosines == largest[node_of], numbers, len(cosines))
    last = torch.full_like(largest, len(cosines), dtype=torch.int64)
    return last.scatter_reduce(0, node_of, numbers, "amin")
