"""ERMC's graph network over entities and relations, for features and for colours."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.hybrid.modality_attention import Dropout
from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter
from mmea_bench.methods.parts.ermc.graph import TriadicGraph

NodeVectors = tuple[Tensor, Tensor]
"""Of the entities and of the relation nodes, [n, dim] each."""


class TriadicLayer(nn.Module):
    """``ReLU(x W_0 + sum over ways of mean(x) W_way)`` for both kinds of nodes.

    A way is one of the edges head to relation, relation to tail and head to tail, along it or
    against it; each has a matrix of its own.

    Args:
        graph: Both KGs.
        n_in: Columns of the input.
        n_out: Columns of the output.
        generator: CPU generator of the initial values.

    Reference: an interpretation of ERMC (CIKM 2021): the layer of Deep Graph Matching Consensus
    (ICLR 2020), with relations as nodes.
    """

    def __init__(
        self, graph: TriadicGraph, n_in: int, n_out: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._graph = graph
        self.own = Linear(n_in, n_out, generator)
        bound = 1 / math.sqrt(n_in)
        self.ways = nn.ParameterList(
            uniform_parameter((n_in, n_out), bound, generator) for _ in graph.means
        )

    def forward(self, vectors: NodeVectors) -> NodeVectors:
        """[n, n_in] to [n, n_out] for both kinds."""
        sums = [self.own(each) for each in vectors]
        for ((to, begin), mean), matrix in zip(self._graph.means, self.ways, strict=True):
            # The product with the matrix comes first where fewer rows are gathered from.
            first = mean.pattern.shape[1] < mean.pattern.shape[0]
            inputs = vectors[begin]
            found = mean @ (inputs @ matrix) if first else (mean @ inputs) @ matrix
            sums[to] = sums[to] + found
        return relu(sums[0]), relu(sums[1])


class TriadicNetwork(nn.Module):
    """Layers, whose outputs stand side by side with the input before a last affine map.

    Args:
        graph: Both KGs.
        widths: Columns of the input, of layers, and of the output.
        n_layers: Layers.
        generator: CPU generator of the initial values.
        dropout: On the output of every layer while training; None drops nothing.
    """

    def __init__(
        self,
        graph: TriadicGraph,
        widths: tuple[int, int, int],
        n_layers: int,
        generator: torch.Generator,
        dropout: Dropout | None = None,
    ) -> None:
        super().__init__()
        n_in, width, n_out = widths
        self.layers = nn.ModuleList(
            TriadicLayer(graph, n_in if number == 0 else width, width, generator)
            for number in range(n_layers)
        )
        self.last = Linear(n_in + n_layers * width, n_out, generator)
        self._dropout = dropout

    def forward(self, vectors: NodeVectors) -> NodeVectors:
        """Of both kinds of nodes, [n, n_in] to [n, n_out]."""
        found = [vectors]
        for layer in self.layers:
            entities, relations = layer(found[-1])
            if self.training and self._dropout is not None:
                entities, relations = self._dropout(entities), self._dropout(relations)
            found.append((entities, relations))
        entities, relations = (torch.cat(each, dim=1) for each in zip(*found, strict=True))
        return self.last(entities), self.last(relations)
