"""Graph layers equal dense matrices and loops over nodes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import (
    EdgeScores,
    GATLayer,
    GCNLayer,
    HighwayGate,
    adjacency_matrix,
    attended,
    glorot_uniform,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from tests.methods.small_graphs import small_view

DENSE = torch.tensor([[1.0, 0.5, 0, 0], [0.5, 0, 2, 0], [0, 2, 1, 0.25], [0, 0, 0.25, 0]])
"""Weights of the edges of four nodes; the last node has one neighbour and no loop."""


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator()).requires_grad_()


def same_with_gradients(ours: Tensor, plain: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(ours, plain)
    weights = torch.linspace(-1, 1, ours.numel()).view(ours.shape)
    found = [
        torch.autograd.grad((out * weights).sum(), leaves, retain_graph=True)
        for out in (ours, plain)
    ]
    torch.testing.assert_close(found[0], found[1])


# Union graph of the small view: 0-1 by two triples, 0-2, 3-4; 2 is linked to itself.
COUNTS = [[0, 2, 1, 0, 0], [2, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]]


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("normalisation", ["none", "rows", "symmetric"])
def test_adjacency_equals_its_dense_formula(normalisation: Any, counts: bool, loops: bool) -> None:
    dense = np.array(COUNTS, dtype=float)
    dense = (dense if counts else np.minimum(dense, 1)) + (np.eye(5) if loops else 0)
    degrees = dense.sum(axis=1)
    expected = {
        "none": dense,
        "rows": dense / degrees[:, None],
        "symmetric": dense / np.sqrt(degrees[:, None] * degrees),
    }[normalisation]
    matrix = adjacency_matrix(
        JointGraph.of(small_view()), normalisation=normalisation, counts=counts, loops=loops
    )
    torch.testing.assert_close(matrix @ torch.eye(5), torch.tensor(expected).float())


@pytest.mark.parametrize("n_out", [2, 3, 5])
def test_convolution_with_a_full_weight(n_out: int) -> None:
    layer, inputs = GCNLayer(3, n_out, generator()), drawn(4, 3)
    assert layer.weight is not None
    assert layer.bias is not None
    nn.init.normal_(layer.bias, generator=generator())
    plain = DENSE @ inputs @ layer.weight + layer.bias
    leaves = [inputs, layer.weight, layer.bias]
    same_with_gradients(layer(inputs, FixedMatrix.of(DENSE)), plain, leaves)


def test_convolution_with_a_diagonal_weight_that_starts_at_one() -> None:
    layer, inputs = GCNLayer(3, 3, generator(), weight="diagonal", bias=False), drawn(4, 3)
    assert layer.weight is not None
    assert layer.weight.tolist() == [1.0, 1.0, 1.0]
    nn.init.normal_(layer.weight, generator=generator())
    plain = DENSE @ inputs @ torch.diag(layer.weight)
    same_with_gradients(layer(inputs, FixedMatrix.of(DENSE)), plain, [inputs, layer.weight])


def test_convolution_without_a_weight_has_no_parameters() -> None:
    layer, inputs = GCNLayer(3, 3, generator(), weight="none", bias=False), drawn(4, 3)
    assert list(layer.parameters()) == []
    same_with_gradients(layer(inputs, FixedMatrix.of(DENSE)), DENSE @ inputs, [inputs])
    with pytest.raises(ValueError, match="keeps 3 columns; 4 were asked for"):
        GCNLayer(3, 4, generator(), weight="none")


def dense_attention(inputs: Tensor, weight: Tensor, ends: Tensor, sign: int) -> Tensor:
    """One head, node by node."""
    hidden = inputs @ weight
    rows = []
    for node in range(4):
        neighbours = torch.nonzero(DENSE[node]).squeeze(1)
        scores = torch.stack([ends[0] @ hidden[node] + ends[1] @ hidden[j] for j in neighbours])
        shares = torch.softmax(sign * torch.where(scores > 0, scores, 0.2 * scores), dim=0)
        rows.append((shares.unsqueeze(1) * hidden[neighbours]).sum(dim=0))
    return torch.stack(rows)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("merge", ["mean", "concat"])
def test_attention_equals_going_node_by_node(merge: Any, sign: Any) -> None:
    layer, inputs = GATLayer(3, 2, 2, generator(), merge=merge, sign=sign), drawn(4, 3)
    heads = [
        dense_attention(inputs, weight, scores.ends, sign)
        for weight, scores in zip(layer.weights, layer.scores, strict=True)
    ]
    plain = torch.stack(heads).mean(dim=0) if merge == "mean" else torch.cat(heads, dim=1)
    assert layer.n_out == plain.shape[1]
    pattern = FixedMatrix.of(DENSE).pattern
    same_with_gradients(layer(inputs, pattern), plain, [inputs, *layer.parameters()])


def test_attention_of_some_nodes_equals_their_rows_of_all() -> None:
    layer, inputs, rows = GATLayer(3, 2, 2, generator()), drawn(4, 3), torch.tensor([2, 0])
    pattern = FixedMatrix.of(DENSE).pattern
    wanted, _ = pattern.restricted(rows)
    torch.testing.assert_close(layer(inputs, wanted, rows), layer(inputs, pattern)[rows])


def test_a_node_without_edges_attends_to_nothing() -> None:
    pattern = SparsePattern(np.array([0, 0]), np.array([0, 1]), (2, 2))
    values = torch.tensor([[1.0], [3.0]])
    out = attended(pattern, torch.tensor([0.0, math.log(3)]), values)
    assert out.flatten().tolist() == pytest.approx([(1 * 1 + 3 * 3) / 4, 0.0])


def test_edge_scores_start_within_a_bound_of_glorot_or_of_their_own() -> None:
    glorot, own = (EdgeScores(50, generator(), bound=bound).ends for bound in (None, 0.1))
    assert float(glorot.detach().abs().max()) == pytest.approx(math.sqrt(6 / 101), rel=0.1)
    torch.testing.assert_close(own, glorot * (0.1 / math.sqrt(6 / 101)))


def test_edge_scores_add_their_bias() -> None:
    scores = EdgeScores(2, generator(), bias=True)
    assert scores.bias is not None
    nn.init.constant_(scores.bias, 0.5)
    vectors, pattern = drawn(4, 2), FixedMatrix.of(DENSE).pattern
    ends = zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True)
    plain = [scores.ends[0] @ vectors[i] + scores.ends[1] @ vectors[j] + 0.5 for i, j in ends]
    torch.testing.assert_close(scores(vectors, pattern), torch.stack(plain))


def test_highway_gate_by_hand() -> None:
    gate = HighwayGate(2, generator())
    assert gate.bias.tolist() == [0.0, 0.0]
    nn.init.constant_(gate.bias, 0.3)
    new, old = drawn(3, 2), drawn(3, 2).detach().flip(0).requires_grad_()
    opening = 1 / (1 + torch.exp(-(old @ gate.kernel + gate.bias)))
    plain = opening * new + (1 - opening) * old
    same_with_gradients(gate(new, old), plain, [new, old, *gate.parameters()])


def test_a_highway_may_start_nearly_shut() -> None:
    gate = HighwayGate(2, generator(), bias=-1.0)
    nothing = torch.zeros(1, 2)
    opening = 1 / (1 + math.e)
    assert gate(torch.ones(1, 2), nothing).tolist() == [pytest.approx([opening] * 2)]


def test_glorot_values_fill_their_bounds() -> None:
    values = glorot_uniform(20, 40, generator())
    bound = math.sqrt(6 / 60)
    assert values.shape == (20, 40)
    assert 0.95 * bound < values.abs().max().item() <= bound
