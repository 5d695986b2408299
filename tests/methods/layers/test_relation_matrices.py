"""Matrices in which relations count, against matrices written down cell by cell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.relation_matrices import (
    inverse_frequency_adjacency,
    relation_means,
    underweighted_adjacency,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from tests.methods.small_graphs import small_view


@pytest.fixture
def graph() -> JointGraph:
    """Triples 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-r->4."""
    return JointGraph.of(small_view())


def dense(matrix: FixedMatrix) -> Tensor:
    return matrix.forward_matrix.to_dense()


def test_parallel_triples_count_in_degrees_and_not_in_edges(graph: JointGraph) -> None:
    matrix = dense(underweighted_adjacency(graph))
    # Degrees by triples, itself included: 4, 3, 2, 2, 2.
    assert float(matrix[0, 1]) == pytest.approx(1 / math.sqrt(4 * 3))
    assert float(matrix[0, 2]) == pytest.approx(1 / math.sqrt(4 * 2))
    assert float(matrix[0, 0]) == pytest.approx(1 / 4)
    assert float(matrix[0].sum()) < float(matrix[3].sum())


def test_rare_relations_weigh_more_where_frequency_counts(graph: JointGraph) -> None:
    # Ten directed triples; r has three in either direction, s two.
    expected = torch.zeros(5, 5)
    for head, n, tail in ((0, 3, 1), (1, 3, 0), (0, 2, 2), (2, 2, 2), (3, 3, 4)):
        expected[head, tail] += math.log(10 / n)
        expected[tail, head] += math.log(10 / n)
    expected += math.log(10 / 5) * torch.eye(5)
    torch.testing.assert_close(dense(inverse_frequency_adjacency(graph)), expected)


def test_relations_are_means_of_their_distinct_heads_and_tails(graph: JointGraph) -> None:
    heads, tails = (dense(matrix) for matrix in relation_means(graph))
    third = pytest.approx(1 / 3)
    assert heads.tolist() == [[third, third, 0, third, 0], [0.5, 0, 0.5, 0, 0]]
    assert tails.tolist() == [[third, third, 0, 0, third], [0, 0, 1, 0, 0]]
