"""Cross-entropy with rows of an adjacency, whose logits are as many as there are entities."""

from __future__ import annotations

from typing import Any

import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_single

_BLOCK_CELLS = 16_000_000
"""Logits in memory at a time: 64 MB."""


def adjacency_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: csr_matrix
) -> Tensor:
    """Mean of ``log(1 + e^z) - z t`` over all cells, with ``z = hidden @ weight + bias``.

    Equal to ``binary_cross_entropy_with_logits``, but the [n, n_entities] logits are made in blocks
    of rows, with their gradients, and dropped.

    Args:
        hidden: [n, dim].
        weight: [dim, n_entities].
        bias: [n_entities].
        targets: Rows of the adjacency, [n, n_entities].
    """
    loss: Tensor = _AdjacencyCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, targets
    )
    return loss


class _AdjacencyCrossEntropy(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: csr_matrix
    ) -> Tensor:
        n_rows, n_columns = len(hidden), weight.shape[1]
        scale, step = 1 / (n_rows * n_columns), max(1, _BLOCK_CELLS // n_columns)
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        to_bias, total = torch.zeros_like(bias), torch.zeros((), device=hidden.device)
        for first in range(0, n_rows, step):
            inputs, cells = hidden[first : first + step], targets[first : first + step].tocoo()
            rows, columns = (
                torch.from_numpy(each).long().to(hidden.device) for each in (cells.row, cells.col)
            )
            values = torch.from_numpy(cells.data).to(hidden)
            logits = torch.addmm(bias, inputs, weight)
            total -= torch.dot(logits[rows, columns], values)
            total += torch.nn.functional.softplus(logits).sum()
            gradients = logits.sigmoid_().index_put_((rows, columns), -values, accumulate=True)
            gradients *= scale
            torch.mm(gradients, weight.T, out=to_hidden[first : first + step])
            to_weight.addmm_(inputs.T, gradients)
            to_bias += gradients.sum(dim=0)
        ctx.save_for_backward(to_hidden, to_weight, to_bias)
        return total * scale

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        to_hidden, to_weight, to_bias = (gradients[0] * each for each in ctx.saved_tensors)
        return to_hidden, to_weight, to_bias, None
