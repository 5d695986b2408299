"""AliNet's graphs, layers and losses against plain computations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.alinet import AliNet, AliNetParams
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.parts.alinet.encoder import (
    AliNetEncoder,
    TwoHopAttention,
    dropped,
    quadratic_forms,
)
from mmea_bench.methods.parts.alinet.losses import (
    RelationWindow,
    RelationWindows,
    alignment_loss,
    relation_loss,
    squared_distances,
)
from mmea_bench.methods.parts.alinet.neighbourhoods import (
    one_hop,
    two_hop,
    two_hop_pairs,
    with_copied_triples,
)
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")


def graph(n_source: int, n_entities: int, triples: list[tuple[int, int, int]]) -> JointGraph:
    rows = np.array(triples, dtype=np.int64).reshape(-1, 3)
    return JointGraph(n_source, n_entities, 4, rows, 0, np.empty((0, 2), dtype=np.int64))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


# Source entities 0-2, target entities 3-5; partners 0-3 and 1-4.
PAIRS = np.array([[0, 3], [1, 4]])


def test_a_triple_between_seeds_is_copied_to_the_other_kg() -> None:
    joint = graph(3, 6, [(0, 1, 1), (1, 0, 2)])
    copied = with_copied_triples(joint, PAIRS).triples.tolist()
    assert copied == [[0, 1, 1], [1, 0, 2], [3, 1, 4]]


def test_a_copy_is_left_out_where_an_edge_of_that_direction_exists() -> None:
    same_way = graph(3, 6, [(0, 1, 1), (3, 2, 4)])
    assert len(with_copied_triples(same_way, PAIRS).triples) == 2
    other_way = graph(3, 6, [(0, 1, 1), (4, 2, 3)])
    assert len(with_copied_triples(other_way, PAIRS).triples) == 4


def test_one_hop_normalises_edges_copies_and_loops() -> None:
    matrix = one_hop(graph(3, 6, [(0, 1, 1), (1, 0, 2)]), PAIRS, CPU).forward_matrix.to_dense()
    edges = [(0, 1), (1, 2), (3, 4)]
    plain = np.eye(6)
    for head, tail in edges:
        plain[head, tail] = plain[tail, head] = 1
    degree = plain.sum(axis=1)
    assert np.allclose(matrix.numpy(), plain / np.sqrt(np.outer(degree, degree)))


def brute_two_hop(triples: list[tuple[int, int, int]], n_dropped: int) -> set[tuple[int, int]]:
    edges = {(head, tail) for head, _, tail in triples}
    paths = [
        (a[0], b[2], (a[1], b[1]))
        for a, b in itertools.product(sorted(set(triples)), repeat=2)
        if a[2] == b[0] and (a[0], b[2]) not in edges
    ]
    counts: dict[tuple[int, int], int] = {}
    for *_, pattern in paths:
        counts[pattern] = counts.get(pattern, 0) + 1
    frequent = sorted(counts, key=lambda pattern: (-counts[pattern], pattern))[:n_dropped]
    return {(start, end) for start, end, pattern in paths if pattern not in frequent}


@pytest.mark.parametrize("n_dropped", [0, 1, 5])
def test_two_hop_pairs_are_those_of_plain_enumeration(n_dropped: int) -> None:
    rng = np.random.default_rng(4)
    drawn = np.stack([rng.integers(size, size=60) for size in (15, 3, 15)], axis=1)
    triples = [(int(h), int(r), int(t)) for h, r, t in drawn]
    found = two_hop_pairs(drawn, 15, n_dropped)
    assert {(int(h), int(t)) for h, t in found} == brute_two_hop(triples, n_dropped)


def test_two_hop_neighbours_are_undirected_with_loops() -> None:
    # 0 -> 1 -> 2 joins 0 and 2; 3 -> 4 -> 5 is shortened by 3 -> 5.
    joint = graph(3, 6, [(0, 0, 1), (1, 1, 2), (3, 0, 4), (4, 1, 5), (3, 2, 5)])
    matrix = two_hop(joint, 0, CPU).forward_matrix.to_dense()
    expected = torch.eye(6)
    expected[[0, 0, 2, 2], [0, 2, 0, 2]] = 0.5
    assert torch.allclose(matrix, expected)


def test_each_kg_drops_its_own_frequent_patterns() -> None:
    joint = graph(3, 6, [(0, 0, 1), (1, 1, 2), (3, 2, 4), (4, 3, 5)])
    assert two_hop(joint, 1, CPU).pattern.n_edges == 6


def test_quadratic_forms_equal_the_plain_product_with_gradients() -> None:
    rows = torch.randn(5, 4, generator=generator(), dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(4, 4, generator=generator(), dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, 0.0, -2.0, 0.5, 0.0], dtype=torch.float64)
    plain = torch.autograd.grad(
        (weights * torch.einsum("ni,ij,nj->n", rows, matrix, rows)).sum(), (rows, matrix)
    )
    ours = torch.autograd.grad((weights * quadratic_forms(rows, matrix)).sum(), (rows, matrix))
    assert torch.allclose(ours[0], plain[0])
    # The antisymmetric part of a matrix changes no form, and gets no gradient.
    assert torch.allclose(ours[1], plain[1])


def test_attention_weighs_two_hop_neighbours_by_scalars_of_both_ends() -> None:
    joint = graph(3, 3, [(0, 0, 1), (1, 1, 2)])
    attention = TwoHopAttention(4, 2, 0.5, generator(), generator()).eval()
    inputs = torch.randn(3, 4, generator=generator())
    own, others = (
        torch.tanh(torch.einsum("ni,ij,nj->n", inputs, matrix, inputs))
        for matrix in (attention.own, attention.others)
    )
    logits = 0.5 * (own[0] + others[[0, 2]])
    weights = torch.where(logits > 0, logits, 0.2 * logits).softmax(dim=0)
    expected = weights @ (inputs @ attention.weight)[[0, 2]]
    assert torch.allclose(attention(inputs, two_hop(joint, 0, CPU))[0], expected, atol=1e-6)


def test_half_of_the_scalars_are_dropped_in_training_and_the_others_doubled() -> None:
    attention = TwoHopAttention(4, 2, 0.5, generator(), generator())
    inputs = torch.randn(4000, 4, generator=generator())
    whole = torch.tanh(quadratic_forms(inputs, attention.own))
    found = attention._scalars(inputs, attention.own)
    kept = found != 0
    assert float(kept.float().mean()) == pytest.approx(0.5, abs=0.03)
    assert torch.allclose(found[kept], 2 * whole[kept], atol=1e-5)


def encoded(*, training: bool) -> tuple[AliNetEncoder, list[Tensor], list[Tensor]]:
    """An encoder without drop-out, its layers and those of a plain computation."""
    joint = graph(3, 6, [(0, 0, 1), (1, 1, 2), (3, 2, 4), (4, 3, 5)])
    encoder = AliNetEncoder(6, (5, 4, 3), 0.0, generator(), generator()).train(training)
    near, far = one_hop(joint, PAIRS, CPU), two_hop(joint, 0, CPU)
    with torch.no_grad():
        encoder.near.bias.uniform_(generator=generator())  # type: ignore[union-attr]

    def scaled(vectors: Tensor) -> Tensor:
        if not training:
            return vectors / math.sqrt(1.001)
        centred = vectors - vectors.mean(dim=0)
        return centred / (vectors.var(dim=0, correction=0) + 1e-3).sqrt()

    a, x = near.forward_matrix.to_dense(), encoder.table
    x1 = scaled(a @ (scaled(x) if training else x) @ encoder.near.weight + encoder.near.bias)
    x2 = scaled(encoder.far(scaled(x), far))
    gate = torch.tanh(x2 @ encoder.gate).clamp_min(0)
    hidden = torch.tanh((1 - gate) * x1 + gate * x2)
    last = a @ (scaled(hidden) if training else hidden) @ encoder.last.weight + encoder.last.bias
    return encoder, encoder(near, far), [normalize(each, dim=1) for each in (x, hidden, last)]


@pytest.mark.parametrize("training", [True, False])
def test_layers_are_those_of_the_formulas(training: bool) -> None:
    _, layers, expected = encoded(training=training)
    for ours, plain in zip(layers, expected, strict=True):
        assert torch.allclose(ours, plain, atol=1e-5)


def test_drop_out_keeps_the_mean() -> None:
    values = dropped(torch.ones(10_000), 0.5, generator())
    assert set(values.tolist()) == {0.0, 2.0}
    assert float(values.mean()) == pytest.approx(1, abs=0.05)


def unit_layers(n: int = 6) -> tuple[list[Tensor], Tensor]:
    """Unit vectors of two layers, and the unit vectors that they make side by side."""
    layers = [
        normalize(torch.randn(n, dim, generator=generator()), dim=1).requires_grad_()
        for dim in (3, 5)
    ]
    return layers, normalize(torch.cat(layers, dim=1), dim=1)


def test_distances_of_pairs_are_those_of_the_vectors_side_by_side() -> None:
    layers, joined = unit_layers()
    pairs = torch.tensor([[5, 0], [1, 2], [1, 2], [3, 3], [0, 5]])
    expected = (joined[pairs[:, 0]] - joined[pairs[:, 1]]).square().sum(dim=1)
    assert torch.allclose(squared_distances(layers, pairs), expected, atol=1e-6)


def test_negatives_cost_what_they_lack_of_the_margin() -> None:
    own, others = torch.tensor([0.5, 0.25]), torch.tensor([1.0, 2.0, 1.4])
    assert float(alignment_loss(own, others, 1.5, 0.1)) == pytest.approx(0.75 + 0.1 * 0.6)


def test_relation_loss_equals_the_sum_over_triples() -> None:
    layers, joined = unit_layers()
    window = RelationWindow(torch.tensor([[0, 0, 1], [2, 0, 3], [4, 1, 5], [4, 1, 5]]), 2)
    gaps = (joined[window.triples[:, 0]] - joined[window.triples[:, 2]]).view(2, 2, -1)
    relations = normalize(gaps.mean(dim=1), dim=1).unsqueeze(1)
    expected = (gaps - relations).square().sum()
    distances = squared_distances(layers, window.triples[:, [0, 2]])
    ours = relation_loss(layers, distances, window)
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for mine, plain in zip(
        torch.autograd.grad(ours, layers),
        torch.autograd.grad(expected, layers),
        strict=True,
    ):
        # Their own lengths are fixed: compared are the directions in which they can move.
        flat = [each - (each * x).sum(1, keepdim=True) * x for each, x in _beside(mine, plain)]
        assert torch.allclose(flat[0], flat[1], atol=1e-5)


def _beside(mine: Tensor, plain: Tensor) -> list[tuple[Tensor, Tensor]]:
    layers, _ = unit_layers()
    (layer,) = (each.detach() for each in layers if each.shape == mine.shape)
    return [(mine, layer), (plain, layer)]


def test_windows_hold_triples_of_each_relation_of_each_kg() -> None:
    joint = graph(3, 6, [(0, 0, 1), (1, 0, 2), (3, 0, 4), (4, 3, 5)])
    windows = RelationWindows(joint, 40, 0, 0, generator())
    drawn = windows.draw()
    assert windows.n_relations == 3  # name 0 in both KGs, name 3 in the target
    parts = [{(h, t) for h, _, t in part.tolist()} for part in drawn.triples.split(40)]
    assert parts == [{(0, 1), (1, 2)}, {(3, 4)}, {(4, 5)}]
    assert drawn.triples[:, 1].tolist() == sorted([0, 1, 2] * 40)


@pytest.mark.parametrize(("batch", "size"), [(4500, 1500), (5, 15), (6, 2)])
def test_window_is_a_batch_over_the_relations_and_fifteen_below_two(batch: int, size: int) -> None:
    joint = graph(3, 6, [(0, 0, 1), (3, 0, 4), (4, 3, 5)])
    assert RelationWindows(joint, 0, batch, 15, generator()).size == size


def test_labels_make_a_training_no_iterative_one() -> None:
    ctx = RunContext(1)
    params = AliNetParams(
        dims=(6, 5, 4), epochs=4, nearest_from=1, augment_start=1, refresh_every=1
    )
    AliNet(params).fit(small_view(), ctx)
    assert not ctx.log.is_iterative
