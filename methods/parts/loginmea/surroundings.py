"""The graph around the entities, and the relation vectors that all propagations share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.layers.encoders import DiagonalGATLayer
from mmea_bench.methods.core.layers.reflection import (
    ReflectionGraph,
    ReflectionLayer,
    relation_table,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

Propagation = Literal["reflection", "gat"]


class Surroundings(nn.Module):
    """The graph around the entities, and the relation vectors that all propagations share.

    Args:
        graph: Union graph.
        propagation: Layers with relations, or plain graph attention.
        shape: Number of layers, and columns of the vectors.
        generator: CPU generator of the initial values.
        device: Where the graph lies.
        merged: Whether a neighbour sends one message, see ``ReflectionGraph.of``.
    """

    def __init__(
        self,
        graph: JointGraph,
        propagation: Propagation,
        shape: tuple[int, int],
        generator: torch.Generator,
        device: torch.device,
        *,
        merged: bool = True,
    ) -> None:
        super().__init__()
        self._propagation = propagation
        self._n_layers, self._dim = shape
        rows, columns, _ = undirected_edges(graph)
        self.pattern = self._wanted_pattern = SparsePattern(
            rows, columns, (graph.n_entities,) * 2, device
        )
        degrees = np.bincount(rows, minlength=graph.n_entities)
        self.means = FixedMatrix(self.pattern, torch.from_numpy(1 / degrees[rows]).float())
        self._rows: Tensor | None = None
        self.relations: nn.Parameter | None = None
        if self._propagation == "reflection":
            self.relations = relation_table(graph.n_relations, self._dim, generator)
            self._reflections = ReflectionGraph.of(graph, device, merged=merged)
            self._wanted_reflections = self._reflections

    def layers(self, generator: torch.Generator) -> nn.ModuleList:
        """New layers of the chosen kind."""
        return nn.ModuleList(
            ReflectionLayer(self._dim, generator)
            if self._propagation == "reflection"
            else DiagonalGATLayer(self._dim, 1, 1, "mean", generator)
            for _ in range(self._n_layers)
        )

    def prepare(self, rows: Tensor) -> None:
        """Restricts the last layer to the rows that will be trained on."""
        self._rows = rows
        if self.relations is None:
            self._wanted_pattern, _ = self.pattern.restricted(rows)
        else:
            self._wanted_reflections = self._reflections.restricted(rows)

    def directions(self) -> Tensor | None:
        """Unit direction of each relation set; None where layers know no relations."""
        return None if self.relations is None else self._reflections.directions(self.relations)

    def blocks(
        self, vectors: Tensor, layers: nn.ModuleList, directions: Tensor | None, *, all_rows: bool
    ) -> list[Tensor]:
        """What every layer makes of the vectors, at the wanted rows, [n_wanted, dim] each."""
        blocks = []
        for layer in layers:
            last = layer is layers[-1] and not all_rows
            if directions is None:
                pattern = self._wanted_pattern if last else self.pattern
                vectors = layer(vectors, pattern, self._rows if last else None)
            else:
                reflections = self._wanted_reflections if last else self._reflections
                vectors = layer(vectors, directions, reflections)
            vectors = torch.tanh(vectors)
            blocks.append(vectors if last or all_rows else self.chosen(vectors, all_rows=all_rows))
        return blocks

    def chosen(self, vectors: Tensor, *, all_rows: bool) -> Tensor:
        """The wanted rows of vectors of all entities."""
        return vectors if all_rows or self._rows is None else vectors.index_select(0, self._rows)
