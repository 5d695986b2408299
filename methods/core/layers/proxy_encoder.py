"""Dual-AMN's encoder, on which PathFusion stands too: attention by relation, gated by proxies."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.reflection import ReflectionGraph, ReflectionLayer
from mmea_bench.methods.core.layers.reflection_encoder import NeighbourFeatures, all_layers

_SHORTEST = 1e-12
"""Shorter vectors are divided by that, as the library does."""


class DualEncoder(nn.Module):
    """One encoder for neighbour features and one for relation features, side by side.

    Args:
        graph: Union graph.
        dim: Columns of entities and relations.
        depth: Number of layers.
        n_proxies: Number of proxies.
        generator: CPU generator of the initial values.
        device: Where the products run.
    """

    def __init__(
        self,
        graph: JointGraph,
        dim: int,
        depth: int,
        n_proxies: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.features = NeighbourFeatures(graph, dim, dim, generator, device)
        self.of_neighbours = ProxyEncoder(dim, depth, n_proxies, generator)
        self.of_relations = ProxyEncoder(dim, depth, n_proxies, generator)
        self._reflections = ReflectionGraph.of(graph, device)
        self.to(device)

    def forward(self) -> Tensor:
        """Vectors of all entities, not normalised, [n_entities, 2 (depth + 1) dim]."""
        graph, features = self._reflections, self.features
        directions = graph.directions(features.relations)
        both = (
            self.of_neighbours(features.of_neighbours(), directions, graph),
            self.of_relations(features.of_relations(), directions, graph),
        )
        return torch.cat(both, dim=1)


class ProxyEncoder(nn.Module):
    """Reflection attention by relation alone, then a gate towards what differs from the proxies.

    Proxies stand for the other graph: an entity attends to 64 trained vectors in place of all of
    its entities.

    Args:
        dim: Columns of the features.
        depth: Number of layers.
        n_proxies: Number of proxies.
        generator: CPU generator of the initial values.

    Reference: Mao et al., Dual-AMN, WWW 2021, sections 4.1 and 4.2, as the released code computes.
    """

    def __init__(self, dim: int, depth: int, n_proxies: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ReflectionLayer(dim, generator) for _ in range(depth))
        width = (depth + 1) * dim
        self.proxies = glorot_uniform(n_proxies, width, generator)
        self.gate = glorot_uniform(width, width, generator)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor, directions: Tensor, graph: ReflectionGraph) -> Tensor:
        """[n_entities, dim] to [n_entities, (depth + 1) dim].

        Args:
            features: Of all entities.
            directions: Unit direction of each relation set, [n_sets, dim].
            graph: Neighbour pairs of all entities.
        """
        layers = [
            lambda vectors, layer=layer: layer(vectors, directions, graph) for layer in self.layers
        ]
        found = all_layers(features, layers, torch.tanh)
        lengths = torch.linalg.vector_norm(found, dim=1, keepdim=True).clamp_min(_SHORTEST)
        # No unit rows of all entities: an array of that size less is kept for the gradients.
        cosines = (found @ normalize(self.proxies, dim=1).T) / lengths
        away = torch.addmm(found, torch.softmax(cosines, dim=1), self.proxies, alpha=-1)
        kept = torch.sigmoid(torch.addmm(self.bias, away, self.gate))
        return torch.lerp(away, found, kept)
