"""HMAN's aspects, against values by hand and plain formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import attribute_bags, relation_counts
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.hman import HMAN, counting_adjacency
from tests.methods.small_graphs import small_view

SMALL = {"structure_dim": 6, "bag_dim": 4, "n_top": 3}


def graph() -> JointGraph:
    return JointGraph.of(small_view())


def aspects(modality: str, **further: object) -> torch.nn.Module:
    method = HMAN.configure("hman", overrides={**SMALL, **further})
    (found,) = method.aspects(graph(), (modality,), RunContext(rng_seed=1))
    return found


def test_edges_count_triples_and_a_loop_counts_twice() -> None:
    matrix = counting_adjacency(graph()).forward_matrix.to_dense()
    # 0-r->1, 1-r->0, 0-s->2, 2-s->2, 3-r->4: rows sum to 4, 3, 4, 2, 2.
    counts = torch.tensor(
        [[1, 2, 1, 0, 0], [2, 1, 0, 0, 0], [1, 0, 3, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    )
    scale = torch.tensor([4.0, 3.0, 4.0, 2.0, 2.0]).rsqrt()
    torch.testing.assert_close(matrix, scale[:, None] * counts * scale)


def test_structure_passes_two_diagonal_convolutions() -> None:
    aspect, matrix = aspects("structure"), counting_adjacency(graph()).forward_matrix.to_dense()
    first, second = (layer.weight for layer in aspect.layers)
    with torch.no_grad():
        first.mul_(torch.arange(6.0))
        second.mul_(2)
    table = normalize(aspect.table, dim=1)
    expected = matrix @ (relu(matrix @ (table * torch.arange(6.0))) * 2)
    torch.testing.assert_close(aspect(), expected)


@pytest.mark.parametrize("modality", ["attribute", "relation"])
def test_bags_pass_a_gate_that_is_nearly_closed_and_see_no_neighbour(modality: str) -> None:
    bags = (attribute_bags if modality == "attribute" else relation_counts)(graph(), 3)
    aspect = aspects(modality)
    hidden = relu(bags @ aspect.weight + aspect.bias)
    passed = torch.sigmoid(hidden @ aspect.gate.kernel - 1)
    candidate = hidden @ aspect.candidate + aspect.candidate_bias  # without an activation
    torch.testing.assert_close(aspect(), passed * candidate + (1 - passed) * hidden)


def test_man_propagates_bags() -> None:
    aspect, matrix = aspects("relation", propagated=True), counting_adjacency(graph())
    dense = matrix.forward_matrix.to_dense()
    bags = relation_counts(graph(), 3)
    assert bags[2].tolist() == [0, 3, 0]  # raw counts: 0-s->2, and 2-s->2 at both ends
    expected = dense @ relu(dense @ bags @ aspect.weight)
    torch.testing.assert_close(aspect(), expected)


def test_aspects_stand_side_by_side_with_unit_length() -> None:
    method = HMAN.configure("hman", overrides={**SMALL, "epochs": 2, "n_negatives": 3})
    found = method.fit(small_view(), RunContext(rng_seed=1))
    assert found.source.shape == (3, 6 + 4 + 4)
    torch.testing.assert_close(found.source.norm(dim=1), torch.ones(3))
    assert found.similarity == "manhattan"


def test_man_needs_triples() -> None:
    reason = HMAN.configure("hman", "MAN").skip_reason(("relation", "attribute"))
    assert reason is not None
    assert "structure" in reason
