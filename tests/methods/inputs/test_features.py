"""Features and adjacencies of a graph that can be counted by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import (
    TOP_FEATURES,
    attribute_bags,
    bigram_counts,
    input_features,
    modality_features,
    relation_counts,
    word_vectors,
)
from mmea_bench.methods.core.inputs.graphs.functionality import (
    functional_adjacency,
    relation_functionality,
)
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.inputs.graphs.shared_ids import SharedGraph, shared_ids
from tests.methods.small_graphs import small_view


@pytest.fixture
def graph() -> JointGraph:
    return JointGraph.of(small_view())


def test_the_joint_graph_puts_targets_behind_and_shares_equal_names(graph: JointGraph) -> None:
    assert (graph.n_source, graph.n_entities, graph.n_relations) == (3, 5, 2)
    assert graph.triples.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 2], [2, 1, 2], [3, 0, 4]]
    assert graph.seed_pairs(small_view()).tolist() == [[0, 3], [1, 4]]
    assert graph.n_attributes == 2


def test_relation_counts_count_both_ends_and_loops_twice(graph: JointGraph) -> None:
    # r stands in three triples, s in two, so r is the first column.
    assert relation_counts(graph, 3).tolist() == [
        [2, 1, 0],
        [2, 0, 0],
        [0, 3, 0],
        [1, 0, 0],
        [1, 0, 0],
    ]


def test_only_the_most_frequent_relations_are_kept(graph: JointGraph) -> None:
    assert relation_counts(graph, 1).flatten().tolist() == [2, 2, 0, 1, 1]


def test_attribute_bags_are_binary_and_share_equal_names(graph: JointGraph) -> None:
    assert attribute_bags(graph, 2).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]


@pytest.mark.parametrize("only_existing", [False, True])
def test_counts_and_bags_without_their_zeros_are_the_same(
    graph: JointGraph, *, only_existing: bool
) -> None:
    wanted, ctx = ("structure", "relation", "attribute", "image"), RunContext(rng_seed=1)
    dense, sparse = (
        input_features(small_view(), graph, wanted, ctx, sparse=sparse, only_existing=only_existing)
        for sparse in (False, True)
    )
    assert list(dense) == list(sparse) == ["relation", "attribute", "image"]
    assert dense["attribute"].shape == (5, 2 if only_existing else TOP_FEATURES)
    assert [sparse[name].layout for name in sparse] == [torch.sparse_csr] * 2 + [torch.strided]
    for name, features in dense.items():
        assert torch.equal(sparse[name].to_dense(), features), name


def test_images_are_normalised_and_lacking_ones_get_one_fixed_sample() -> None:
    first = modality_features(small_view(), "image", RunContext(rng_seed=5))
    second = modality_features(small_view(), "image", RunContext(rng_seed=5))
    assert torch.equal(first, second)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(first[0], torch.tensor([1.0, 0.0]))
    assert not torch.equal(first[1], first[4])


def test_hashed_word_vectors_keep_equal_words_equal_and_say_that_they_are_simulated() -> None:
    ctx = RunContext(rng_seed=1)
    vectors = word_vectors(small_view(), ctx)
    torch.testing.assert_close(vectors[0], vectors[3])
    assert abs(float(vectors[0] @ vectors[1])) < 0.3
    assert set(ctx.log.simulated) == {"word_vectors"}


def test_word_vectors_are_the_means_as_they_are_where_no_unit_length_is_asked_for() -> None:
    values = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    present = np.array([True, False, True])
    word = (Features(values, present), Features(values[:2], present[:2]))
    view = dataclasses.replace(small_view(), features={"word": word})
    found = word_vectors(view, RunContext(rng_seed=1), unit=False)
    assert found[[0, 2, 3]].tolist() == [[3, 4], [1, 0], [3, 4]]
    drawn = found[[1, 4]]
    assert bool((drawn != 0).all())
    assert float(drawn.abs().max()) <= 0.5
    unit = torch.nn.functional.normalize(found, dim=1)
    torch.testing.assert_close(word_vectors(view, RunContext(rng_seed=1)), unit)


def test_bigrams_lie_inside_words() -> None:
    vectors = bigram_counts(small_view(), RunContext(rng_seed=1))
    # an, nn, le, ee, bo, xu: nothing spans the space between the words.
    assert vectors.shape == (5, 6)
    torch.testing.assert_close(vectors[0].sort().values, torch.tensor([0, 0, 0.5, 0.5, 0.5, 0.5]))
    torch.testing.assert_close(vectors[0], vectors[3])


def test_undirected_edges_count_triples_and_drop_loops(graph: JointGraph) -> None:
    rows, columns, weights = undirected_edges(graph)
    matrix = np.zeros((5, 5))
    matrix[rows, columns] = weights
    assert matrix.tolist() == [
        [1, 2, 1, 0, 0],
        [2, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
    ]
    normalised = symmetric_normalised(rows, columns, weights, 5)
    cell = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), normalised, strict=True))
    assert cell[0, 1] == pytest.approx(2 / np.sqrt(4 * 3))
    assert cell[3, 4] == pytest.approx(1 / 2)


def test_functionality_counts_distinct_heads_and_tails(graph: JointGraph) -> None:
    fun, ifun = relation_functionality(graph)
    # r: heads 0, 1, 3 of three triples; s: heads 0, 2 of two, tail 2 only.
    assert fun.tolist() == [1.0, 1.0]
    assert ifun.tolist() == [1.0, 0.5]


def test_gcn_align_normalises_by_column_sums(graph: JointGraph) -> None:
    rows, columns, values = functional_adjacency(graph, 0.3)
    dense = np.zeros((5, 5), dtype=np.float32)
    dense[rows, columns] = values
    # W + I: 0-1 gets ifun + fun of r both ways (2), 0->2 gets ifun(s) = .5, 2->0 gets fun(s) = 1.
    weights = np.array(
        [
            [1, 2, 0.5, 0, 0],
            [2, 1, 0, 0, 0],
            [1, 0, 1, 0, 0],
            [0, 0, 0, 1, 1],
            [0, 0, 0, 1, 1],
        ]
    )
    scale = 1 / np.sqrt(weights.sum(axis=0))
    np.testing.assert_allclose(dense, weights * scale[:, None] * scale[None, :], rtol=1e-6)


def test_seed_links_share_ids_and_chains_merge() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    ids = shared_ids(graph, view)
    assert ids[0] == ids[3]
    assert ids[1] == ids[4]
    assert len(set(ids.tolist())) == 3


def test_triples_of_shared_ids_keep_their_relation_and_side() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    shared = SharedGraph.of(graph, view)
    assert shared.n_ids == 3
    assert shared.source_side.tolist() == [True, True, True, True, False]
    expected = [(int(shared.ids[h]), r, int(shared.ids[t])) for h, r, t in graph.triples.tolist()]
    assert [tuple(triple) for triple in shared.triples.tolist()] == expected
    # The target's (3, r, 4) is the source's (0, r, 1): seeds join 0 with 3 and 1 with 4.
    assert expected[4] == expected[0]
