"""One vector per entity and modality: several facts are merged, lacking ones are generated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.literals import AttributeValues, standardised_numbers
from mmea_bench.methods.core.inputs.presence import images
from mmea_bench.methods.core.layers.encoders import (
    normal_parameter,
    uniform_parameter,
    xavier_normal,
)
from mmea_bench.methods.core.layers.sparse import SparsePattern

_SLOPE = 0.2
_LARGEST_NUMBER = 3.0


def gaussian_bins(numbers: NDArray[np.float64], n_bins: int) -> Tensor:
    """How near numbers are to centres from -3 to 3, ``exp(-(v - c)^2 / 2 s^2)``, [n, n_bins].

    ``s`` is the distance of two centres; what is no number is near none.

    Args:
        numbers: Standardised, [n]; NaN where there is none.
        n_bins: At least two.
    """
    centres = np.linspace(-_LARGEST_NUMBER, _LARGEST_NUMBER, n_bins)
    spacing = centres[1] - centres[0]
    clipped = np.clip(numbers, -_LARGEST_NUMBER, _LARGEST_NUMBER)
    near = np.exp(-((clipped[:, None] - centres) ** 2) / (2 * spacing**2))
    return torch.from_numpy(np.nan_to_num(near).astype(np.float32))


class MergedAttributes(nn.Module):
    """An entity's attribute facts as one vector, ``x_e = sum_k alpha_k x_ek``.

    A fact is the vector of its attribute plus, where it has a number, what an affine map makes of
    the number's bins, and ``alpha = softmax_k LeakyReLU(a . [W x_ek || W mean_k x_ek])``. Facts are
    never made: their logits and their sums are linear in attributes and bins.

    Args:
        view: Dataset.
        graph: Its union graph.
        dim: Columns of a fact.
        n_bins: Of a number.
        attends: Whether facts are weighed; else ``x_e`` is their mean.
        modalities: What the method reads; images among nodes have no facts where it tells them.
        generator: CPU generator of the initial values, Glorot's.
        device: Where the sums run.
    """

    def __init__(  # noqa: PLR0913 - what facts are made of
        self,
        view: TrainView,
        graph: JointGraph,
        dim: int,
        n_bins: int,
        generator: torch.Generator,
        device: torch.device,
        *,
        attends: bool = True,
        modalities: Sequence[str] = (),
    ) -> None:
        super().__init__()
        values = AttributeValues.of(view, graph)
        values = values.chosen(~images(view, modalities)[values.entities])
        order = np.lexsort((values.attributes, values.entities))
        entities, attributes = values.entities[order], values.attributes[order]
        numbers = standardised_numbers(values.attributes, values.numbers)[order]
        shape = graph.n_entities, graph.n_attributes
        self._facts = SparsePattern(entities, attributes, shape, device)
        known = torch.from_numpy(~np.isnan(numbers)).float().unsqueeze(1)
        # The last column stands for the map's bias, its last row.
        self._bins = torch.cat([gaussian_bins(numbers, n_bins), known], dim=1).to(device)
        counts = np.bincount(entities, minlength=graph.n_entities)
        self.present = counts > 0
        self._even = torch.from_numpy((1 / counts[entities]).astype(np.float32)).to(device)
        self.attributes = nn.Parameter(xavier_normal((graph.n_attributes, dim), generator))
        weights = xavier_normal((n_bins, dim), generator)
        self.values = nn.Parameter(torch.cat([weights, torch.zeros(1, dim)]))
        self._attends = attends
        if attends:
            self.weight = nn.Parameter(xavier_normal((dim, dim), generator))
            self.query = uniform_parameter((2, dim), math.sqrt(6 / (2 * dim + 1)), generator)

    def forward(self) -> Tensor:
        """Merged vectors, zero for entities without a fact, [n_entities, dim]."""
        means = self._summed(self._even)
        if not self._attends:
            return means
        # a . W x is (W^T a) . x.
        of_fact, of_mean = self.query @ self.weight
        logits = (self.attributes @ of_fact).index_select(0, self._facts.columns)
        logits = logits + self._bins @ (self.values @ of_fact)
        logits = logits + (means @ of_mean).index_select(0, self._facts.rows)
        return self._summed(self._facts.row_softmax(leaky_relu(logits, _SLOPE)))

    def _summed(self, weights: Tensor) -> Tensor:
        """Weighted sums of the facts of every entity, [n_entities, dim]."""
        bins = torch.zeros(self._facts.shape[0], self._bins.shape[1], device=weights.device)
        bins = bins.index_add(0, self._facts.rows, weights.unsqueeze(1) * self._bins)
        return self._facts.product(weights, self.attributes) + bins @ self.values


class Generated(nn.Module):
    """Vectors of entities that lack a modality, made of their neighbours'.

    ``x_e = sum_(r, j) beta_rj x_j`` over the triples to neighbours that have the modality, with
    ``beta`` the softmax of one trained number per relation and direction. Entities without such a
    neighbour ask once more among generated ones; then a trained vector stands in.

    Args:
        graph: Union graph.
        present: Who has the modality, [n_entities] bool.
        dim: Columns of the vectors.
        generator: CPU generator of that vector.
        device: Where the sums run.
    """

    def __init__(
        self,
        graph: JointGraph,
        present: NDArray[np.bool_],
        dim: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self._stages: list[tuple[SparsePattern, Tensor]] = []
        edges, filled = _directed(graph), present.copy()
        for _ in range(2):
            used = edges[~filled[edges[:, 0]] & filled[edges[:, 1]]]
            if len(used):
                pattern = SparsePattern(used[:, 0], used[:, 1], (graph.n_entities,) * 2, device)
                self._stages.append((pattern, torch.from_numpy(used[:, 2].copy()).to(device)))
            filled[used[:, 0]] = True
        alone = torch.from_numpy(~filled).to(device)
        self._alone: Tensor | None = alone.float().unsqueeze(1) if bool(alone.any()) else None
        if self._stages:
            self.scores = nn.Parameter(torch.zeros(2 * graph.n_relations))
        if self._alone is not None:
            # Not zero, where a vector's direction has no slope.
            self.default = normal_parameter((dim,), dim**-0.5, generator)

    def forward(self, vectors: Tensor) -> Tensor:
        """All entities' vectors, from those with zeros where one is lacking, [n_entities, dim]."""
        for pattern, relations in self._stages:
            weights = pattern.row_softmax(self.scores.index_select(0, relations))
            vectors = vectors + pattern.product(weights, vectors)
        return vectors if self._alone is None else vectors + self._alone * self.default


class Noise(nn.Module):
    """Normal noise in place of lacking vectors, with mean and deviation of the present ones.

    Args:
        present: Who has the modality, [n_entities] bool.
        dim: Columns of the vectors.
        generator: On the CPU; draws once.
        device: Where the vectors are.
    """

    def __init__(
        self,
        present: NDArray[np.bool_],
        dim: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        super().__init__()
        self._present = torch.from_numpy(present.copy()).to(device)
        self._drawn = torch.randn(int((~present).sum()), dim, generator=generator).to(device)

    def forward(self, vectors: Tensor) -> Tensor:
        """All entities' vectors, from those with zeros where one is lacking, [n_entities, dim]."""
        own = vectors.detach()[self._present]
        drawn = own.mean(dim=0) + own.std(dim=0, correction=0) * self._drawn
        return vectors.index_put((torch.nonzero(~self._present).squeeze(1),), drawn)


def _directed(graph: JointGraph) -> IntArray:
    """(entity, neighbour, directed relation) of every triple in both directions, sorted."""
    heads, relations, tails = graph.triples.T
    forth = np.stack([heads, tails, relations], axis=1)
    back = np.stack([tails, heads, relations + graph.n_relations], axis=1)
    return distinct_rows(np.concatenate([forth, back]))
