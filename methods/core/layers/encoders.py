"""Graph encoders over the union of both KGs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import elu, leaky_relu, relu

from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.single_precision import in_single

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
        attended: Tensor = _DiagonalAttention.apply(  # type: ignore[no-untyped-call]
            inputs, self.weight, self.attention, wanted, rows, (self.sign, self.merge)
        )
        return attended


class _DiagonalAttention(torch.autograd.Function):
    """All heads with their gradients in closed form: a third of the passes over all entities."""

    @staticmethod
    @in_single
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        attention: Tensor,
        wanted: SparsePattern,
        rows: Tensor | None,
        form: tuple[int, str],
    ) -> Tensor:
        (sign, merge), inputs = form, inputs.contiguous()
        shares, slopes, means = [], [], []
        # w and a are both diagonal-like, so the logits need no copy of the weighted inputs.
        all_ends = inputs @ (attention * weight.unsqueeze(1)).flatten(0, 1).T  # [n, 2 n_heads]
        for ends in torch.split(all_ends, 2, dim=1):
            towards = ends[:, 0] if rows is None else ends[rows, 0]
            logits = towards.index_select(0, wanted.rows)
            logits += ends[:, 1].index_select(0, wanted.columns)
            edge_weights = torch.exp(sign * leaky_relu(logits, _LEAKY_SLOPE))
            total = wanted.row_sums(edge_weights)
            shares.append(edge_weights.div_(total.index_select(0, wanted.rows)))
            slopes.append(torch.where(logits > 0, float(sign), sign * _LEAKY_SLOPE).to(inputs))
            means.append(wanted.times(shares[-1], inputs))
        ctx.wanted, ctx.rows, ctx.merge, ctx.n_heads = wanted, rows, merge, len(weight)
        ctx.save_for_backward(inputs, weight, attention, *shares, *slopes, *means)
        if merge == "concat":
            return torch.cat([mean * own for mean, own in zip(means, weight, strict=True)], dim=1)
        merged = means[0] * (weight[0] / len(means))
        for mean, own in zip(means[1:], weight[1:], strict=True):
            merged.addcmul_(mean, own / len(means))
        return merged

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, attention, *kept = ctx.saved_tensors
        wanted: SparsePattern = ctx.wanted
        n_heads, rows = ctx.n_heads, ctx.rows
        shares, slopes, means = (kept[n : n + n_heads] for n in range(0, len(kept), n_heads))
        gradient = gradients[0] / n_heads if ctx.merge == "mean" else gradients[0]
        parts = torch.split(gradient, weight.shape[1], dim=1) if ctx.merge == "concat" else None
        to_inputs, to_weight = torch.zeros_like(inputs), torch.zeros_like(weight)
        to_ends = inputs.new_zeros(len(inputs), 2 * n_heads)
        for head, own in enumerate(weight):
            part = gradient if parts is None else parts[head]
            by_mean = part * means[head]
            to_weight[head] = by_mean.sum(dim=0)
            inner = by_mean @ own  # of the gradient and the mean of each row
            part = part * own
            to_logits = wanted.sampled_product(part, inputs)
            to_logits -= inner.index_select(0, wanted.rows)
            to_logits *= shares[head] * slopes[head]
            to_rows = wanted.row_sums(to_logits)
            if rows is None:
                to_ends[:, 2 * head] = to_rows
            else:
                to_ends[:, 2 * head].index_add_(0, rows, to_rows)
            to_ends[:, 2 * head + 1].index_add_(0, wanted.columns, to_logits)
            to_inputs += wanted.transposed_times(shares[head], part)
        to_inputs.addmm_(to_ends, (attention * weight.unsqueeze(1)).flatten(0, 1))
        to_products = (to_ends.T @ inputs).view_as(attention)
        to_weight += (to_products * attention).sum(dim=1)
        return to_inputs, to_weight, to_products * weight.unsqueeze(1), None, None, None


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
