"""Triples copied along aligned pairs, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet, n_own_relations
from tests.methods.small_graphs import small_view


def test_seed_swapping_by_hand() -> None:
    view = small_view()
    graph = JointGraph.of(view)
    # Joint triples 0-r->1, 1-r->0, 0-s->2, 2-s->2 and 3-r->4; partners 0-3 and 1-4.
    swapped = TripleSet.of(graph).with_swaps(graph.seed_pairs(view).numpy())
    found = {
        tuple(triple): bool(side)
        for triple, side in zip(swapped.triples.tolist(), swapped.from_source, strict=True)
    }
    own = {(0, 0, 1): True, (1, 0, 0): True, (0, 1, 2): True, (2, 1, 2): True, (3, 0, 4): False}
    copies = {
        (3, 0, 1): True,
        (0, 0, 4): False,
        (4, 0, 0): True,
        (1, 0, 3): True,
        (3, 1, 2): True,
    }
    # 0-r->4 and 3-r->1 arise from a triple of either KG; the copy with another head counts.
    assert found == {**own, **copies}


def test_an_entity_with_two_partners_is_swapped_for_both() -> None:
    graph = JointGraph.of(small_view())
    alone = TripleSet.of(graph)
    swapped = alone.with_swaps(torch.tensor([[2, 3], [2, 4]]).numpy())
    heads = {tuple(triple) for triple in swapped.triples.tolist()}
    assert {(0, 1, 3), (0, 1, 4), (2, 1, 3), (3, 1, 2), (2, 1, 4), (4, 1, 2)} <= heads


def test_relations_of_equal_name_are_two_where_asked() -> None:
    graph = JointGraph.of(small_view())
    apart = TripleSet.of(graph, own_relations=True)
    # Both KGs know "r"; the target's is numbered behind the two of the source.
    assert apart.triples[apart.from_source].tolist() == [[0, 0, 1], [0, 1, 2], [1, 0, 0], [2, 1, 2]]
    assert apart.triples[~apart.from_source].tolist() == [[3, 2, 4]]


def test_relations_told_apart_are_numbered_without_gaps() -> None:
    graph = JointGraph.of(small_view())
    # The source KG has the relations 0 and 4 of the union, the target KG 2 and 4.
    triples = np.array([[0, 4, 1], [1, 0, 2], [3, 4, 4], [4, 2, 3], [4, 2, 4]])
    graph = replace(graph, n_relations=6, triples=triples)
    apart = TripleSet.of(graph, own_relations=True)
    assert apart.triples.tolist() == [[0, 1, 1], [1, 0, 2], [3, 3, 4], [4, 2, 3], [4, 2, 4]]
    assert n_own_relations(graph) == 4


def test_swaps_are_the_copies_alone() -> None:
    graph = JointGraph.of(small_view())
    copies = TripleSet.of(graph).swaps(torch.tensor([[0, 3]]).numpy())
    found = {tuple(triple) for triple in copies.triples.tolist()}
    assert found == {(3, 0, 1), (1, 0, 3), (3, 1, 2), (0, 0, 4)}
    assert not len(TripleSet.of(graph).swaps(torch.empty(0, 2, dtype=torch.int64).numpy()).triples)


def test_every_copy_names_its_triple_and_its_pair() -> None:
    plain = TripleSet.of(JointGraph.of(small_view()))
    pairs = [[2, 3], [0, 4]]
    copies, rows, chosen = plain.copies_along(torch.tensor(pairs).numpy())
    for copy, row, pair in zip(copies.tolist(), rows, chosen, strict=True):
        own = plain.triples[row].tolist()
        (column,) = [place for place in range(3) if own[place] != copy[place]]
        assert {own[column], copy[column]} == set(pairs[pair])
    # Of 0-r->1, 1-r->0, 0-s->2 (at both ends), 2-s->2 (at both ends) and 3-r->4 (at both ends).
    assert len(copies) == 1 + 1 + 2 + 2 + 2
