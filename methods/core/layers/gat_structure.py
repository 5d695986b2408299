"""Diagonal graph attention over the union graph: the structure encoder of MCLEA and MEAformer."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.layers.encoders import DiagonalGAT
from mmea_bench.methods.core.layers.multimodal import StructureEncoder
from mmea_bench.methods.core.layers.sparse import SparsePattern


class GATStructure(StructureEncoder):
    """A diagonal attention network with the edges of a union graph, self-loops included.

    Args:
        graph: Union graph.
        gat: Its layers.
        device: Where the edges are kept.
    """

    def __init__(self, graph: JointGraph, gat: DiagonalGAT, device: torch.device) -> None:
        super().__init__()
        self.gat = gat
        rows, columns, _ = undirected_edges(graph)
        self._pattern = SparsePattern(rows, columns, (graph.n_entities,) * 2, device)
        # No alias of the pattern: a resumed training fills the objects that it finds here.
        self._wanted: SparsePattern | None = None
        self._rows: Tensor | None = None

    def prepare(self, rows: Tensor) -> None:
        """Restricts the last layer to the edges into these rows."""
        self._wanted, _ = self._pattern.restricted(rows)
        self._rows = rows

    def forward(self, inputs: Tensor, *, all_rows: bool) -> Tensor:
        """Vectors of the prepared rows, or of all entities, [n_rows, n_out]."""
        rows = None if all_rows else self._rows
        wanted = self._pattern if rows is None or self._wanted is None else self._wanted
        vectors: Tensor = self.gat(inputs, self._pattern, wanted, rows)
        return vectors
