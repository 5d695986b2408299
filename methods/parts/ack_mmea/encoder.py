"""ACK-MMEA's encoder: uniform features of every modality, each through a graph network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.features import modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, xavier_normal
from mmea_bench.methods.core.layers.reflection import (
    ReflectionGraph,
    ReflectionLayer,
    relation_table,
)
from mmea_bench.methods.core.layers.reflection_encoder import all_layers, dropped
from mmea_bench.methods.parts.ack_mmea.uniform_features import Generated, MergedAttributes, Noise

STRUCTURE, ATTRIBUTE = "structure", "attribute"


@dataclass(frozen=True)
class EncoderSettings:
    """Parameters of the encoder.

    Attributes:
        dim: Columns of the vectors of a modality before its network.
        n_bins: Gaussian bins of a number.
        n_layers: Of each network.
        merge: How several attribute facts become one vector.
        generate: What stands in for a lacking modality.
        dropout: Share of the inputs of a network that is set to zero in training.
        edge_dropout: Share of the neighbour pairs that is left out in training.
    """

    dim: int
    n_bins: int
    n_layers: int
    merge: Literal["attention", "mean"]
    generate: Literal["neighbours", "noise"]
    dropout: float
    edge_dropout: float


class RelationNetwork(nn.Module):
    """Layers of relation-reflection attention with tanh; input and all outputs side by side.

    Args:
        n_relations: Of both graphs.
        dim: Columns of the input and of every layer.
        n_layers: Number of layers.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self, n_relations: int, dim: int, n_layers: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.relations = relation_table(n_relations, dim, generator)
        self.layers = nn.ModuleList(ReflectionLayer(dim, generator) for _ in range(n_layers))

    def forward(self, vectors: Tensor, graph: ReflectionGraph, kept: Tensor | None) -> Tensor:
        """[n_entities, dim] to [n_entities, dim * (1 + number of layers)].

        Args:
            vectors: Of all entities.
            graph: Neighbour pairs.
            kept: Pairs that pass messages, [n_pairs] bool; None for all.
        """
        directions = graph.directions(self.relations)
        layers = [
            lambda inputs, layer=layer: layer(inputs, directions, graph, kept)
            for layer in self.layers
        ]
        return all_layers(vectors, layers, torch.tanh)


class UniformEncoder(nn.Module):
    """Vectors of every modality before and behind its network, and the joint ones.

    Args:
        view: Dataset.
        graph: Its union graph.
        modalities: What is encoded.
        settings: Parameters.
        ctx: Device and generators.
    """

    def __init__(
        self,
        view: TrainView,
        graph: JointGraph,
        modalities: tuple[str, ...],
        settings: EncoderSettings,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        self._settings, self._n_source, self._names = settings, graph.n_source, modalities
        self._graph = ReflectionGraph.of(graph, ctx.device)
        self._drops = ctx.generator("dropout")
        self._features: dict[str, Tensor] = {}
        self.inputs, self.fills, self.networks = (nn.ModuleDict() for _ in range(3))
        for name in modalities:
            generator = ctx.generator(f"{name} values")
            self._add_input(name, view, graph, generator, ctx)
            sizes = graph.n_relations, settings.dim, settings.n_layers
            self.networks[name] = RelationNetwork(*sizes, generator)
        if len(modalities) > 1:
            self.weights = nn.Parameter(torch.ones(len(modalities)))

    def _add_input(
        self,
        name: str,
        view: TrainView,
        graph: JointGraph,
        generator: torch.Generator,
        ctx: RunContext,
    ) -> None:
        """What makes a modality's vectors, and what fills those that are lacking."""
        settings = self._settings
        if name == STRUCTURE:
            self.table = nn.Parameter(xavier_normal((graph.n_entities, settings.dim), generator))
            return
        if name == ATTRIBUTE:
            merged = MergedAttributes(
                *(view, graph, settings.dim, settings.n_bins, generator, ctx.device),
                attends=settings.merge == "attention",
                modalities=self._names,
            )
            self.inputs[name], present = merged, merged.present
        else:
            features = modality_features(view, name, ctx, fill="zeros")
            present = view.joint_features(name).present
            self._features[name] = features.to(ctx.device)
            self.inputs[name] = Linear(features.shape[1], settings.dim, generator)
        if settings.generate == "neighbours":
            self.fills[name] = Generated(graph, present, settings.dim, generator, ctx.device)
        elif not present.all():
            draws = ctx.generator(f"{name} noise")
            self.fills[name] = Noise(present, settings.dim, draws, ctx.device)
        if name in self._features:
            marks = torch.from_numpy(np.asarray(present, dtype=np.float32)[:, None])
            self._features[f"{name} present"] = marks.to(ctx.device)

    def uniform(self) -> dict[str, Tensor]:
        """One vector per entity of each modality but the structure, [n_entities, dim]."""
        found = {}
        for name in self.inputs:
            if name in self._features:
                vectors = self.inputs[name](self._features[name])
                vectors = vectors * self._features[f"{name} present"]
            else:
                vectors = self.inputs[name]()
            found[name] = self.fills[name](vectors) if name in self.fills else vectors
        return found

    def forward(self) -> tuple[dict[str, Tensor], Tensor]:
        """Uniform vectors by modality, and joint ones of unit length, [n_entities, columns]."""
        uniform, settings = self.uniform(), self._settings
        kept = None
        if self.training and settings.edge_dropout:
            shares = torch.rand(self._graph.pairs.n_edges, generator=self._drops)
            kept = (shares >= settings.edge_dropout).to(self._graph.pairs.device)
        parts = []
        for name in self._names:
            vectors = self.table if name == STRUCTURE else uniform[name]
            if self.training:
                vectors = dropped(vectors, settings.dropout, self._drops)
            parts.append(normalize(self.networks[name](vectors, self._graph, kept), dim=1))
        return uniform, self._joint(parts)

    def shares(self) -> dict[str, float]:
        """Weight of every modality in the joint vectors."""
        if len(self._names) == 1:
            return {self._names[0]: 1.0}
        return dict(zip(self._names, torch.softmax(self.weights, 0).tolist(), strict=True))

    def _joint(self, parts: list[Tensor]) -> Tensor:
        if len(parts) == 1:
            return parts[0]
        weights = torch.softmax(self.weights, dim=0)
        weighted = [weight * part for weight, part in zip(weights, parts, strict=True)]
        return normalize(torch.cat(weighted, dim=1), dim=1)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint vectors of all entities, without drop-out."""
        self.eval()
        _, joint = self()
        self.train()
        n_source = self._n_source
        return Embeddings(joint[:n_source], joint[n_source:], modality_weights=self.shares())
