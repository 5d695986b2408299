"""Sparse products and encoders equal their dense, plain versions, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import elu, leaky_relu

from mmea_bench.methods.core.layers.encoders import GCN, DiagonalGAT, DiagonalGATLayer
from mmea_bench.methods.core.layers.sparse import FixedMatrix, ForwardMatrix, SparsePattern

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


def test_a_product_without_gradients_is_left_out_of_autocast() -> None:
    """Sparse matrices have no product in bfloat16."""
    starts, columns = np.array([0, 2, 3]), np.array([0, 2, 1])
    matrix = ForwardMatrix(starts, columns, np.array([1.0, 2.0, 3.0]), 3, torch.device("cpu"))
    dense = torch.arange(6, dtype=torch.bfloat16).reshape(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = matrix @ dense
    torch.testing.assert_close(found, torch.tensor([[8.0, 11.0], [6.0, 9.0]]))


@pytest.mark.parametrize("rows", [[7, 2, 9], [2, 7, 2, 2], []], ids=["some", "repeated", "none"])
def test_fixed_product_of_some_rows_equals_dense(
    edges: tuple[np.ndarray, np.ndarray], rows: list[int]
) -> None:
    generator = torch.Generator().manual_seed(2)
    pattern = SparsePattern(*edges, (N, N))
    values = torch.rand(pattern.n_edges, generator=generator)
    matrix = torch.zeros(N, N).index_put((pattern.rows, pattern.columns), values)
    wanted = torch.tensor(rows, dtype=torch.int64)
    dense = torch.randn(N, 5, generator=generator, requires_grad=True)
    (FixedMatrix(pattern, values).restricted(wanted) @ dense).square().sum().backward()
    plain = dense.detach().clone().requires_grad_()
    (matrix[wanted] @ plain).square().sum().backward()
    torch.testing.assert_close(dense.grad, plain.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_edges", [0, 1, 30])
def test_either_kernel_gives_the_dense_product(dtype: torch.dtype, n_edges: int) -> None:
    generator = torch.Generator().manual_seed(4)
    cells = torch.randperm(N * 7, generator=generator)[:n_edges].sort().values
    pattern = SparsePattern((cells // 7).numpy(), (cells % 7).numpy(), (N, 7))
    values = torch.randn(n_edges, generator=generator, dtype=dtype)
    matrix = torch.zeros(N, 7, dtype=dtype).index_put((pattern.rows, pattern.columns), values)
    below, above = (torch.randn(n, 5, generator=generator, dtype=dtype) for n in (7, N))
    torch.testing.assert_close(pattern.times(values, below), matrix @ below)
    torch.testing.assert_close(pattern.transposed_times(values, above), matrix.T @ above)
    fixed = FixedMatrix(pattern, values)
    torch.testing.assert_close(fixed.times(below), matrix @ below)
    torch.testing.assert_close(fixed.transposed_times(above), matrix.T @ above)


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
