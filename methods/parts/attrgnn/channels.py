"""AttrGNN's channels: small graph networks, each on one kind of knowledge."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import elu, leaky_relu, normalize, relu

from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

_LEAKY_SLOPE = 0.2


class Channel(nn.Module):
    """One channel: vectors of all entities, [n_entities, dim].

    Attributes:
        normalised: Whether vectors have unit length and are compared by cosine, else by L2
            distance.
    """

    normalised: ClassVar[bool] = True


class MeanLayer(nn.Module):
    """``W m + b`` with the mean ``m`` over neighbours.

    Args:
        n_in: Columns of the input.
        n_out: Columns of the output.
        generator: CPU generator of the initial values: Glorot-uniform, and the library's default
            for the bias.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = glorot_uniform(n_in, n_out, generator)
        self.bias = uniform_parameter((n_out,), 1 / math.sqrt(n_in), generator)

    def forward(self, inputs: Tensor, means: FixedMatrix) -> Tensor:
        """[n_entities, n_in] to [n_entities, n_out]."""
        return means @ (inputs @ self.weight) + self.bias


class NameChannel(Channel):
    """Two layers over the neighbours of fixed name vectors, with residuals.

    Args:
        names: Fixed vectors, [n_entities, n_in].
        means: Mean over neighbours without the entity itself, [n_entities, n_entities].
        dim: Columns of the output.
        generator: CPU generator of the initial values.
    """

    normalised = False

    def __init__(
        self, names: Tensor, means: FixedMatrix, dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._names, self._means = names, means
        self.first = MeanLayer(names.shape[1], dim, generator)
        self.residual = glorot_uniform(names.shape[1], dim, generator)
        self.second = MeanLayer(dim, dim, generator)

    def forward(self) -> Tensor:
        """Vectors of any length."""
        hidden = relu(self.first(self._names, self._means)) + self._names @ self.residual
        found: Tensor = self.second(hidden, self._means) + hidden
        return found


class StructureChannel(Channel):
    """A trained table, a mean with a ReLU, and a layer.

    Args:
        means: Mean over neighbours and the entity itself, [n_entities, n_entities].
        dim: Columns.
        generator: CPU generator of the initial values.
    """

    def __init__(self, means: FixedMatrix, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self._means = means
        self.table = entity_table(means, dim, generator)
        self.layer = MeanLayer(dim, dim, generator)

    def forward(self) -> Tensor:
        """Vectors of unit length."""
        return normalize(self.layer(relu(self._means @ self.table), self._means), dim=1)


class ValueChannel(Channel):
    """Attention of entities to their attributes and values, and a layer with a residual.

    ``h_i = ELU(e_i + sum_k alpha_ik [a_k || v_k] W)`` with ``alpha`` the softmax over the entity's
    attributes of ``LeakyReLU(u . [e_i || a_k] + b)``.

    Args:
        values: The channel's attribute triples.
        texts: Fixed vectors of distinct values, [n_texts, n_in].
        text_of: Row of the value of each triple, [n_triples].
        means: Mean over neighbours and the entity itself, [n_entities, n_entities].
        dim: Columns.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        values: AttributeValues,
        texts: Tensor,
        text_of: Tensor,
        means: FixedMatrix,
        dim: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        device = means.pattern.device
        self._means, self._texts = means, texts.to(device)
        order = np.argsort(values.entities, kind="stable")
        attributes, ids = np.unique(values.attributes[order], return_inverse=True)
        shape = (means.pattern.shape[0], len(order))
        self._held = SparsePattern(values.entities[order], np.arange(len(order)), shape, device)
        self._attributes = torch.from_numpy(ids.reshape(-1)).to(device)
        self._text_of = text_of[torch.from_numpy(order)].to(device)
        self.entities = entity_table(means, dim, generator)
        n_rows = len(attributes)
        self.attributes = uniform_parameter((n_rows, dim), math.sqrt(6 / (n_rows + dim)), generator)
        self.ends = glorot_uniform(2 * dim, 1, generator, (2, dim))
        self.shift = uniform_parameter((1,), 1 / math.sqrt(2 * dim), generator)
        self.weight = glorot_uniform(dim + texts.shape[1], dim, generator)
        self.layer = MeanLayer(dim, dim, generator)

    def forward(self) -> Tensor:
        """Vectors of unit length."""
        hidden = self.described()
        return normalize(self.layer(hidden, self._means) + hidden, dim=1)

    def described(self) -> Tensor:
        """Entities with what their attributes and values say, ``h``, [n_entities, dim]."""
        dim = self.attributes.shape[1]
        of_entities, of_attributes = self.entities @ self.ends[0], self.attributes @ self.ends[1]
        scores = of_entities[self._held.rows] + of_attributes[self._attributes] + self.shift
        shares = self._held.row_softmax(leaky_relu(scores, _LEAKY_SLOPE))
        # The product runs over attributes and distinct values, of which there are fewer.
        said = (self.attributes @ self.weight[:dim]).index_select(0, self._attributes)
        said = said + (self._texts @ self.weight[dim:]).index_select(0, self._text_of)
        return elu(self.entities + self._held.product(shares, said))


def entity_table(means: FixedMatrix, dim: int, generator: torch.Generator) -> nn.Parameter:
    """A row for every entity, Glorot-uniform as one matrix of both graphs, [n_entities, dim]."""
    n_rows = means.pattern.shape[0]
    return uniform_parameter((n_rows, dim), math.sqrt(6 / (n_rows + dim)), generator)
