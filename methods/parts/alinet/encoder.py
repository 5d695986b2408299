"""AliNet's layers: convolution at one hop, attention at two hops, and the gate between them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm, relu

from mmea_bench.methods.core.layers.graph_layers import GCNLayer, attended, glorot_uniform
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.core.single_precision import in_single

_BATCH_EPSILON = 1e-3
"""Keras' epsilon of batch normalisation."""


class AliNetEncoder(nn.Module):
    """The input table and two layers: gated one- and two-hop neighbours, then one hop alone.

    Batch normalisation has no parameter and no memory: it uses the statistics of all entities in
    training and does nearly nothing afterwards, since the released code makes it anew at each call.
    Neither convolution nor attention has an activation there.

    Args:
        n_entities: Rows of the table.
        dims: Columns of the input and of the two layers.
        rate: Drop-out of the attention's scores and of the gate.
        generator: CPU generator of the initial values, Glorot-uniform.
        draws: CPU generator of the drop-out.
    """

    def __init__(
        self,
        n_entities: int,
        dims: tuple[int, int, int],
        rate: float,
        generator: torch.Generator,
        draws: torch.Generator,
    ) -> None:
        super().__init__()
        n_in, n_hidden, n_out = dims
        self.table = glorot_uniform(n_entities, n_in, generator)
        # In training the batch normalisation takes its bias away again; what rounding makes of it
        # counts in evaluation, which does not normalise.
        self.near = GCNLayer(n_in, n_hidden, generator)
        self.far = TwoHopAttention(n_in, n_hidden, rate, generator, draws)
        self.gate = glorot_uniform(n_hidden, n_hidden, generator)
        self.last = GCNLayer(n_hidden, n_out, generator)
        self._rate, self._draws = rate, draws

    def forward(self, one_hop: FixedMatrix, two_hop: FixedMatrix) -> list[Tensor]:
        """Unit vectors of the table and of both layers, [n_entities, dim] each.

        Args:
            one_hop: Normalised adjacency, [n_entities, n_entities].
            two_hop: That of two-hop neighbours.
        """
        is_training = self.training
        scaled = batch_normalised(self.table, is_training=is_training)
        near = self.near(scaled if is_training else self.table, one_hop)
        far = batch_normalised(self.far(scaled, two_hop), is_training=is_training)
        near = batch_normalised(near, is_training=is_training)
        gate = torch.tanh(far @ self.gate)
        if is_training:
            gate = dropped(gate, self._rate, self._draws)
        hidden = torch.tanh(torch.lerp(near, far, relu(gate).to(near.dtype)))
        last = batch_normalised(hidden, is_training=True) if is_training else hidden
        return [unit_rows(each) for each in (self.table, hidden, self.last(last, one_hop))]


class TwoHopAttention(nn.Module):
    """Mean of the two-hop neighbours' ``x W``, weighted by scalars of both ends.

    An edge has the logit ``LeakyReLU(a_ij (c1_i + c2_j))`` with ``c = tanh(x M x^T)``, each a
    number per entity.

    Args:
        n_in: Columns of the input.
        n_out: Columns of the output.
        rate: Drop-out of ``c1`` and ``c2``.
        generator: CPU generator of the initial values, Glorot-uniform.
        draws: CPU generator of the drop-out.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rate: float,
        generator: torch.Generator,
        draws: torch.Generator,
    ) -> None:
        super().__init__()
        self.own = glorot_uniform(n_in, n_in, generator)
        self.others = glorot_uniform(n_in, n_in, generator)
        self.weight = glorot_uniform(n_in, n_out, generator)
        self._rate, self._draws = rate, draws

    def forward(self, inputs: Tensor, two_hop: FixedMatrix) -> Tensor:
        """[n_entities, n_in] to [n_entities, n_out]."""
        own, others = (self._scalars(inputs, matrix) for matrix in (self.own, self.others))
        pattern = two_hop.pattern
        ends = own.index_select(0, pattern.rows) + others.index_select(0, pattern.columns)
        return attended(pattern, two_hop.values * ends, inputs @ self.weight)

    def _scalars(self, inputs: Tensor, matrix: Tensor) -> Tensor:
        """``tanh(x M x^T)`` of every row with drop-out, [n]; dropped ones are not computed."""
        if not self.training:
            return torch.tanh(quadratic_forms(inputs, matrix))
        drawn = torch.rand(len(inputs), generator=self._draws)
        kept = (drawn >= self._rate).nonzero().squeeze(1).to(inputs.device)
        found = torch.tanh(quadratic_forms(inputs.index_select(0, kept), matrix))
        return inputs.new_zeros(len(inputs)).index_copy(0, kept, found / (1 - self._rate))


def quadratic_forms(rows: Tensor, matrix: Tensor) -> Tensor:
    """``x M x^T`` of each row, [n].

    Args:
        rows: [n, dim].
        matrix: ``M``, [dim, dim].
    """
    # A quadratic form reads the symmetric part alone, and that needs one product for its gradient.
    found: Tensor = _QuadraticForms.apply(rows, (matrix + matrix.T) / 2)  # type: ignore[no-untyped-call]
    return found


class _QuadraticForms(Function):
    """With a symmetric matrix, and gradients of the rows alone that a saturated tanh leaves any."""

    @staticmethod
    @in_single
    def forward(ctx: Any, rows: Tensor, matrix: Tensor) -> Tensor:
        products = rows @ matrix
        ctx.save_for_backward(rows, products)
        return (products * rows).sum(dim=1)

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, products = ctx.saved_tensors
        reached = gradients[0].nonzero().squeeze(1)
        slopes = gradients[0].index_select(0, reached).unsqueeze(1)
        chosen = rows.index_select(0, reached)
        of_rows = torch.zeros_like(rows)
        of_rows.index_copy_(0, reached, 2 * slopes * products.index_select(0, reached))
        return of_rows, chosen.T @ (slopes * chosen)


def batch_normalised(vectors: Tensor, *, is_training: bool) -> Tensor:
    """Columns with the mean 0 and the variance 1 in training; else as they are, nearly."""
    if is_training:
        return batch_norm(vectors, None, None, training=True, eps=_BATCH_EPSILON)
    return vectors / math.sqrt(1 + _BATCH_EPSILON)


def dropped(values: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Drop-out whose mask is drawn from a CPU generator.

    Args:
        values: Any shape.
        rate: Share that becomes zero; the others grow by ``1 / (1 - rate)``.
        generator: On the CPU.
    """
    kept = torch.rand(values.shape, generator=generator) >= rate
    return values * (kept.to(values.device) / (1 - rate))
