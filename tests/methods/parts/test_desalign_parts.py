"""DESAlign's energy and propagation, against sums over edges written out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.hybrid.building import EncoderShape, hybrid_encoder
from mmea_bench.methods.core.hybrid.confident_losses import ConfidentLosses
from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridEncoder
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph, undirected_edges
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.desalign import DESAlignParams
from mmea_bench.methods.parts.desalign.energy import BoundedLosses, EnergyBound
from mmea_bench.methods.parts.desalign.propagation import (
    doubled_adjacency,
    interpolated_view,
    propagated,
)
from tests.methods.small_graphs import small_view

DEVICE = torch.device("cpu")


@pytest.fixture
def graph() -> JointGraph:
    """Triples 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-r->4."""
    return JointGraph.of(small_view())


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_the_energy_sums_differences_over_all_edges(graph: JointGraph) -> None:
    vectors, found = drawn(5, 3), 0.0
    rows, columns, counts = undirected_edges(graph)
    degrees = np.bincount(rows, weights=counts)
    for row, column, count in zip(rows, columns, counts, strict=True):
        scaled = (vectors[end] / math.sqrt(degrees[end]) for end in (row, column))
        found += 0.5 * count * float((next(scaled) - next(scaled)).square().sum())
    energy = EnergyBound(graph, (0.0, 1.0), DEVICE).energy(vectors)
    assert energy.item() == pytest.approx(found / float(vectors.square().sum()), rel=1e-5)


def test_vectors_that_fit_the_degrees_have_no_energy(graph: JointGraph) -> None:
    rows, _, counts = undirected_edges(graph)
    smooth = torch.from_numpy(np.sqrt(np.bincount(rows, weights=counts))).float().unsqueeze(1)
    energy = EnergyBound(graph, (0.0, 1.0), DEVICE).energy(smooth)
    assert energy.item() == pytest.approx(0.0, abs=1e-6)


def test_the_bound_costs_outside_of_its_limits_alone(graph: JointGraph) -> None:
    table, smooth = drawn(5, 3), torch.ones(5, 3)
    inside = table + 2 * smooth
    energy = EnergyBound(graph, (0.0, 1.0), DEVICE).energy
    low, middle = (float(energy(each) / energy(table)) for each in (smooth, inside))
    assert low < middle < 1
    least, most = (low + middle) / 2, (middle + 1) / 2
    bound = EnergyBound(graph, (least, most), DEVICE)
    costs = [bound(table, each).item() / float(energy(table)) for each in (smooth, inside, table)]
    assert costs == pytest.approx([least - low, 0.0, 1 - most], abs=1e-6)


def test_the_total_is_umaeas_and_the_weighted_bound_of_the_graph_encoder() -> None:
    view, params = tiny_view(easy_pair("entity-alignment")), DESAlignParams(dim=16)
    union, shape = JointGraph.of(view), taken_from(params, EncoderShape)
    used = ("structure", "relation")
    encoder = hybrid_encoder(GlobalHybridEncoder, view, union, used, shape, RunContext(rng_seed=0))
    # No output has as much energy as twice its input: the bound costs something.
    bound = EnergyBound(union, (2.0, 3.0), DEVICE)
    bounded = BoundedLosses(encoder, 0.1, bound, 0.5, balanced=True)
    plain = ConfidentLosses(encoder.modalities, 0.1, balanced=True)
    positions = torch.tensor([[0, 200], [5, 210]])
    with torch.no_grad():
        encoded = encoder.hybrid(None)
        assert encoder.structure is not None
        assert encoder.table is not None
        cost = bound(encoder.table, encoder.structure(encoder.table, all_rows=True))
        found, without = bounded(encoded, positions), plain(encoded, positions)
    assert cost.item() > 0
    torch.testing.assert_close(found, without + 0.5 * cost)


def test_every_triple_counts_twice_and_an_entity_itself_once(graph: JointGraph) -> None:
    matrix = doubled_adjacency(graph, DEVICE).forward_matrix.to_dense()
    # Degrees: 0 has itself, twice two triples with 1 and twice one with 2.
    assert matrix[0, 1].item() == pytest.approx(4 / math.sqrt(7 * 5))
    assert matrix[0, 2].item() == pytest.approx(2 / math.sqrt(7 * 3))
    assert matrix[3, 3].item() == pytest.approx(1 / 3)


def test_a_triple_that_is_listed_again_does_not_count_again(graph: JointGraph) -> None:
    again = dataclasses.replace(graph, triples=np.concatenate([graph.triples, graph.triples[2:3]]))
    matrix = doubled_adjacency(again, DEVICE).forward_matrix.to_dense()
    # 0-s->2 stands there twice; counted twice it would be 4 / sqrt(9 * 5).
    assert matrix[0, 2].item() == pytest.approx(2 / math.sqrt(7 * 3))


def test_inner_products_of_propagated_vectors_are_the_mean_of_the_steps_cosines(
    graph: JointGraph,
) -> None:
    vectors, adjacency = normalize(drawn(5, 3), dim=1), doubled_adjacency(graph, DEVICE)
    found = propagated(Embeddings(vectors[:3], vectors[3:]), adjacency, 2)
    dense, expected, step = adjacency.forward_matrix.to_dense(), torch.zeros(3, 2), vectors
    for _ in range(3):
        expected += step[:3] @ step[3:].T / 3
        step = normalize(dense @ step, dim=1)
    torch.testing.assert_close(found.source @ found.target.T, expected)


def test_without_steps_the_vectors_stay_as_they_are(graph: JointGraph) -> None:
    embeddings = Embeddings(drawn(3, 2), drawn(2, 2))
    assert propagated(embeddings, doubled_adjacency(graph, DEVICE), 0) is embeddings


def test_lacking_images_become_the_mean_of_their_neighbours_and_known_ones_stay() -> None:
    view = small_view()
    shown = interpolated_view(view, JointGraph.of(view))
    (source, target), (before, _) = shown.features["image"], view.features["image"]
    assert source.present.tolist() == [True, True, True]
    assert source.values[1].tolist() == [2.0, 0.0]
    assert np.array_equal(source.values[[0, 2]], before.values[[0, 2]])
    assert target.values[1].tolist() == [1.0, 1.0]
