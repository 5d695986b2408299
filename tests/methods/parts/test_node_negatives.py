"""Wrong pairs of nodes: same graph, same modality, never a training pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.inputs.node_sets import NodeSets
from mmea_bench.methods.parts.crossea.node_negatives import NodeNegatives
from tests.methods.nmmkg_views import nmmkg_view


@pytest.fixture
def nodes() -> NodeSets:
    return NodeSets.of(nmmkg_view())


@pytest.fixture
def pairs() -> IntArray:
    view = nmmkg_view()
    return JointGraph.of(view).seed_pairs(view).numpy()


def negatives(pairs: IntArray, nodes: NodeSets, rng_seed: int = 0) -> NodeNegatives:
    return NodeNegatives(pairs, nodes, np.random.default_rng(rng_seed))


def check_kept(stand_ins: IntArray, pairs: IntArray, nodes: NodeSets) -> None:
    """Graph and modality of the replaced nodes are kept and no training pair appears."""
    known = {tuple(pair) for pair in pairs.tolist()}
    for (source, target), of_target, of_source in zip(pairs, *stand_ins, strict=True):
        for node in of_target:
            assert node >= nodes.n_source
            assert nodes.is_visual[node] == nodes.is_visual[target]
            assert (source, node) not in known
        for node in of_source:
            assert node < nodes.n_source
            assert nodes.is_visual[node] == nodes.is_visual[source]
            assert (node, target) not in known


def test_random_ones_keep_graph_and_modality_and_avoid_training_pairs(
    pairs: IntArray, nodes: NodeSets
) -> None:
    stand_ins = negatives(pairs, nodes).random(50)
    assert stand_ins.shape == (2, len(pairs), 50)
    check_kept(stand_ins, pairs, nodes)


def test_random_ones_cover_every_allowed_node(pairs: IntArray, nodes: NodeSets) -> None:
    stand_ins = negatives(pairs, nodes).random(300)
    source_node = pairs[0, 0]
    allowed = {
        node
        for node in range(nodes.n_source, nodes.n_nodes)
        if nodes.is_visual[node] == nodes.is_visual[pairs[0, 1]]
    } - {target for source, target in pairs.tolist() if source == source_node}
    assert set(stand_ins[0, 0].tolist()) == allowed


def test_equal_generators_draw_alike(pairs: IntArray, nodes: NodeSets) -> None:
    first, second = (negatives(pairs, nodes, 4).random(5) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("similarity", ["cosine", "abs-cosine"])
def test_hardest_ones_equal_a_full_sort(pairs: IntArray, nodes: NodeSets, similarity: str) -> None:
    vectors = normalize(torch.randn(nodes.n_nodes, 6), dim=1)
    stand_ins = negatives(pairs, nodes).hardest(vectors, 2, similarity)  # type: ignore[arg-type]
    check_kept(stand_ins, pairs, nodes)
    scores = vectors @ vectors.T
    if similarity == "abs-cosine":
        scores = scores.abs()
    known = {tuple(pair) for pair in pairs.tolist()}
    for row, (source, target) in enumerate(pairs.tolist()):
        targets = [
            node
            for node in range(nodes.n_source, nodes.n_nodes)
            if nodes.is_visual[node] == nodes.is_visual[target] and (source, node) not in known
        ]
        targets.sort(key=lambda node: -float(scores[source, node]))
        assert stand_ins[0, row].tolist() == targets[:2]
        sources = [
            node
            for node in range(nodes.n_source)
            if nodes.is_visual[node] == nodes.is_visual[source] and (node, target) not in known
        ]
        sources.sort(key=lambda node: -float(scores[target, node]))
        assert stand_ins[1, row].tolist() == sources[:2]


def test_where_a_graph_is_too_small_the_known_ones_are_told(nodes: NodeSets) -> None:
    # Source node 0 with every text of the target: no wrong text is left.
    texts = nodes.ids["text"]
    targets = texts[texts >= nodes.n_source]
    pairs = np.stack([np.zeros_like(targets), targets], axis=1)
    found = negatives(pairs, nodes)
    assert found.are_known(found.random(3))[0].all()
    hard = found.hardest(torch.randn(nodes.n_nodes, 4), 3, "cosine")
    assert found.are_known(hard)[0].all()
    assert not found.are_known(hard)[1].any()
