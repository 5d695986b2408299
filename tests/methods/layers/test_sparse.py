"""Sparse products and encoders equal their dense, plain versions, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import elu, leaky_relu

from mmea_bench.methods.core.layers import sparse
from mmea_bench.methods.core.layers.encoders import GCN, DiagonalGAT, DiagonalGATLayer
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

N = 12


@pytest.fixture
def edges() -> tuple[np.ndarray, np.ndarray]:
    mask = np.random.default_rng(0).random((N, N)) < 0.3
    np.fill_diagonal(mask, val=True)
    rows, columns = np.nonzero(mask)
    return rows, columns


def dense_attention(layer: DiagonalGATLayer, inputs: Tensor, mask: Tensor) -> list[Tensor]:
    """Attention written out on the full matrix, one head at a time."""
    heads = []
    for weight, attention in zip(layer.weight, layer.attention, strict=True):
        g = weight * inputs
        logits = leaky_relu((g @ attention[0])[:, None] + (g @ attention[1])[None, :], 0.2)
        e = torch.exp(layer.sign * logits) * mask
        heads.append(e @ g / e.sum(dim=1, keepdim=True))
    return heads


def test_product_and_its_gradients_equal_dense(edges: tuple[np.ndarray, np.ndarray]) -> None:
    generator = torch.Generator().manual_seed(1)
    pattern = SparsePattern(*edges, (N, N))
    values = torch.rand(pattern.n_edges, generator=generator, requires_grad=True)
    dense = torch.randn(N, 5, generator=generator, requires_grad=True)
    weights = torch.randn(N, 5, generator=generator)
    (pattern.product(values, dense) * weights).sum().backward()
    plain_values = values.detach().clone().requires_grad_()
    plain_dense = dense.detach().clone().requires_grad_()
    matrix = torch.zeros(N, N).index_put((pattern.rows, pattern.columns), plain_values)
    ((matrix @ plain_dense) * weights).sum().backward()
    torch.testing.assert_close(values.grad, plain_values.grad)
    torch.testing.assert_close(dense.grad, plain_dense.grad)


def test_products_some_columns_at_a_time_are_the_same_numbers(
    edges: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(4)
    pattern = SparsePattern(*edges, (N, N))
    matrix = FixedMatrix(pattern, torch.rand(pattern.n_edges, generator=generator))
    dense = torch.randn(N, 40, generator=generator)
    at_once = matrix @ dense
    monkeypatch.setattr(sparse, "_CACHED_NUMBERS", 1)
    assert torch.equal(matrix @ dense, at_once)


def test_fixed_product_of_some_rows_equals_dense(edges: tuple[np.ndarray, np.ndarray]) -> None:
    generator = torch.Generator().manual_seed(2)
    pattern = SparsePattern(*edges, (N, N))
    values = torch.rand(pattern.n_edges, generator=generator)
    matrix = torch.zeros(N, N).index_put((pattern.rows, pattern.columns), values)
    wanted = torch.tensor([7, 2, 9])
    dense = torch.randn(N, 5, generator=generator, requires_grad=True)
    (FixedMatrix(pattern, values).restricted(wanted) @ dense).square().sum().backward()
    plain = dense.detach().clone().requires_grad_()
    (matrix[wanted] @ plain).square().sum().backward()
    torch.testing.assert_close(dense.grad, plain.grad)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("merge", ["mean", "concat"])
def test_attention_equals_the_dense_formula(
    edges: tuple[np.ndarray, np.ndarray], sign: int, merge: str
) -> None:
    generator = torch.Generator().manual_seed(3)
    gat = DiagonalGAT(6, (2, 2), sign, merge, generator, last_activation=False)  # type: ignore[arg-type]
    for parameter in gat.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.5
    pattern = SparsePattern(*edges, (N, N))
    mask = torch.zeros(N, N)
    mask[pattern.rows, pattern.columns] = 1
    inputs = torch.randn(N, 6, generator=generator, requires_grad=True)
    rows = torch.tensor([1, 8, 3])
    wanted, _ = pattern.restricted(rows)
    some = gat(inputs, pattern, wanted, rows)
    some.square().sum().backward()
    gradients = [inputs.grad, *(parameter.grad for parameter in gat.parameters())]

    def merged(heads: list[Tensor]) -> Tensor:
        return torch.stack(heads).mean(dim=0) if merge == "mean" else torch.cat(heads, dim=1)

    plain = inputs.detach().clone().requires_grad_()
    for parameter in gat.parameters():
        parameter.grad = None
    first, second = gat.layers
    assert isinstance(first, DiagonalGATLayer)
    assert isinstance(second, DiagonalGATLayer)
    hidden = elu(merged(dense_attention(first, plain, mask)))
    expected = merged(dense_attention(second, hidden, mask))[rows]
    expected.square().sum().backward()
    torch.testing.assert_close(some, expected)
    plain_gradients = [plain.grad, *(parameter.grad for parameter in gat.parameters())]
    for gradient, plain_gradient in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(gradient, plain_gradient, rtol=1e-4, atol=1e-5)


def test_gcn_of_some_rows_equals_the_dense_formula(edges: tuple[np.ndarray, np.ndarray]) -> None:
    generator = torch.Generator().manual_seed(4)
    gcn = GCN((4, 5, 3), generator)
    pattern = SparsePattern(*edges, (N, N))
    values = torch.rand(pattern.n_edges, generator=generator)
    matrix = FixedMatrix(pattern, values)
    dense = torch.zeros(N, N).index_put((pattern.rows, pattern.columns), values)
    inputs = torch.randn(N, 4, generator=generator)
    wanted = torch.tensor([0, 5])
    hidden = torch.relu(dense @ inputs @ gcn.weight1 + gcn.bias1)
    expected = (dense @ hidden @ gcn.weight2 + gcn.bias2)[wanted]
    torch.testing.assert_close(gcn(inputs, matrix, matrix.restricted(wanted)), expected)
