"""RDGCN's dual graph, attentions and negatives, against values by hand and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, relu

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.parts.rdgcn.dual_graph import (
    DualAttention,
    OutgoingTriples,
    PrimalAttention,
    dual_adjacency,
    with_own_relations,
)
from mmea_bench.methods.parts.rdgcn.nearest import NearestStandIns, nearest_in_pools
from tests.methods.small_graphs import small_view


@pytest.fixture
def graph() -> JointGraph:
    """Triples 0-r->1, 1-r->0, 0-s->2, 2-s->2 of the source and 3-r->4 of the target."""
    return with_own_relations(JointGraph.of(small_view()))


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def test_graphs_share_no_relation(graph: JointGraph) -> None:
    assert graph.n_relations == 3
    relation_of = dict(zip(map(tuple, graph.triples[:, [0, 2]]), graph.triples[:, 1], strict=True))
    assert relation_of[0, 1] == relation_of[1, 0] != relation_of[3, 4]


def test_relations_are_linked_by_shares_of_common_ends(graph: JointGraph) -> None:
    pattern, values = dual_adjacency(graph)
    # Heads of r are {0, 1}, of s {0, 2}: a third; tails {0, 1} and {2} have nothing in common.
    expected = [[2, 1 / 3, 0], [1 / 3, 2, 0], [0, 0, 2]]
    np.testing.assert_allclose(pattern.matrix(values).to_dense(), expected, rtol=1e-6)
    assert pattern.n_edges == 5  # cells that would be zero do not take part in the softmax


@pytest.mark.parametrize("bias", [False, True])
def test_dual_attention_scores_by_features_and_gathers_values(
    graph: JointGraph, bias: bool
) -> None:
    layer = DualAttention(4, rng(), bias=bias)
    with torch.no_grad():
        layer.shifts.copy_(torch.tensor([0.2, 0.3]))
        if layer.bias is not None:
            layer.bias.fill_(0.7)
    features, values = random(3, 4), random(3, 4) + 1
    pattern, weights = dual_adjacency(graph)
    hidden = features @ layer.weight + (0.7 if bias else 0.0)
    expected = []
    for one, linked in enumerate(([0, 1], [0, 1], [2])):
        shares = []
        for other in linked:
            share = 2.0 if one == other else 1 / 3
            score = layer.ends[0] @ hidden[one] + 0.2 + layer.ends[1] @ hidden[other] + 0.3
            shares.append(leaky_relu(share * score, 0.2))
        expected.append(relu(torch.stack(shares).softmax(0) @ values[linked]))
    torch.testing.assert_close(layer(features, values, pattern, weights), torch.stack(expected))


def test_entities_gather_what_they_point_to_by_relation(graph: JointGraph) -> None:
    layer = PrimalAttention(4, rng())
    with torch.no_grad():
        layer.bias.fill_(-0.1)
    relations, vectors = random(3, 4), random(5, 2)
    scores = leaky_relu(relations @ layer.weight - 0.1, 0.2)
    r, s = graph.triples[0, 1], graph.triples[2, 1]
    shares = torch.stack([scores[r], scores[s]]).softmax(0)
    expected = torch.zeros(5, 2)  # 4 points to nothing
    expected[0] = shares @ vectors[[1, 2]]
    expected[1], expected[2], expected[3] = vectors[0], vectors[2], vectors[4]
    found = layer(relations, vectors, OutgoingTriples(graph))
    torch.testing.assert_close(found, relu(expected))


def test_parallel_triples_each_have_their_share() -> None:
    triples = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 2]])
    graph = JointGraph(3, 3, 2, triples, 0, np.empty((0, 2), dtype=np.int64))
    found = OutgoingTriples(graph).gathered(torch.tensor([1.0, 2.0]), torch.eye(3))
    shares = torch.tensor([1.0, 2.0, 1.0]).softmax(0)
    torch.testing.assert_close(found[0], torch.stack([shares[0] * 0, shares[:2].sum(), shares[2]]))


def test_mixed_coefficients_belong_to_other_triples() -> None:
    triples = np.array([[0, 0, 1], [0, 1, 2], [1, 0, 0]])
    graph = JointGraph(3, 3, 2, triples, 0, np.empty((0, 2), dtype=np.int64))
    mixed = OutgoingTriples(graph, mixed=np.array([2, 0, 1]))
    found = mixed.gathered(torch.tensor([1.0, 2.0]), torch.eye(3))
    first, second = torch.tensor([1.0, 2.0]).softmax(0)
    # The shares of 0 go to the third and the first triple; the one of 1, which is 1, to the second.
    expected = torch.stack([torch.tensor([0, second, 1]), torch.tensor([first, 0, 0])])
    torch.testing.assert_close(found[:2], expected)


def test_a_pool_of_everyone_gives_the_nearest_by_l1() -> None:
    vectors, queries = random(60, 8), torch.tensor([3, 11, 59])
    distances = torch.cdist(vectors[queries], vectors, p=1.0)
    expected = distances.topk(7, largest=False).indices.sort().values
    found = nearest_in_pools(vectors, queries, 7, 60).sort().values
    assert torch.equal(found, expected)
    assert (found == queries.unsqueeze(1)).any(dim=1).all()  # an entity is in its own list


def test_a_small_pool_holds_the_nearest_by_l2() -> None:
    vectors = torch.tensor([[0.0, 0.0], [3.0, 3.0], [5.0, 0.0], [9.0, 9.0]])
    # By L1 2 is nearer to 0 than 1 is, by L2 1 is the nearer one.
    assert nearest_in_pools(vectors, torch.tensor([0]), 2, 4).sort().values.tolist() == [[0, 2]]
    assert nearest_in_pools(vectors, torch.tensor([0]), 2, 2).sort().values.tolist() == [[0, 1]]


@pytest.mark.parametrize("pool", [0, 20])
def test_targets_are_replaced_by_what_is_near_the_source(pool: int) -> None:
    vectors, pairs = random(30, 4), torch.tensor([[1, 20], [2, 21]])
    negatives = NearestStandIns(pairs, 5, pool, refresh_every=2)
    found = negatives.at(1, vectors)
    assert found.shape == (2, 2, 5)
    assert (found[0] == pairs[:, :1]).any(dim=1).all()
    assert (found[1] == pairs[:, 1:]).any(dim=1).all()
    assert negatives.at(2, -vectors) is found
    assert negatives.at(3, vectors) is not found
