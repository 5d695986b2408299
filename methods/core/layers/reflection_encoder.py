"""What RREA, MRAEA and Dual-AMN share: tables of entities and relations, and dense layers of both.

An entity starts as the mean of the vectors of its neighbours and itself, and, apart from that, as
the mean of the vectors of its relations; the outputs of all layers stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.reflection import EndReflectionLayer, ReflectionGraph
from mmea_bench.methods.core.layers.relation_matrices import (
    incident_relation_means,
    neighbour_means,
)

_KERAS_BOUND = 0.05
"""Of the uniform initial values of an embedding table in Keras."""


class NeighbourFeatures(nn.Module):
    """Trained vectors of entities and relations, and what an entity's surroundings make of them.

    Args:
        graph: Union graph.
        entity_dim: Columns of the entity table.
        relation_dim: Columns of the relation table, which has two rows for each relation.
        generator: CPU generator of the initial values, U(-0.05, 0.05).
        device: Where the products run.
    """

    def __init__(
        self,
        graph: JointGraph,
        entity_dim: int,
        relation_dim: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        shape = graph.n_entities, entity_dim
        self.entities = uniform_parameter(shape, _KERAS_BOUND, generator)
        shape = 2 * graph.n_relations, relation_dim
        self.relations = uniform_parameter(shape, _KERAS_BOUND, generator)
        self._neighbours = neighbour_means(graph, device)
        self._incident = incident_relation_means(graph, device)

    def of_neighbours(self) -> Tensor:
        """Mean vector of the neighbours and the entity itself, [n_entities, entity_dim]."""
        return self._neighbours @ self.entities

    def of_relations(self) -> Tensor:
        """Mean vector of the relations, [n_entities, relation_dim]."""
        return self._incident @ self.relations


def all_layers(
    features: Tensor,
    layers: Iterable[Callable[[Tensor], Tensor]],
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    """Activated features and the activated output of every layer, side by side.

    Args:
        features: [n, dim].
        layers: Each from the output of the one before.
        activation: Of the features and of every layer.

    Returns:
        [n, dim * (1 + number of layers)].
    """
    outputs = [activation(features)]
    for layer in layers:
        outputs.append(activation(layer(outputs[-1])))
    return torch.cat(outputs, dim=1)


class ReflectionEncoder(nn.Module):
    """RREA's encoder: reflection attention over neighbour and over relation features.

    Args:
        graph: Union graph.
        dim: Columns of both tables.
        depth: Number of layers.
        generator: CPU generator of the initial values.
        device: Where the products run.

    Reference: Mao et al., RREA, CIKM 2020, equations 6-9, as the released code computes them.
    """

    def __init__(
        self,
        graph: JointGraph,
        dim: int,
        depth: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.features = NeighbourFeatures(graph, dim, dim, generator, device)
        self.layers = nn.ModuleList(EndReflectionLayer(dim, generator) for _ in range(depth))
        self._reflections = ReflectionGraph.of(graph, device)

    def forward(self) -> Tensor:
        """Vectors of all entities, not normalised, [n_entities, 2 (depth + 1) dim]."""
        graph = self._reflections
        directions = graph.directions(self.features.relations)
        layers = [
            lambda vectors, layer=layer: layer(vectors, directions, graph) for layer in self.layers
        ]
        both = self.features.of_neighbours(), self.features.of_relations()
        return torch.cat([all_layers(each, layers, torch.relu) for each in both], dim=1)


def dropped(vectors: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The vectors with a share of their numbers set to zero and the others made larger.

    Args:
        vectors: Any shape.
        share: Of what is dropped.
        generator: On the CPU.
    """
    if not share:
        return vectors
    kept = torch.rand(vectors.shape, generator=generator).ge_(share).div_(1 - share)
    return vectors * kept.to(vectors.device)
