"""Relation-reflection attention equals the formula written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.reflection import (
    EndReflectionLayer,
    ReflectionGraph,
    ReflectionLayer,
    relation_table,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from tests.methods.small_graphs import small_view

N, DIM, RELATIONS = 9, 5, 3


def random_graph(n_entities: int = N, n_triples: int = 30) -> JointGraph:
    """A graph with parallel edges and self-links; its last entity is isolated."""
    random = np.random.default_rng(0)
    ends = random.integers(0, n_entities - 1, size=(n_triples, 2))
    relations = random.integers(0, RELATIONS, size=n_triples)
    triples = np.stack([ends[:, 0], relations, ends[:, 1]], axis=1).astype(np.int64)
    return JointGraph(4, n_entities, RELATIONS, triples, 0, np.empty((0, 2), dtype=np.int64))


def relations_of_pairs(graph: JointGraph) -> dict[tuple[int, int], set[int]]:
    """Directed relations of every ordered pair, in plain Python."""
    found: dict[tuple[int, int], set[int]] = {}
    for head, relation, tail in graph.triples.tolist():
        found.setdefault((head, tail), set()).add(relation)
        found.setdefault((tail, head), set()).add(relation + graph.n_relations)
    return found


def pair_by_pair(graph: JointGraph, table: Tensor, query: Tensor, vectors: Tensor) -> Tensor:
    """The layer with every reflection matrix written out."""
    pairs = relations_of_pairs(graph)
    rows = []
    for node in range(graph.n_entities):
        messages, logits = [], []
        for (start, end), relations in pairs.items():
            if start != node:
                continue
            unit = normalize(table[sorted(relations)].mean(dim=0), dim=0)
            messages.append((torch.eye(DIM) - 2 * torch.outer(unit, unit)) @ vectors[end])
            logits.append(query @ unit)
        if messages:
            rows.append(torch.softmax(torch.stack(logits), dim=0) @ torch.stack(messages))
        else:
            rows.append(torch.zeros(DIM))
    return torch.stack(rows)


@pytest.fixture
def inputs() -> tuple[ReflectionLayer, Tensor, Tensor]:
    """A layer, a relation table and entity vectors."""
    generator = torch.Generator().manual_seed(0)
    layer = ReflectionLayer(DIM, generator)
    table = relation_table(RELATIONS, DIM, generator)
    return layer, table, torch.randn(N, DIM, generator=generator, requires_grad=True)


def test_layer_and_its_gradients_equal_the_formula(
    inputs: tuple[ReflectionLayer, Tensor, Tensor],
) -> None:
    layer, table, vectors = inputs
    graph = random_graph()
    reflections = ReflectionGraph.of(graph)
    result = layer(vectors, reflections.directions(table), reflections)
    plain = pair_by_pair(graph, table, layer.query, vectors)
    torch.testing.assert_close(result, plain)
    weights = torch.randn(N, DIM, generator=torch.Generator().manual_seed(1))
    wanted = (vectors, table, layer.query)
    gradients = torch.autograd.grad((result * weights).sum(), wanted)
    plain_gradients = torch.autograd.grad((plain * weights).sum(), wanted)
    for gradient, expected in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(gradient, expected)


def relation_by_relation(
    graph: JointGraph, table: Tensor, query: Tensor, vectors: Tensor
) -> Tensor:
    """Equations 10 to 12 of LoginMEA as printed: the sum runs over relations and neighbours."""
    rows = []
    for node in range(graph.n_entities):
        messages, logits = [], []
        for (start, end), relations in relations_of_pairs(graph).items():
            for relation in relations if start == node else ():
                unit = normalize(table[relation], dim=0)
                messages.append((torch.eye(DIM) - 2 * torch.outer(unit, unit)) @ vectors[end])
                logits.append(query @ unit)
        weights = torch.softmax(torch.stack(logits), dim=0) if logits else torch.zeros(0)
        rows.append(weights @ torch.stack(messages) if messages else torch.zeros(DIM))
    return torch.stack(rows)


def test_one_message_by_each_relation_equals_the_printed_equations(
    inputs: tuple[ReflectionLayer, Tensor, Tensor],
) -> None:
    layer, table, vectors = inputs
    graph = random_graph()
    assert any(len(relations) > 1 for relations in relations_of_pairs(graph).values())
    reflections = ReflectionGraph.of(graph, merged=False)
    result = layer(vectors, reflections.directions(table), reflections)
    plain = relation_by_relation(graph, table, layer.query, vectors)
    torch.testing.assert_close(result, plain)
    wanted = (vectors, table, layer.query)
    weights = torch.randn(N, DIM, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((result * weights).sum(), wanted)
    expected = torch.autograd.grad((plain * weights).sum(), wanted)
    for gradient, plain_gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, plain_gradient)
    rows = torch.tensor([5, 0, 8])
    some = layer(vectors, reflections.directions(table), reflections.restricted(rows))
    torch.testing.assert_close(some, result[rows])


def test_some_rows_equal_the_rows_of_all(inputs: tuple[ReflectionLayer, Tensor, Tensor]) -> None:
    layer, table, vectors = inputs
    reflections = ReflectionGraph.of(random_graph())
    directions = reflections.directions(table)
    rows = torch.tensor([5, 0, 8])
    some = layer(vectors, directions, reflections.restricted(rows))
    torch.testing.assert_close(some, layer(vectors, directions, reflections)[rows])


def test_an_isolated_entity_gets_zeros(inputs: tuple[ReflectionLayer, Tensor, Tensor]) -> None:
    layer, table, vectors = inputs
    reflections = ReflectionGraph.of(random_graph())
    result = layer(vectors, reflections.directions(table), reflections)
    assert not result[N - 1].any()


def test_large_logits_stay_finite(inputs: tuple[ReflectionLayer, Tensor, Tensor]) -> None:
    layer, table, vectors = inputs
    layer.query.data *= 1000
    reflections = ReflectionGraph.of(random_graph())
    result = layer(vectors, reflections.directions(table), reflections)
    torch.testing.assert_close(result, pair_by_pair(random_graph(), table, layer.query, vectors))


def one_neighbour_graph() -> JointGraph:
    """Every entity has exactly one neighbour, so a layer is one reflection per entity."""
    triples = np.array([(0, 0, 1), (2, 1, 3)], dtype=np.int64)
    return JointGraph(2, 4, 2, triples, 0, np.empty((0, 2), dtype=np.int64))


def test_a_reflection_keeps_lengths_and_distances() -> None:
    generator = torch.Generator().manual_seed(2)
    reflections = ReflectionGraph.of(one_neighbour_graph())
    directions = reflections.directions(relation_table(2, DIM, generator))
    layer = ReflectionLayer(DIM, generator)
    vectors = torch.randn(4, DIM, generator=generator)
    result = layer(vectors, directions, reflections)
    torch.testing.assert_close(result[[1, 0, 3, 2]].norm(dim=1), vectors.norm(dim=1))


def test_a_reflection_twice_is_the_identity() -> None:
    generator = torch.Generator().manual_seed(3)
    reflections = ReflectionGraph.of(one_neighbour_graph())
    one_direction = normalize(torch.randn(1, DIM, generator=generator), dim=1)
    directions = one_direction.expand(reflections.members.pattern.shape[0], -1)
    layer = ReflectionLayer(DIM, generator)
    vectors = torch.randn(4, DIM, generator=generator)
    twice = layer(layer(vectors, directions, reflections), directions, reflections)
    torch.testing.assert_close(twice, vectors)


def test_sets_of_the_small_graphs_by_hand() -> None:
    # Joint relations r = 0, s = 1, inverse r = 2, inverse s = 3; the pair (0, 1) carries r and,
    # because of 1-r->0, inverse r. Entity 2 is linked to itself by s.
    reflections = ReflectionGraph.of(JointGraph.of(small_view()))
    pairs = list(
        zip(reflections.pairs.rows.tolist(), reflections.pairs.columns.tolist(), strict=True)
    )
    assert pairs == [(0, 1), (0, 2), (1, 0), (2, 0), (2, 2), (3, 4), (4, 3)]
    members = reflections.members.forward_matrix.to_dense()
    expected = torch.tensor(
        [
            [0.5, 0, 0.5, 0],
            [0, 1, 0, 0],
            [0.5, 0, 0.5, 0],
            [0, 0, 0, 1],
            [0, 0.5, 0, 0.5],
            [1, 0, 0, 0],
            [0, 0, 1, 0],
        ]
    )
    torch.testing.assert_close(members[reflections.sets], expected)
    assert len(members) == 6


def test_no_tensor_of_pairs_times_dim_is_made() -> None:
    graph = random_graph(n_entities=40, n_triples=3000)
    reflections = ReflectionGraph.of(graph)
    n_pairs, dim = reflections.pairs.n_edges, 64
    generator = torch.Generator().manual_seed(4)
    layer, table = ReflectionLayer(dim, generator), relation_table(RELATIONS, dim, generator)
    vectors = torch.randn(40, dim, generator=generator, requires_grad=True)
    sizes: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        layer(vectors, reflections.directions(table), reflections).sum().backward()
    largest_allowed = dim * max(40, reflections.members.pattern.shape[0])
    assert largest_allowed < n_pairs * dim / 10
    assert max(sizes) <= largest_allowed


def test_inner_products_and_their_gradients_equal_dense() -> None:
    generator = torch.Generator().manual_seed(5)
    rows, columns = np.nonzero(np.random.default_rng(1).random((N, 4)) < 0.5)
    pattern = SparsePattern(rows, columns, (N, 4))
    row_vectors = torch.randn(N, DIM, generator=generator, requires_grad=True)
    column_vectors = torch.randn(4, DIM, generator=generator, requires_grad=True)
    weights = torch.randn(pattern.n_edges, generator=generator)
    result = pattern.inner_products(row_vectors, column_vectors)
    plain = (row_vectors @ column_vectors.T)[rows, columns]
    torch.testing.assert_close(result, plain)
    wanted = (row_vectors, column_vectors)
    gradients = torch.autograd.grad((result * weights).sum(), wanted)
    expected = torch.autograd.grad((plain * weights).sum(), wanted)
    for gradient, plain_gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, plain_gradient)


def test_row_softmax_equals_dense() -> None:
    rows, columns = np.nonzero(np.random.default_rng(1).random((N, 4)) < 0.5)
    pattern = SparsePattern(rows, columns, (N, 4))
    logits = torch.randn(pattern.n_edges, generator=torch.Generator().manual_seed(6))
    dense = torch.full((N, 4), -torch.inf).index_put((pattern.rows, pattern.columns), logits)
    expected = torch.softmax(dense, dim=1)[rows, columns]
    torch.testing.assert_close(pattern.row_softmax(logits), expected)


def test_fixed_matrix_of_a_dense_one_multiplies_alike() -> None:
    dense = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, -3.0], [0.0, 0.0, 0.0]])
    other = torch.randn(3, 4, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(FixedMatrix.of(dense) @ other, dense @ other)


def ends_pair_by_pair(graph: JointGraph, table: Tensor, kernel: Tensor, vectors: Tensor) -> Tensor:
    """RREA's layer with every message written out."""
    pairs = relations_of_pairs(graph)
    rows = []
    for node in range(graph.n_entities):
        messages, logits = [], []
        for (start, end), relations in pairs.items():
            if start == node:
                unit = normalize(table[sorted(relations)].mean(dim=0), dim=0)
                message = vectors[end] - 2 * (vectors[end] @ unit) * unit
                messages.append(message)
                logits.append(kernel.flatten() @ torch.cat([vectors[node], message, unit]))
        if messages:
            rows.append(torch.softmax(torch.stack(logits), dim=0) @ torch.stack(messages))
        else:
            rows.append(torch.zeros(DIM))
    return torch.stack(rows)


def test_attention_to_both_ends_equals_the_messages_written_out() -> None:
    graph, generator = random_graph(), torch.Generator().manual_seed(1)
    reflections = ReflectionGraph.of(graph)
    layer = EndReflectionLayer(DIM, generator)
    table = relation_table(RELATIONS, DIM, generator)
    fast, plain = (torch.randn(N, DIM, generator=generator),) * 2
    fast, plain = fast.clone().requires_grad_(), plain.clone().requires_grad_()
    found = layer(fast, reflections.directions(table), reflections)
    expected = ends_pair_by_pair(graph, table, layer.kernel, plain)
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad(vectors.square().sum(), (leaf, table, layer.kernel))
        for vectors, leaf in ((found, fast), (expected, plain))
    ]
    for quick, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(quick, slow, rtol=1e-4, atol=1e-5)
    wanted = torch.tensor([5, 0, 8])
    some = layer(fast, reflections.directions(table), reflections.restricted(wanted), wanted)
    torch.testing.assert_close(some, found[wanted])
