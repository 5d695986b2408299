"""Both KGs are cut at once: along few triples, and never between the two ends of a seed link."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmea_bench.bench.partitions.cutting import cut, load_metis
from mmea_bench.bench.partitions.part_views import part_view
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.view import TrainView

pytest.importorskip("pymetis")

SIZE = 8
"""Entities of a clique; each KG is two cliques and a bridge. Even ids are in the first one."""


def cliques(name: str) -> KnowledgeGraph:
    clique = np.arange(SIZE)
    pairs = [(a, b) for a in clique for b in clique if a < b]
    triples = [(2 * a + side, side, 2 * b + side) for side in (0, 1) for a, b in pairs]
    triples.append((0, 2, 1))
    n = 2 * SIZE
    return KnowledgeGraph(
        name,
        text_array(f"{name}/{row}" for row in range(n)),
        text_array(["even", "odd", "bridge"]),
        text_array(["height", "colour"]),
        np.array(triples, dtype=np.int32),
        np.array([(0, 0), (1, 1), (3, 1)], dtype=np.int32),
        text_array(["1 m", "red", "blue"]),
        text_array(f"{name} {row}" for row in range(n)),
    )


@pytest.fixture
def view() -> TrainView:
    """Entity i of the source KG is entity i of the target KG; the first four links are seeds."""
    rows = np.arange(2 * SIZE, dtype=np.float32)[:, None]
    image = Features(rows, np.arange(2 * SIZE) % 3 > 0)
    seeds = np.array([(row, row) for row in range(4)], dtype=np.int32)
    graphs = (cliques("A"), cliques("B"))
    return TrainView(*graphs, {"image": (image, image)}, ("structure", "image"), seeds)


def test_a_cut_follows_the_communities_of_both_kgs(view: TrainView) -> None:
    parts = cut(view, 2)
    even = np.arange(2 * SIZE) % 2
    assert np.array_equal(parts.source, parts.target)
    assert np.array_equal(parts.source == parts.source[1], even == 1)


def test_the_ends_of_every_seed_link_share_a_part(view: TrainView) -> None:
    """Also where a link joins two communities, and where an entity stands in several links."""
    links = np.array([(0, 0), (0, 2), (1, 1), (4, 6), (5, 3), (7, 8)], dtype=np.int32)
    parts = cut(replace(view, seed_links=links), 2)
    assert np.array_equal(parts.source[links[:, 0]], parts.target[links[:, 1]])


def test_a_cut_is_the_same_at_every_call(view: TrainView) -> None:
    first, again = cut(view, 2), cut(view, 2)
    assert np.array_equal(first.source, again.source)
    assert np.array_equal(first.target, again.target)


def test_a_part_is_a_smaller_dataset(view: TrainView) -> None:
    parts = cut(view, 2)
    part = part_view(view, parts, int(parts.source[1]))
    assert part.sources.tolist() == part.targets.tolist() == list(range(1, 2 * SIZE, 2))
    source = part.view.source
    assert source.entities.tolist() == [f"A/{row}" for row in part.sources]
    # Relation 1 is the only one that is left, and its triples name the same entities as before.
    assert source.relations.tolist() == ["odd"]
    whole = view.source.relation_triples[view.source.relation_triples[:, 1] == 1]
    heads, relations, tails = source.relation_triples.T
    kept = np.stack([part.sources[heads], relations + 1, part.sources[tails]], axis=1)
    assert np.array_equal(kept, whole)
    assert source.attributes.tolist() == ["colour"]
    assert source.attribute_triples.tolist() == [[0, 0], [1, 0]]
    assert source.attribute_values.tolist() == ["red", "blue"]
    image, of_all = part.view.features["image"][0], view.features["image"][0]
    assert image.values[:, 0].tolist() == part.sources.tolist()
    assert np.array_equal(image.present, of_all.present[part.sources])
    assert part.view.seed_links.tolist() == [[0, 0], [1, 1]]  # the links of entities 1 and 3


def test_parts_hold_every_entity_and_seed_link_once(view: TrainView) -> None:
    parts = cut(view, 2)
    both = [part_view(view, parts, number) for number in range(2)]
    assert sorted(np.concatenate([part.sources for part in both])) == list(range(2 * SIZE))
    named = [
        np.stack([part.sources[links[:, 0]], part.targets[links[:, 1]]], axis=1)
        for part in both
        for links in [part.view.seed_links]
    ]
    assert sorted(np.concatenate(named).tolist()) == view.seed_links.tolist()


@pytest.mark.parametrize(
    ("n_parts", "links", "part_of_sentence"),
    [
        (2, [(0, 0)], "1 of 2 parts hold no seed links; ask for fewer partitions."),
        (30, [(0, 0), (1, 1)], "ask for fewer partitions."),
    ],
)
def test_parts_that_nothing_could_be_trained_on_are_one_sentence(
    view: TrainView, n_parts: int, links: list[tuple[int, int]], part_of_sentence: str
) -> None:
    seeds = np.array(links, dtype=np.int32)
    with pytest.raises(UserError, match=part_of_sentence) as raised:
        cut(replace(view, seed_links=seeds), n_parts)
    assert "\n" not in str(raised.value)


def test_kgs_without_triples_cannot_be_cut(view: TrainView) -> None:
    none = np.empty((0, 3), dtype=np.int32)
    bare = [replace(graph, relation_triples=none) for graph in (view.source, view.target)]
    with pytest.raises(UserError, match="no relation triples"):
        cut(replace(view, source=bare[0], target=bare[1]), 2)


def test_without_pymetis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **further: Any) -> Any:
        if name == "pymetis":
            raise ImportError(name)
        return real(name, *rest, **further)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'mmea-bench\[scale\]'"):
        load_metis()
