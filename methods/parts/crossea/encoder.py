"""CrossEA's encoder: projected features of each modality, mixed with structure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.core.layers.encoders import DiagonalGAT, normal_parameter
from mmea_bench.methods.core.layers.sparse import SparsePattern
from mmea_bench.methods.parts.crossea.meta_paths import (
    MetaPathAttention,
    sampled_hop_sets,
    sparse_pattern,
)


@dataclass(frozen=True)
class EncoderSettings:
    """Parameters of the encoder.

    Attributes:
        dim: Columns of every vector.
        structure: Attention along modality meta-paths, or plain graph attention.
        hop_caps: Largest set of each hop.
        weights: Whether each pair of modalities has its own weights of equation 2.
        n_heads: Of the graph attention, per layer.
        own_share: Of a node's own vector at the start.
    """

    dim: int
    structure: Literal["meta-paths", "gat"]
    hop_caps: tuple[int, ...]
    weights: Literal["per pair", "shared"]
    n_heads: tuple[int, ...]
    own_share: float


class CrossEAEncoder(nn.Module):
    """Vectors of all nodes: projected features mixed with structure.

    ``x_i = normalize(W_m f_i + b_m)`` and ``e_i = normalize(share_m x_i + (1 - share_m)
    normalize(s_i))`` with the learned share of the node's modality.

    Args:
        view: Dataset.
        graph: Its union graph.
        nodes: Its nodes by modality.
        settings: Sizes and choices.
        ctx: Device and generators.
    """

    def __init__(
        self,
        view: TrainView,
        graph: JointGraph,
        nodes: NodeSets,
        settings: EncoderSettings,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        self._order = nodes.order().to(ctx.device)
        self._features = {
            modality: nodes.standardised(view, modality).to(ctx.device) for modality in nodes.ids
        }
        self.projection, self.bias = nn.ParameterDict(), nn.ParameterDict()
        for modality, features in self._features.items():
            n_in = features.shape[1]
            std = math.sqrt(2 / (n_in + settings.dim))  # Xavier
            self.projection[modality] = normal_parameter((n_in, settings.dim), std, generator)
            self.bias[modality] = nn.Parameter(torch.zeros(settings.dim))
        logit = math.log(settings.own_share / (1 - settings.own_share))
        self.share_logits = nn.ParameterDict(
            {modality: nn.Parameter(torch.tensor(logit)) for modality in nodes.ids}
        )
        self.structure: nn.Module
        if settings.structure == "meta-paths":
            self.structure = _meta_path_attention(graph, nodes, settings, ctx)
        else:
            self.structure = _GATStructure(graph, nodes, settings, ctx)

    def forward(self) -> Tensor:
        """L2-normalised vectors of all nodes, [n_nodes, dim]."""
        own = {
            modality: normalize(features @ self.projection[modality] + self.bias[modality], dim=1)
            for modality, features in self._features.items()
        }
        structure: Mapping[str, Tensor] = self.structure(own)
        mixed = []
        for modality, vectors in own.items():
            share = torch.sigmoid(self.share_logits[modality])
            around = normalize(structure[modality], dim=1)
            mixed.append(normalize(share * vectors + (1 - share) * around, dim=1))
        return torch.cat(mixed).index_select(0, self._order)

    def weights(self) -> dict[str, float]:
        """Share of each modality's own features and of structure, mean over all nodes."""
        n_nodes = sum(len(features) for features in self._features.values())
        own = {
            modality: float(torch.sigmoid(self.share_logits[modality].detach()))
            * len(features)
            / n_nodes
            for modality, features in self._features.items()
        }
        return {**own, "structure": 1.0 - sum(own.values())}


class _GATStructure(nn.Module):
    """Structure without meta-paths: graph attention blind to relations and modalities."""

    def __init__(
        self, graph: JointGraph, nodes: NodeSets, settings: EncoderSettings, ctx: RunContext
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values of the GAT")
        self.gat = DiagonalGAT(
            settings.dim, settings.n_heads, 1, "mean", generator, last_activation=False
        )
        rows, columns, _ = undirected_edges(graph)
        self._pattern = SparsePattern(rows, columns, (graph.n_entities,) * 2, ctx.device)
        self._order = nodes.order().to(ctx.device)
        self._rows = {
            modality: torch.from_numpy(ids).to(ctx.device) for modality, ids in nodes.ids.items()
        }

    def forward(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As ``MetaPathAttention``."""
        joint = torch.cat(list(own.values())).index_select(0, self._order)
        vectors = self.gat(joint, self._pattern, self._pattern, None)
        return {modality: vectors.index_select(0, rows) for modality, rows in self._rows.items()}


def _meta_path_attention(
    graph: JointGraph, nodes: NodeSets, settings: EncoderSettings, ctx: RunContext
) -> MetaPathAttention:
    sets = sampled_hop_sets(graph, nodes, settings.hop_caps, ctx.numpy_generator("meta-paths"))
    patterns = {path: sparse_pattern(cells, ctx.device) for path, cells in sets.items()}
    return MetaPathAttention(patterns, settings.dim, shared=settings.weights == "shared")
