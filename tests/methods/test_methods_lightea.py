"""LightEA's propagation, third view and pseudo-labels, against loops over triples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers import label_propagation
from mmea_bench.methods.core.layers.label_propagation import (
    LabelGraph,
    propagated,
    random_labels,
    third_view,
    unit_rows,
    unit_side_by_side,
)
from mmea_bench.methods.core.layers.sparse import ForwardMatrix
from mmea_bench.methods.lightea import LightEA, LightEAParams
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")
SMALL = LightEAParams(dim=8, relation_dim=3, mini_dim=2, candidates=2, rounds=1)


def unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def directed_triples(graph: JointGraph) -> set[tuple[int, int, int]]:
    found = set()
    for head, relation, tail in graph.triples.tolist():
        found |= {(head, 2 * relation, tail), (tail, 2 * relation + 1, head)}
    return found


def plain_hops(graph: JointGraph, start: np.ndarray, n_hops: int) -> tuple[np.ndarray, np.ndarray]:
    """Hops side by side with unit rows, triple by triple."""
    triples = directed_triples(graph)
    entities, relations = [start], [np.zeros((2 * graph.n_relations, start.shape[1]))]
    for _ in range(n_hops):
        x, q = entities[-1], relations[-1]
        next_x, next_q = np.zeros_like(x), np.zeros_like(q)
        for head, _relation, tail in triples:
            next_x[head] += x[tail]
            next_x[head] += x[head]
            next_x[tail] += x[tail]
        for entity, relation in {(tail, relation) for _, relation, tail in triples}:
            next_x[entity] += q[relation]
        for relation, entity in {(relation, head) for head, relation, _ in triples}:
            next_q[relation] += x[entity]
        entities.append(unit(next_x))
        relations.append(unit(next_q))
    return unit(np.concatenate(entities, axis=1)), unit(np.concatenate(relations, axis=1))


def dense(matrix: ForwardMatrix) -> np.ndarray:
    return (matrix @ torch.eye(matrix.shape[1])).numpy()


def test_the_matrices_count_directed_triples_one_by_one() -> None:
    # Entity 1 is linked to itself, a triple comes twice, entity 3 stands in none.
    triples = np.array(
        [[0, 0, 1], [0, 1, 1], [0, 1, 1], [1, 0, 0], [1, 2, 1], [2, 1, 4], [4, 1, 2]]
    )
    graph = JointGraph(3, 5, 3, triples, 0, np.empty((0, 2), dtype=np.int64))
    found = LabelGraph.of(graph, CPU)
    entities, heads = np.zeros((5, 5)), np.zeros((6, 5))
    relations: dict[tuple[int, int], set[int]] = {}
    for head, relation, tail in directed_triples(graph):
        entities[head, tail] += 1
        entities[head, head] += 1
        entities[tail, tail] += 1
        heads[relation, head] = 1
        relations.setdefault((head, tail), set()).add(relation)
    tails = np.stack([heads[relation ^ 1] for relation in range(6)], axis=1)
    np.testing.assert_array_equal(dense(found.entities), entities)
    np.testing.assert_array_equal(dense(found.heads), heads)
    np.testing.assert_array_equal(dense(found.tails), tails)
    marks = np.zeros((len(relations), 6))
    for row, pair in enumerate(sorted(relations)):
        marks[row, list(relations[pair])] = 1
    np.testing.assert_array_equal(dense(found.pair_relations), marks)
    numbers = found.pairs.with_values(torch.arange(1.0, len(relations) + 1)).to_dense()
    for number, pair in enumerate(sorted(relations), start=1):
        assert numbers[pair] == number


def test_the_third_view_is_the_same_in_smaller_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = JointGraph.of(small_view())
    labels = LabelGraph.of(graph, CPU)
    hops = propagated(start_labels(graph), labels, 2)

    def view() -> torch.Tensor:
        generator = torch.Generator().manual_seed(2)
        return third_view(*hops, labels, (3, 2), RunContext(rng_seed=1), generator)

    at_once = view()
    monkeypatch.setattr(label_propagation, "_BLOCK_NUMBERS", 1)
    torch.testing.assert_close(view(), at_once, rtol=0, atol=1e-3)


def start_labels(graph: JointGraph, dim: int = 8) -> torch.Tensor:
    labels = torch.zeros(graph.n_entities, dim)
    vectors = unit_rows(2, dim, torch.Generator().manual_seed(1))
    labels[torch.tensor([0, 1])] = labels[torch.tensor([3, 4])] = vectors
    return labels


@pytest.mark.parametrize("n_hops", [0, 1, 2])
def test_hops_are_sums_over_triples(n_hops: int) -> None:
    graph = JointGraph.of(small_view())
    start = start_labels(graph)
    hops = propagated(start, LabelGraph.of(graph, CPU), n_hops)
    for found, expected in zip(
        hops, plain_hops(graph, start.double().numpy(), n_hops), strict=True
    ):
        np.testing.assert_allclose(torch.cat(found, dim=1).numpy(), expected, atol=1e-6)


def test_the_third_view_is_a_sum_over_pairs_column_by_column() -> None:
    graph = JointGraph.of(small_view())
    start = start_labels(graph)
    entities, relations = plain_hops(graph, start.double().numpy(), 2)
    generator = torch.Generator().manual_seed(2)
    projected = relations @ unit_rows(24, 3, generator).double().numpy()
    columns = []
    for column in range(3):
        own = entities @ unit_rows(24, 2, generator).double().numpy()
        summed = np.zeros((graph.n_entities, 2))
        for head, relation, tail in directed_triples(graph):
            summed[head] += projected[relation, column] * own[tail]
        columns.append(summed)
    labels = LabelGraph.of(graph, CPU)
    hops = propagated(start, labels, 2)
    again = torch.Generator().manual_seed(2)
    found = third_view(*hops, labels, (3, 2), RunContext(rng_seed=1), again)
    expected = unit(np.concatenate(columns, axis=1))
    np.testing.assert_allclose(found.float().numpy(), expected, atol=2e-3)  # half precision


def test_partners_start_with_one_random_unit_vector_and_others_with_none() -> None:
    found = random_labels(torch.tensor([[0, 3], [1, 4]]), (6, 8), torch.Generator().manual_seed(1))
    assert torch.equal(found[0], found[3])
    assert torch.equal(found[1], found[4])
    assert not torch.equal(found[0], found[1])
    expected = [1, 1, 0, 1, 1, 0]
    np.testing.assert_allclose(found.norm(dim=1).numpy(), expected, rtol=1e-6)


def test_an_entity_of_several_links_gets_the_label_of_its_last() -> None:
    found = random_labels(torch.tensor([[0, 3], [1, 3]]), (4, 8), torch.Generator().manual_seed(1))
    assert torch.equal(found[3], found[1])
    assert not torch.equal(found[3], found[0])


def test_parts_of_unit_rows_or_zeros_have_unit_rows_together() -> None:
    parts = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    found = unit_side_by_side([part.half() for part in parts]).float()
    expected = [[0.5**0.5, 0, 0, 0.5**0.5], [0, 0, 1, 0]]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_pairs_with_most_of_the_mass_become_labels_of_entities_that_had_none() -> None:
    # Entity 0 has a label; 1 and 2 agree with the targets 7 and 6 (joint ids); 3 and 4 are alike,
    # as are the targets 8 and 9, so that each of them has half of the mass of each.
    source = torch.eye(4)[[0, 1, 2, 3, 3]]
    target = torch.eye(4)[[0, 2, 1, 3, 3]]
    method = LightEA(LightEAParams(candidates=4))
    found = method._confident(Embeddings(source, target, "inner"), torch.tensor([[0, 5]]), 5)
    assert found.tolist() == [[1, 7], [2, 6]]


def test_later_rounds_are_told_as_iterative() -> None:
    ctx = RunContext(rng_seed=1)
    LightEA(LightEAParams(dim=8, relation_dim=3, rounds=2)).fit(small_view(), ctx)
    assert ctx.log.best_epoch == 2
    assert ctx.log.is_iterative == (ctx.log.first_pseudo_epoch == 2)
    assert not LightEA(SMALL).is_iterative
