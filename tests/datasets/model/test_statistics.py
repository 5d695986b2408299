"""Counts, degrees, coverage and deviations on a pair counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.statistics import (
    Deviation,
    compare,
    count_pair,
    coverage,
    degree_statistics,
    describe,
)


def graph(name: str, n: int, triples: list[tuple[int, int, int]], facts: list[tuple[int, int]]):
    return KnowledgeGraph(
        name,
        text_array(f"{name}{i}" for i in range(n)),
        text_array(["r0", "r1"]),
        text_array(["a0"] if facts else []),
        np.array(triples, dtype=np.int32).reshape(-1, 3),
        np.array(facts, dtype=np.int32).reshape(-1, 2),
        text_array("1" for _ in facts),
        text_array(["named"] + [""] * (n - 1)),
    )


@pytest.fixture
def pair() -> KGPair:
    left = graph("L", 4, [(0, 0, 1), (0, 1, 2), (2, 0, 2)], [(0, 0), (0, 0), (1, 0)])
    right = graph("R", 3, [(0, 0, 1)], [])
    present = (np.array([1, 1, 0, 0], dtype=bool), np.array([1, 0, 0], dtype=bool))
    images = tuple(
        Features(np.ones((len(mask), 2), dtype=np.float32) * mask[:, None], mask)
        for mask in present
    )
    links = np.array([(0, 0), (1, 1), (2, 1)], dtype=np.int32)
    return KGPair("tiny", left, right, links, {"image": (images[0], images[1])})


def test_counts(pair: KGPair):
    assert count_pair(pair) == {
        ("L", "entities"): 4,
        ("L", "relations"): 2,
        ("L", "attributes"): 1,
        ("L", "relation_triples"): 3,
        ("L", "attribute_triples"): 3,
        ("L", "images"): 2,
        ("R", "entities"): 3,
        ("R", "relations"): 2,
        ("R", "attributes"): 0,
        ("R", "relation_triples"): 1,
        ("R", "attribute_triples"): 0,
        ("R", "images"): 1,
        ("", "pairs"): 3,
    }


def test_equal_counts_give_no_deviation(pair: KGPair):
    assert compare(pair, count_pair(pair)) == []
    assert compare(pair, {}) == []


def test_deviations_name_what_differs_in_printing_order(pair: KGPair):
    expected = {
        ("", "pairs"): 4,
        ("R", "attributes"): 7,
        ("L", "images"): 1,
        ("L", "relation_triples"): 4,
        ("L", "entities"): 4,
    }
    found = compare(pair, expected)
    assert found == [
        Deviation("L", "relation_triples", 4, 3, -1),
        Deviation("L", "images", 1, 2, 1),
        Deviation("R", "attributes", 7, 0, -7),
        Deviation("", "pairs", 4, 3, -1),
    ]
    assert [item.kind for item in found] == ["fewer", "more", "absent", "fewer"]
    assert [item.sentence for item in found] == [
        "L relation triples: 3 of 4 (75.0 %)",
        "L images: 2, published 1 (+1)",
        "R attributes: not in these files (7 published)",
        "pairs: 3 of 4 (75.0 %)",
    ]


def test_nearly_complete_never_reads_as_complete():
    sentence = Deviation("L", "entities", 100_000, 99_999, -1).sentence
    assert sentence == "L entities: 99,999 of 100,000 (99.9 %)"


def test_degrees_count_loops_twice(pair: KGPair):
    degrees = degree_statistics(pair.source)  # 2, 1, 3, 0
    assert (degrees.mean, degrees.median, degrees.largest, degrees.n_isolated) == (1.5, 1.5, 3, 1)


def test_degrees_of_an_empty_graph_are_zero():
    degrees = degree_statistics(graph("E", 1, [], []))
    assert (degrees.mean, degrees.largest, degrees.n_isolated) == (0.0, 0, 1)


def test_coverage_is_a_share_of_entities(pair: KGPair):
    shares = coverage(pair)
    assert shares[("L", "structure")] == 0.75
    assert shares[("L", "attribute")] == 0.5
    assert shares[("L", "image")] == 0.5
    assert shares[("L", "name")] == 0.25
    assert shares[("R", "attribute")] == 0.0
    assert shares[("R", "image")] == pytest.approx(1 / 3)


def test_entities_in_several_links_are_counted(pair: KGPair):
    statistics = describe(pair)
    assert statistics.n_in_several_links == {"L": 0, "R": 1}
    assert not statistics.is_one_to_one
