"""Gated convolutions with diagonal weights, of which RKDEA's student is made."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.graph_layers import GCNLayer, HighwayGate
from mmea_bench.methods.core.layers.sparse import FixedMatrix


class GatedConvolutions(nn.Module):
    """``x' = g ReLU(S (x w)) + (1 - g) x``, layer by layer; diagonal ``w`` that starts at one.

    Args:
        dim: Columns.
        n_layers: Layers, each with a gate.
        generator: CPU generator of the gates' initial values.
    """

    def __init__(self, dim: int, n_layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            GCNLayer(dim, dim, generator, weight="diagonal", bias=False) for _ in range(n_layers)
        )
        self.gates = nn.ModuleList(HighwayGate(dim, generator) for _ in range(n_layers))

    def forward(self, inputs: Tensor, adjacency: FixedMatrix) -> list[Tensor]:
        """The input and the output of every layer, [n_entities, dim] each."""
        outputs = [inputs]
        for layer, gate in zip(self.layers, self.gates, strict=True):
            outputs.append(gate(relu(layer(outputs[-1], adjacency)), outputs[-1]))
        return outputs
