"""Two encoders of the same form, one for each KG, and the fusion that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.graph_layers import GATLayer
from mmea_bench.methods.core.layers.sparse import SparsePattern


@dataclass(frozen=True)
class BranchSizes:
    """Columns of an encoder.

    Attributes:
        structure_dims: Of the entity table and of each graph layer.
        n_heads: Of each graph layer, averaged.
        relation_dim: Of the relation vectors.
        attribute_dim: Of the attribute vectors.
        image_dim: Of the image vectors.
    """

    structure_dims: tuple[int, ...]
    n_heads: int
    relation_dim: int
    attribute_dim: int
    image_dim: int

    def of(self, name: str) -> int:
        """Columns of a linear modality."""
        dims = {"relation": self.relation_dim, "attribute": self.attribute_dim}
        return dims.get(name, self.image_dim)


class Branch(nn.Module):
    """Graph layers and linear maps.

    Args:
        widths: Linear modality to the columns of its features.
        has_structure: Whether there are graph layers.
        sizes: Columns.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        sizes: BranchSizes,
        generator: torch.Generator,
        *,
        has_structure: bool,
    ) -> None:
        super().__init__()
        dims = sizes.structure_dims if has_structure else ()
        # Sign and start of the attention are those of MCLEA's released code, as in PSNEA's.
        self.graph_layers = nn.ModuleList(
            GATLayer(
                n_in,
                n_out,
                sizes.n_heads,
                generator,
                merge="mean",
                sign=-1,
                score_bound=1 / math.sqrt(2 * n_out),
            )
            for n_in, n_out in pairwise(dims)
        )
        self.linear = nn.ModuleDict(
            {name: Linear(width, sizes.of(name), generator) for name, width in widths.items()}
        )

    def structure(self, table: Tensor, pattern: SparsePattern) -> Tensor:
        """Vectors of all entities of the KG, with an ELU between the layers, [n, dim]."""
        vectors = table
        for position, layer in enumerate(self.graph_layers):
            vectors = layer(elu(vectors) if position else vectors, pattern)
        return vectors


class PseudoSiameseEncoder(nn.Module):
    """A branch for each KG; what they give is fused by weights that both share.

    Args:
        graph: Union graph, whose two halves have no edge between them.
        features: Linear modality to the features of all entities, [n_entities, dim].
        order: Modalities in the order of the fusion.
        sizes: Columns.
        shared: Whether one branch serves both KGs.
        generator: CPU generator of the initial values.
        device: Where the products run.
    """

    def __init__(
        self,
        graph: JointGraph,
        features: Mapping[str, Tensor],
        order: tuple[str, ...],
        sizes: BranchSizes,
        generator: torch.Generator,
        device: torch.device,
        *,
        shared: bool,
    ) -> None:
        super().__init__()
        self.graph, self.modalities, self._features = graph, order, dict(features)
        widths = {name: int(each.shape[1]) for name, each in features.items()}
        has_structure = "structure" in order
        branches = [
            Branch(widths, sizes, generator, has_structure=has_structure)
            for _ in range(1 if shared else 2)
        ]
        self.branches = nn.ModuleList(branches)
        counts = (graph.n_source, graph.n_entities - graph.n_source) if has_structure else ()
        self.tables = nn.ParameterList(
            normal_parameter((n, sizes.structure_dims[0]), 1 / math.sqrt(n), generator)
            for n in counts
        )
        self.fusion = WeightedConcatenation(order)
        self._patterns = _sides(graph, device) if has_structure else ()

    def encode(self, rows: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
        """Unit vectors by modality: source rows and then target rows.

        Args:
            rows: Joint ids of the source and of the target entities wanted; None for all.

        Returns:
            Modality to [n_rows, dim].
        """
        n_source, size = self.graph.n_source, self.graph.n_entities
        device = self.fusion.logits.device
        if rows is None:
            everyone = torch.arange(size, device=device)
            rows = everyone[:n_source], everyone[n_source:]
        encoded = {}
        for name in self.modalities:
            sides = []
            for side, wanted in enumerate(rows):
                branch = self.branches[side % len(self.branches)]
                assert isinstance(branch, Branch)  # noqa: S101 - for the type alone
                if name == "structure":
                    vectors = branch.structure(self.tables[side], self._patterns[side])
                    sides.append(vectors.index_select(0, wanted - side * n_source))
                else:
                    sides.append(branch.linear[name](self._features[name][wanted]))
            encoded[name] = normalize(torch.cat(sides), dim=1)
        return encoded

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities."""
        encoded = self.encode(None)
        joint = normalize(self.fusion(encoded), dim=1)
        return self.graph.split(joint, by_modality=encoded, weights=self.fusion.weights())


def _sides(graph: JointGraph, device: torch.device) -> tuple[SparsePattern, SparsePattern]:
    """Edges of either KG, self-loops included, with ids that count from its first entity."""
    rows, columns, _ = undirected_edges(graph)
    n_source, n_target = graph.n_source, graph.n_entities - graph.n_source
    of_source = rows < n_source
    source = SparsePattern(rows[of_source], columns[of_source], (n_source,) * 2, device)
    others = rows[~of_source] - n_source, columns[~of_source] - n_source
    return source, SparsePattern(*others, (n_target,) * 2, device)
