"""DESAlign's bound of the Dirichlet energy, in a reading of our own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.methods.core.hybrid.confident_losses import ConfidentLosses
from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridEncoder, GlobalHybridVectors
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern


class EnergyBound:
    """Keeps how much vectors differ between neighbours within a share of what they did before.

    ``E(X) = 1/2 sum_ij a_ij |x_i / sqrt(d_i) - x_j / sqrt(d_j)|^2 = tr(X^T (I - A) X)`` with the
    normalised ``A``, over ``|X|^2``, so that the scale of the vectors does not count. Too little of
    it is over-smoothing, too much is noise.

    Args:
        graph: Union graph.
        limits: Least and largest energy of the outputs, as shares of the inputs'.
        device: Where the products run.
    """

    def __init__(
        self, graph: JointGraph, limits: tuple[float, float], device: torch.device
    ) -> None:
        rows, columns, counts = undirected_edges(graph)
        size = graph.n_entities
        cells = torch.from_numpy(symmetric_normalised(rows, columns, counts, size))
        self._adjacency = FixedMatrix(SparsePattern(rows, columns, (size, size), device), cells)
        self._limits = limits

    def energy(self, vectors: Tensor) -> Tensor:
        """Energy of the vectors of all entities, one number between 0 and 2.

        Args:
            vectors: [n_entities, dim].
        """
        squares = vectors.square().sum()
        smoothed = (vectors * (self._adjacency @ vectors)).sum()
        return (squares - smoothed) / squares.clamp_min(1e-12)

    def __call__(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """How far the outputs' energy lies outside of its limits.

        Args:
            inputs: [n_entities, dim].
            outputs: [n_entities, dim_out].
        """
        least, most = (share * self.energy(inputs) for share in self._limits)
        found = self.energy(outputs)
        return relu(least - found) + relu(found - most)


class BoundedLosses(ConfidentLosses):
    """UMAEA's losses and the bound on the graph encoder.

    Args:
        encoder: Whose graph encoder is bounded.
        tau: Temperature.
        bound: None leaves it out.
        weight: Of the bound.
        balanced: As in ``ConfidentLosses``.
    """

    def __init__(
        self,
        encoder: GlobalHybridEncoder,
        tau: float,
        bound: EnergyBound | None,
        weight: float,
        *,
        balanced: bool,
    ) -> None:
        super().__init__(encoder.modalities, tau, balanced=balanced)
        # A tuple hides the encoder's part from this module's own parameters.
        self._shared, self._bound, self._weight = (encoder,), bound, weight

    def forward(  # type: ignore[override]
        self,
        encoded: GlobalHybridVectors,
        positions: Tensor,
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Total loss of a batch of pairs; arguments as in ``HybridLosses``."""
        total = super().forward(encoded, positions, kept)
        (encoder,) = self._shared
        if self._bound is None or encoder.structure is None or encoder.table is None:
            return total
        outputs = encoder.structure(encoder.table, all_rows=True)
        return total + self._weight * self._bound(encoder.table, outputs)
