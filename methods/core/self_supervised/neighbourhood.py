"""One-hop neighbours as a table of fixed width, and an attention over it (SelfKG)."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.encoders import Linear, uniform_parameter

_ROWS = 2048
"""Entities encoded at a time where all are wanted."""

NO_ENTITY = -1
"""Fills the rows of entities with fewer neighbours than columns."""


def neighbour_table(graph: JointGraph, width: int) -> NDArray[np.int64]:
    """The entity itself and its first distinct neighbours, [n_entities, width].

    Neighbours count in either direction and stand in the order of the triples; an entity is never
    its own neighbour. Unused places hold ``NO_ENTITY``.

    Args:
        graph: Union graph.
        width: Columns, the entity's own included; at least 1.

    Reference: SelfKG, WWW 2022, as its released code builds it.
    """
    heads, tails = graph.triples[:, 0], graph.triples[:, 2]
    position = np.arange(len(heads))
    ends, others = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    position = np.concatenate([position, position])
    proper = ends != others
    ends, others, position = ends[proper], others[proper], position[proper]
    order = np.argsort(position, kind="stable")
    ends, others = ends[order], others[order]
    # ``unique`` keeps the first occurrence, so a neighbour stands where it is met first.
    first = np.sort(np.unique(ends * graph.n_entities + others, return_index=True)[1])
    ends, others = ends[first], others[first]
    by_entity = np.argsort(ends, kind="stable")
    ends, others = ends[by_entity], others[by_entity]
    starts = np.searchsorted(ends, np.arange(graph.n_entities))
    column = np.arange(len(ends)) - starts[ends] + 1
    table = np.full((graph.n_entities, width), NO_ENTITY, dtype=np.int64)
    table[:, 0] = np.arange(graph.n_entities)
    kept = column < width
    table[ends[kept], column[kept]] = others[kept]
    return table


class NeighbourhoodEncoder(nn.Module):
    """Name vector joined with an attention over the neighbours' name vectors (SelfKG).

    Only the centre's row of the attention is computed, and ``u W`` once per distinct entity; both
    leave the result as it is.

    Args:
        names: Frozen name vectors, [n_entities, dim].
        table: Entity and neighbours, [n_entities, width], ``NO_ENTITY`` where there is none.
        dropout: Share of attention weights dropped in training.
        generator: CPU generator of the initial values (Xavier uniform).
        dropout_generator: CPU generator of the dropped places.
    """

    def __init__(
        self,
        names: Tensor,
        table: Tensor,
        dropout: float,
        generator: torch.Generator,
        dropout_generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim = names.shape[1]
        # In a tuple, so that copies of the encoder share them.
        self._fixed = (names, table, dropout_generator)
        self._dropout = dropout
        self.weight = uniform_parameter((dim, dim), math.sqrt(3 / dim), generator)
        bound = math.sqrt(6 / (dim + 1))
        self.centre = uniform_parameter((dim,), bound, generator)
        self.neighbour = uniform_parameter((dim,), bound, generator)
        self.bias = nn.Parameter(torch.zeros(dim))
        self.merge = Linear(2 * dim, dim, generator)

    def follower(self) -> NeighbourhoodEncoder:
        """A copy that is moved by momentum alone and drops nothing."""
        names_table, self._fixed = self._fixed, ()  # type: ignore[assignment]
        copied = copy.deepcopy(self)
        self._fixed = copied._fixed = names_table
        return copied.requires_grad_(requires_grad=False).eval()

    def forward(self, entities: Tensor) -> Tensor:
        """L2-normalised vectors of entities [b], [b, dim]."""
        names, table, generator = self._fixed
        slots = table[entities]  # [b, width]
        present = slots != NO_ENTITY
        ids, place = torch.unique(slots, return_inverse=True)
        hidden = names[ids.clamp_min(0)] @ self.weight  # [n_distinct, dim]
        squashed = torch.tanh(hidden)
        centre, neighbour = squashed @ self.centre, squashed @ self.neighbour
        logits = leaky_relu(centre[place[:, :1]] + neighbour[place], 0.2)
        attention = torch.softmax(logits.masked_fill(~present, -torch.inf), dim=1)
        if self.training and self._dropout:
            kept = torch.rand(attention.shape, generator=generator) >= self._dropout
            attention = attention * kept.to(attention.device) / (1 - self._dropout)
        # One product with a [b, n_distinct] matrix instead of a gather of [b, width, dim].
        spread = torch.zeros(len(slots), len(ids), device=hidden.device)
        around = spread.scatter_add(1, place, attention.to(spread.dtype)) @ hidden + self.bias
        joined = torch.cat([names[entities], normalize(around, dim=1)], dim=1)
        return normalize(self.merge(joined), dim=1)

    @torch.no_grad()
    def all_vectors(self) -> Tensor:
        """Vectors of all entities, without dropout, [n_entities, dim]."""
        names = self._fixed[0]
        training = self.training
        self.eval()
        rows = torch.arange(len(names), device=names.device)
        vectors = torch.cat([self(chunk) for chunk in torch.split(rows, _ROWS)])
        self.train(training)
        return vectors
