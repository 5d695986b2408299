"""Reflection attention along relations and, less loudly, along what another modality says."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.reflection import ReflectionGraph, ReflectionLayer
from mmea_bench.methods.core.layers.reflection_encoder import all_layers
from mmea_bench.methods.core.layers.sparse import SparsePattern

GUIDANCE = 0.1
"""Share of the guided message beside the relations' one; released code."""

_SMALLEST = 1e-12


def guided_directions(vectors: Tensor, pairs: SparsePattern, dim: int) -> Tensor:
    """Unit direction of each edge: the principal components of its ends' vectors, [n_edges, dim].

    The vectors of both ends stand side by side; the axes are those of all edges, centred, each
    scaled by the root of the inverse of its singular value. Gradients reach the vectors, not the
    axes, which are made anew at every call.

    Args:
        vectors: Of the guiding modality, [n_entities, d].
        pairs: Edges, [n_entities, n_entities].
        dim: Components kept, at most ``2 d``.

    Reference: Xu et al. (XGEA), MM 2023, released code, with exact axes in place of random ones.
    """
    axes = _scaled_axes(vectors.detach(), pairs, dim)
    of_node, of_neighbour = (vectors @ part for part in axes.chunk(2))
    both = of_node.index_select(0, pairs.rows) + of_neighbour.index_select(0, pairs.columns)
    return normalize(both, dim=1)


def _scaled_axes(vectors: Tensor, pairs: SparsePattern, dim: int) -> Tensor:
    """Columns are axes times ``s^-1/2``, [2 d, dim]; no vector per edge is made."""
    ones = vectors.new_ones(pairs.n_edges)
    out, into = (
        torch.bincount(ends, minlength=len(vectors)).to(vectors)
        for ends in (pairs.rows, pairs.columns)
    )
    crossed = vectors.T @ pairs.product(ones, vectors)
    squares = [vectors.T @ (vectors * counts.unsqueeze(1)) for counts in (out, into)]
    moments = torch.cat(
        [torch.cat([squares[0], crossed], dim=1), torch.cat([crossed.T, squares[1]], dim=1)]
    )
    sums = torch.cat([out @ vectors, into @ vectors])
    scatter = moments.double() - torch.outer(sums, sums).double() / max(1, pairs.n_edges)
    values, axes = torch.linalg.eigh(scatter)
    largest, axes = values.flip(0)[:dim], axes.flip(1)[:, :dim]
    # Axes have no sign of their own: the largest component is made positive, so that every
    # machine and every call finds the same ones.
    signs = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
    singular = largest.clamp_min(_SMALLEST).sqrt()
    scaled: Tensor = axes * signs / singular.sqrt()
    return scaled.to(vectors.dtype)


class GuidedLayer(nn.Module):
    """Messages mirrored by relations, and 0.1 of messages mirrored by the guiding modality.

    Args:
        dim: Columns of input and output.
        generator: CPU generator of the initial values.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.relations = ReflectionLayer(dim, generator)
        self.query = uniform_parameter((dim,), math.sqrt(6 / (dim + 1)), generator)

    def forward(
        self, vectors: Tensor, directions: Tensor, guides: Tensor, graph: ReflectionGraph
    ) -> Tensor:
        """Aggregated messages, [n_entities, dim].

        Args:
            vectors: ``h``, [n_entities, dim].
            directions: Of each relation set, [n_sets, dim].
            guides: Unit direction of each edge by the other modality, [n_edges, dim].
            graph: Edges.
        """
        pairs = graph.pairs
        weights = pairs.row_softmax(guides @ self.query)
        along = (vectors.index_select(0, pairs.columns) * guides).sum(dim=1)
        mirrored = torch.zeros_like(vectors).index_add(
            0, pairs.rows, (weights * along).unsqueeze(1) * guides
        )
        guided = pairs.product(weights, vectors) - 2 * mirrored
        plain: Tensor = self.relations(vectors, directions, graph)
        return plain + GUIDANCE * guided


class AttentionEncoder(nn.Module):
    """Activated features and outputs of all layers side by side, guided or not.

    Args:
        dim: Columns of the features.
        depth: Layers.
        generator: CPU generator of the initial values.
        guided: Whether another modality guides.
    """

    def __init__(
        self, dim: int, depth: int, generator: torch.Generator, *, guided: bool = False
    ) -> None:
        super().__init__()
        kind = GuidedLayer if guided else ReflectionLayer
        self.layers = nn.ModuleList(kind(dim, generator) for _ in range(depth))

    def forward(
        self,
        features: Tensor,
        directions: Tensor,
        graph: ReflectionGraph,
        guide: Tensor | None = None,
    ) -> Tensor:
        """[n_entities, dim] to [n_entities, (depth + 1) dim].

        Args:
            features: Of all entities.
            directions: Of each relation set, [n_sets, dim].
            graph: Edges.
            guide: Vectors of the guiding modality, [n_entities, dim].
        """
        if guide is None:
            given: tuple[Tensor, ...] = (directions,)
        else:
            given = directions, guided_directions(guide, graph.pairs, features.shape[1])
        layers = [
            lambda vectors, layer=layer: layer(vectors, *given, graph) for layer in self.layers
        ]
        return all_layers(features, layers, torch.tanh)
