"""The inputs and layers that RREA, MRAEA and Dual-AMN share, on a graph small enough to count."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.reflection_encoder import (
    NeighbourFeatures,
    ReflectionEncoder,
    all_layers,
    dropped,
)
from mmea_bench.methods.core.layers.relation_matrices import (
    incident_relation_means,
    neighbour_means,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from tests.methods.layers.test_reflection import random_graph, relations_of_pairs
from tests.methods.small_graphs import small_view

DEVICE = torch.device("cpu")


@pytest.fixture
def graph() -> JointGraph:
    """Triples 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-r->4."""
    return JointGraph.of(small_view())


def dense(matrix: FixedMatrix) -> Tensor:
    return matrix.forward_matrix.to_dense()


def test_an_entity_and_its_distinct_neighbours_weigh_the_same(graph: JointGraph) -> None:
    third, half = pytest.approx(1 / 3), 0.5
    assert dense(neighbour_means(graph)).tolist() == [
        [third, third, third, 0, 0],
        [half, half, 0, 0, 0],
        [half, 0, half, 0, 0],
        [0, 0, 0, half, half],
        [0, 0, 0, half, half],
    ]


def test_a_relation_counts_apart_for_its_tails_and_its_heads(graph: JointGraph) -> None:
    third, half = pytest.approx(1 / 3), 0.5
    # Columns: r and s of their tails, then r and s of their heads.
    assert dense(incident_relation_means(graph)).tolist() == [
        [third, 0, third, third],
        [half, 0, half, 0],
        [0, half, 0, half],
        [0, 0, 1, 0],
        [1, 0, 0, 0],
    ]


def test_layers_stand_side_by_side_after_their_activation() -> None:
    features = torch.tensor([[1.0, -1.0]])
    found = all_layers(features, [lambda x: -x, lambda x: x - 3], torch.relu)
    assert found.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]


def attended(encoder: ReflectionEncoder, graph: JointGraph, vectors: Tensor, depth: int) -> Tensor:
    """A layer of RREA pair by pair, with every message and every mirror made."""
    kernel, table = encoder.layers[depth].kernel.flatten(), encoder.features.relations
    pairs, rows = relations_of_pairs(graph), []
    for node in range(graph.n_entities):
        messages, logits = [], []
        for (start, end), relations in pairs.items():
            if start == node:
                unit = normalize(table[sorted(relations)].mean(dim=0), dim=0)
                message = vectors[end] - 2 * (vectors[end] @ unit) * unit
                messages.append(message)
                logits.append(kernel @ torch.cat([vectors[node], message, unit]))
        alone = torch.zeros_like(vectors[node])
        weights = torch.softmax(torch.stack(logits), dim=0) if logits else None
        rows.append(alone if weights is None else weights @ torch.stack(messages))
    return torch.relu(torch.stack(rows))


def test_the_encoder_and_its_gradients_equal_the_messages_made_one_by_one() -> None:
    graph = random_graph()
    encoder = ReflectionEncoder(graph, 5, 2, torch.Generator().manual_seed(0), DEVICE)
    features, outputs = encoder.features, []
    for start in (features.of_neighbours(), features.of_relations()):
        layers = [torch.relu(start)]
        layers += [attended(encoder, graph, layers[0], 0)]
        layers += [attended(encoder, graph, layers[1], 1)]
        outputs += layers
    plain, found = torch.cat(outputs, dim=1), encoder()
    torch.testing.assert_close(found, plain)
    assert found.shape == (graph.n_entities, 6 * 5)
    trained, weights = list(encoder.parameters()), torch.randn(found.shape)
    ours = torch.autograd.grad((found * weights).sum(), trained)
    theirs = torch.autograd.grad((plain * weights).sum(), trained)
    torch.testing.assert_close(ours, theirs)


def test_kernels_serve_neighbours_and_relations_alike() -> None:
    """On DBP15K ZH-EN, with 38,960 entities and 3,025 relations, 4,501,600 numbers are trained."""
    graph = random_graph()
    encoder = ReflectionEncoder(graph, 100, 2, torch.Generator(), DEVICE)
    tables = 100 * (graph.n_entities + 2 * graph.n_relations)
    assert sum(each.numel() for each in encoder.parameters()) == tables + 600
    assert 100 * (38_960 + 2 * 3_025) + 600 == 4_501_600


def test_tables_start_as_keras_starts_them(graph: JointGraph) -> None:
    features = NeighbourFeatures(graph, 400, 400, torch.Generator().manual_seed(0), DEVICE)
    for table in features.parameters():
        assert 0.049 < table.abs().max() <= 0.05


def test_what_is_not_dropped_grows() -> None:
    found = dropped(torch.ones(400, 100), 0.3, torch.Generator().manual_seed(0))
    assert sorted(found.unique().tolist()) == pytest.approx([0, 1 / 0.7])
    assert float((found == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
