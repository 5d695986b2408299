"""Graph encoders over the union of both KGs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, leaky_relu, relu

from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

_LEAKY_SLOPE = 0.2


def uniform_parameter(
    shape: tuple[int, ...], bound: float, generator: torch.Generator
) -> nn.Parameter:
    """A parameter drawn uniformly from [-bound, bound]."""
    return nn.Parameter((torch.rand(shape, generator=generator) * 2 - 1) * bound)


def normal_parameter(
    shape: tuple[int, ...], std: float, generator: torch.Generator
) -> nn.Parameter:
    """A parameter drawn from a normal distribution with mean 0."""
    return nn.Parameter(torch.randn(shape, generator=generator) * std)


class Linear(nn.Module):
    """Affine map with the library's default initialisation, drawn from a given generator.

    Args:
        n_in: Columns of the input.
        n_out: Columns of the output.
        generator: CPU generator of the initial values.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(1, n_in))
        self.weight = uniform_parameter((n_in, n_out), bound, generator)
        self.bias = uniform_parameter((n_out,), bound, generator)

    def forward(self, features: Tensor | FixedMatrix) -> Tensor:
        """[n, n_in], dense or sparse, to [n, n_out]."""
        return features @ self.weight + self.bias


NewLayer = Callable[[int, int, torch.Generator], Linear]
"""Makes an affine map of so many columns in and out; ``Linear`` and ``xavier_linear`` do."""


class GCN(nn.Module):
    """Two layers of ``A X W + b`` with a ReLU between them (EVA's structure encoder).

    Args:
        dims: Input, hidden and output columns.
        generator: CPU generator of the initial values, U(-1/sqrt(n_out), 1/sqrt(n_out)).
    """

    def __init__(self, dims: tuple[int, int, int], generator: torch.Generator) -> None:
        super().__init__()
        n_in, n_hidden, n_out = dims
        self.weight1 = uniform_parameter((n_in, n_hidden), 1 / math.sqrt(n_hidden), generator)
        self.bias1 = uniform_parameter((n_hidden,), 1 / math.sqrt(n_hidden), generator)
        self.weight2 = uniform_parameter((n_hidden, n_out), 1 / math.sqrt(n_out), generator)
        self.bias2 = uniform_parameter((n_out,), 1 / math.sqrt(n_out), generator)

    def forward(self, inputs: Tensor, adjacency: FixedMatrix, last: FixedMatrix) -> Tensor:
        """Structure vectors of the rows of ``last``.

        Args:
            inputs: [n_entities, n_in].
            adjacency: Normalised adjacency, [n_entities, n_entities].
            last: The rows of it that are wanted, [n_wanted, n_entities]; ``adjacency`` for all.

        Returns:
            [n_wanted, n_out].
        """
        hidden = relu(adjacency @ (inputs @ self.weight1) + self.bias1)
        return last @ (hidden @ self.weight2) + self.bias2


class DiagonalGATLayer(nn.Module):
    """Graph attention with one diagonal weight per head.

    With ``g_i = w_k * x_i`` an edge weighs ``exp(s LeakyReLU(a_k . [g_i || g_j]))`` and a node
    becomes the weighted mean of its neighbours' ``g``. The released MCLEA code has ``s = -1`` and
    averages its heads; its paper (equation 2) has ``s = +1`` and concatenates them.

    Args:
        dim: Columns of input (and of each head).
        n_heads: Number of heads.
        sign: ``s``.
        merge: How heads are merged.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        sign: Literal[-1, 1],
        merge: Literal["mean", "concat"],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.sign, self.merge, self.n_heads, self.dim = sign, merge, n_heads, dim
        self.weight = nn.Parameter(torch.ones(n_heads, dim))
        bound = 1 / math.sqrt(2 * dim)
        self.attention = uniform_parameter((n_heads, 2, dim), bound, generator)

    @property
    def n_out(self) -> int:
        """Columns of the output."""
        return self.dim if self.merge == "mean" else self.dim * self.n_heads

    def forward(self, inputs: Tensor, wanted: SparsePattern, rows: Tensor | None = None) -> Tensor:
        """Attended vectors of some nodes.

        Args:
            inputs: [n_entities, dim].
            wanted: Edges into the wanted nodes, [n_wanted, n_entities].
            rows: Node of each wanted row; None if all nodes are wanted.

        Returns:
            [n_wanted, n_out].
        """
        heads = []
        for weight, attention in zip(self.weight, self.attention, strict=True):
            # w and a are both diagonal-like, so the logits need no copy of the weighted inputs.
            ends = inputs @ (attention * weight).T  # [n_entities, 2]
            towards = ends[:, 0] if rows is None else ends[rows, 0]
            logits = leaky_relu(towards[wanted.rows] + ends[wanted.columns, 1], _LEAKY_SLOPE)
            edge_weights = torch.exp(self.sign * logits)
            total = wanted.row_sums(edge_weights).unsqueeze(1)
            heads.append(wanted.product(edge_weights, inputs) / total * weight)
        return torch.stack(heads).mean(dim=0) if self.merge == "mean" else torch.cat(heads, dim=1)


class DiagonalGAT(nn.Module):
    """Layers of diagonal graph attention (MCLEA's structure encoder).

    Args:
        dim: Columns of the input.
        n_heads: Heads of each layer.
        sign: Sign of the attention logits, see ``DiagonalGATLayer``.
        merge: How heads are merged.
        last_activation: Whether a ReLU follows every layer (paper), instead of an ELU between
            layers only (released code).
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        dim: int,
        n_heads: tuple[int, ...],
        sign: Literal[-1, 1],
        merge: Literal["mean", "concat"],
        generator: torch.Generator,
        *,
        last_activation: bool,
    ) -> None:
        super().__init__()
        layers = []
        for heads in n_heads:
            layers.append(DiagonalGATLayer(dim, heads, sign, merge, generator))
            dim = layers[-1].n_out
        self.layers = nn.ModuleList(layers)
        self.n_out = dim
        self._last_activation = last_activation

    def forward(
        self, inputs: Tensor, pattern: SparsePattern, wanted: SparsePattern, rows: Tensor | None
    ) -> Tensor:
        """Structure vectors of the wanted nodes, [n_wanted, n_out].

        Args:
            inputs: [n_entities, dim].
            pattern: All edges, self-loops included.
            wanted: Edges into the wanted nodes; ``pattern`` for all.
            rows: Node of each wanted row; None for all.
        """
        vectors = inputs
        for layer in self.layers[:-1]:
            vectors = layer(vectors, pattern)
            vectors = relu(vectors) if self._last_activation else elu(vectors)
        vectors = self.layers[-1](vectors, wanted, rows)
        return relu(vectors) if self._last_activation else vectors


def xavier_normal(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Glorot's normal initial values of a matrix."""
    values: Tensor = nn.init.xavier_normal_(torch.empty(shape), generator=generator)
    return values


def xavier_linear(n_in: int, n_out: int, generator: torch.Generator) -> Linear:
    """An affine map with Glorot's normal weights and the library's default bias."""
    layer = Linear(n_in, n_out, generator)
    layer.weight = nn.Parameter(xavier_normal((n_in, n_out), generator))
    return layer
