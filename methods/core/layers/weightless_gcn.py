"""Graph convolutions without weight matrices over trained rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.layers.sparse import FixedMatrix


class WeightlessGCN(nn.Module):
    """Two convolutions ``S ReLU(S X)`` of rows that are normalised inside the graph.

    Args:
        adjacency: ``S``, [n_entities, n_entities].
        dim: Columns of the rows.
        generator: CPU generator of the initial values, see ``truncated_normal``.
        inputs: Matrix from trained rows to entities, such as bags of attributes, [n_entities,
            n_rows]; None if every entity has a row of its own.

    Reference: Wang et al., EMNLP 2018, as the released code of GCN-Align computes it.
    """

    def __init__(
        self,
        adjacency: FixedMatrix,
        dim: int,
        generator: torch.Generator,
        inputs: FixedMatrix | None = None,
    ) -> None:
        super().__init__()
        n_rows = (inputs if inputs is not None else adjacency).pattern.shape[1]
        self.rows = nn.Parameter(truncated_normal(n_rows, dim, generator))
        self._inputs, self._adjacency = inputs, adjacency

    def forward(self) -> Tensor:
        """Vectors of all entities, [n_entities, dim]."""
        vectors = normalize(self.rows, dim=1)
        if self._inputs is not None:
            vectors = self._inputs @ vectors
        return self._adjacency @ relu(self._adjacency @ vectors)


def truncated_normal(
    n_rows: int, dim: int, generator: torch.Generator, std: float | None = None
) -> Tensor:
    """Normal values, cut at two standard deviations, [n_rows, dim].

    The step of a unit row is the learning rate over the squared norm of the raw row, so this scale
    is part of a recipe with plain gradient descent.

    Args:
        n_rows: Rows.
        dim: Columns.
        generator: On the CPU.
        std: None is ``1 / sqrt(n_rows)``.
    """
    if std is None:
        std = 1 / math.sqrt(max(1, n_rows))
    values = torch.empty(n_rows, dim)
    return nn.init.trunc_normal_(values, 0.0, std, -2 * std, 2 * std, generator=generator)
