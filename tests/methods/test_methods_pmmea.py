"""PMMEA: walks, their factors, the turned position, and hops with a position mixed in."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import normalize

from mmea_bench.bench.battery.fits import configured
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.label_propagation import LabelGraph, propagated
from mmea_bench.methods.parts.pmmea.position import (
    binary_adjacency,
    factorised,
    turned,
    walk_matrix,
    walk_positions,
)
from mmea_bench.methods.pmmea import PMMEA, labelled
from tests.methods.small_graphs import small_view

CPU = torch.device("cpu")


def random_adjacency(size: int) -> csr_matrix:
    upper = np.triu(np.random.default_rng(0).random((size, size)) < 0.4, 1)
    return csr_matrix((upper | upper.T).astype(np.float32))


def test_the_adjacency_of_a_kg_is_binary_and_symmetric() -> None:
    graph = JointGraph.of(small_view())
    # Source triples 0-1, 1-0, 0-2, 2-2; target 3-4.
    expected = [[0, 1, 1], [1, 0, 0], [1, 0, 1]]
    assert binary_adjacency(graph.triples, 0, 3).toarray().tolist() == expected
    assert binary_adjacency(graph.triples, 3, 5).toarray().tolist() == [[0, 1], [1, 0]]


def test_walks_equal_powers_of_the_transition_matrix() -> None:
    adjacency = random_adjacency(9)
    dense = adjacency.toarray().astype(np.float64)
    inverse = np.diag(1 / np.maximum(dense.sum(1), 1e-9))
    total = sum(np.linalg.matrix_power(inverse @ dense, step) for step in (1, 2, 3))
    expected = np.log(np.maximum(dense.sum() / 3 * total @ inverse, 1))
    found = walk_matrix(adjacency, 3, RunContext(rng_seed=0))
    assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_the_factors_are_those_of_the_largest_singular_values() -> None:
    generator = torch.Generator().manual_seed(0)
    columns = torch.randn(8, 3, generator=generator)
    matrix = columns @ columns.T  # rank 3, symmetric
    found = factorised(matrix, 3, generator)
    assert torch.allclose(found @ found.T, matrix, atol=1e-3)
    wide = factorised(matrix, 10, generator)
    assert not wide[:, 8:].any()


def test_every_kg_has_positions_whose_products_are_its_walks() -> None:
    graph = JointGraph.of(small_view())
    (source, _), (target, _) = walk_positions(graph, 4, 2, RunContext(rng_seed=0))
    assert (source.shape, target.shape) == ((3, 4), (2, 4))
    for found, (start, stop) in ((source, (0, 3)), (target, (3, 5))):
        adjacency = binary_adjacency(graph.triples, start, stop)
        walks = walk_matrix(adjacency, 2, RunContext(rng_seed=0)).double()
        vectors, values, _ = torch.linalg.svd(walks)
        expected = (vectors * values) @ vectors.T
        assert torch.allclose((found @ found.T).double(), expected, atol=1e-4)


def test_the_source_is_turned_onto_the_target() -> None:
    generator = torch.Generator().manual_seed(0)
    position = torch.randn(9, 3, generator=generator)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
    adjacency = random_adjacency(9)
    sides = (position @ rotation, adjacency), (position, adjacency)
    pairs = torch.tensor([[row, row + 9] for row in range(5)])
    found = turned(sides, pairs, 9, n_hops=2)
    assert torch.allclose(found[:9], position, atol=1e-4)
    assert torch.equal(found[9:], position)


def test_hops_mix_the_position_in() -> None:
    graph = LabelGraph.of(JointGraph.of(small_view()), CPU)
    generator = torch.Generator().manual_seed(0)
    labels, position = (normalize(torch.randn(5, 4, generator=generator), dim=1) for _ in "12")
    share, rest = math.sqrt(0.1), math.sqrt(0.45)
    entities, relations = [labels], [torch.zeros(graph.heads.shape[0], 4)]
    for _ in range(2):
        of_relations = math.sqrt(0.9) * (graph.heads @ entities[-1]) + share * (
            graph.heads @ position
        )
        summed = rest * (graph.entities @ entities[-1]) + rest * (graph.tails @ relations[-1])
        summed = summed + share * (graph.entities @ position)
        entities.append(normalize(summed, dim=1))
        relations.append(normalize(of_relations, dim=1))
    found = propagated(labels, graph, 2, position, 0.1)
    for hops, expected in zip(found, (entities, relations), strict=True):
        joined = normalize(torch.cat(expected, dim=1), dim=1)
        assert torch.allclose(torch.cat(hops, dim=1), joined, atol=1e-5)


def test_a_pair_shares_one_random_vector_and_others_keep_theirs() -> None:
    rows = torch.ones(4, 3)
    found = labelled(rows, torch.tensor([[0, 2]]), torch.Generator().manual_seed(0))
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], rows[0])
    assert torch.equal(found[[1, 3]], rows[[1, 3]])


def test_an_entity_of_several_links_has_the_vector_of_its_first() -> None:
    pairs = torch.tensor([[0, 3], [1, 3], [2, 4]])
    found = labelled(torch.ones(6, 8), pairs, torch.Generator().manual_seed(0))
    assert torch.equal(found[3], found[0])
    assert not torch.equal(found[3], found[1])
    assert torch.equal(found[2], found[4])
    assert torch.equal(found[5], torch.ones(8))


def test_rounds_end_when_one_adds_nothing() -> None:
    ctx = RunContext(rng_seed=0)
    # No pair can hold more than all of its mass.
    configured(PMMEA, rounds=50, threshold=1.5, threshold_step=0.0).fit(tiny_view(easy_pair()), ctx)
    assert ctx.log.epochs == 1
    assert not ctx.log.is_iterative
