"""HMEA's branches: hyperbolic graph convolutions of a trained table and of images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter
from mmea_bench.methods.core.layers.graph_layers import GCNLayer
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.parts.hmea.hyperboloid import shortened

STRUCTURE, IMAGE = "structure", "image"


class HyperbolicGCN(nn.Module):
    """Layers ``x' = exp_o(ReLU(A log_o(x) W))``, the last one without ReLU.

    All layers have one curvature, so that ``log_o`` of a layer undoes ``exp_o`` of the one before,
    but for the limit of lengths: points are never made between them.

    Args:
        dim: Columns of tangent vectors.
        n_layers: Number of layers.
        generator: CPU generator of the initial values, Glorot-uniform.
        k: Minus one over the curvature.
    """

    def __init__(self, dim: int, n_layers: int, generator: torch.Generator, k: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            GCNLayer(dim, dim, generator, bias=False) for _ in range(n_layers)
        )
        self._k = k

    def forward(self, tangent: Tensor, adjacency: FixedMatrix) -> Tensor:
        """Tangent vectors of the last layer's points, [n_entities, dim].

        Args:
            tangent: Of the points that enter, [n_entities, dim].
            adjacency: [n_entities, n_entities].
        """
        tangent = shortened(tangent, self._k)
        for number, layer in enumerate(self.layers, start=1):
            tangent = layer(tangent, adjacency)
            if number < len(self.layers):
                tangent = relu(tangent)
            tangent = shortened(tangent, self._k)
        return tangent


class Branches(nn.Module):
    """Tangent vectors of all entities by branch, and their fusion.

    Args:
        adjacency: [n_entities, n_entities].
        dims: Columns of each branch, by modality.
        images: Image vectors, [n_entities, n_in]; None without that branch.
        n_layers: Of each branch.
        structure_share: beta, the weight of the structure branch in the fusion.
        k: Minus one over the curvature.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        adjacency: FixedMatrix,
        dims: Mapping[str, int],
        images: Tensor | None,
        n_layers: int,
        structure_share: float,
        k: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._adjacency, self._images = adjacency, images
        n_entities = adjacency.pattern.shape[0]
        if STRUCTURE in dims:
            shape = n_entities, dims[STRUCTURE]
            self.table = normal_parameter(shape, (1 / n_entities) ** 0.5, generator)
        if images is not None:
            self.image_map = Linear(images.shape[1], dims[IMAGE], generator)
        self.convolutions = nn.ModuleDict(
            {name: HyperbolicGCN(dim, n_layers, generator, k) for name, dim in dims.items()}
        )
        self._shares = {STRUCTURE: structure_share, IMAGE: 1 - structure_share}

    def forward(self) -> dict[str, Tensor]:
        """Tangent vectors by branch, [n_entities, dim of the branch]."""
        inputs = {}
        if STRUCTURE in self.convolutions:
            inputs[STRUCTURE] = self.table
        if self._images is not None:
            inputs[IMAGE] = self.image_map(self._images)
        return {
            name: self.convolutions[name](tangent, self._adjacency)
            for name, tangent in inputs.items()
        }

    def fused(self, tangents: Mapping[str, Tensor]) -> Tensor:
        """Tangent vectors of the fusion, ``[beta log x_s || (1 - beta) log x_v]``; of one its own.

        Args:
            tangents: By branch.
        """
        if len(tangents) == 1:
            return next(iter(tangents.values()))
        return torch.cat([self._shares[name] * each for name, each in tangents.items()], dim=1)
