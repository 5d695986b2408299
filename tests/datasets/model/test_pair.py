from __future__ import annotations

import dataclasses
import hashlib
import pickle
import re

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.canonical import canonical, text_order, with_entity_order
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.model.view import train_view


def ids(*rows: tuple[int, ...], columns: int) -> np.ndarray:
    return np.array(rows, dtype=np.int32).reshape(-1, columns)


def graph(name: str, entities: str, triples: np.ndarray, facts: np.ndarray) -> KnowledgeGraph:
    return KnowledgeGraph(
        name=name,
        entities=text_array(entities),
        relations=text_array("sr"),
        attributes=text_array("q"),
        relation_triples=triples,
        attribute_triples=facts,
        attribute_values=text_array(["v"] * len(facts)),
        names=text_array(letter.upper() for letter in entities),
    )


def make_pair(**changes: object) -> KGPair:
    content: dict[str, object] = {
        "dataset": "tiny",
        "source": graph("S", "cab", ids((0, 0, 1), (1, 1, 2), columns=3), ids((2, 0), columns=2)),
        "target": graph("T", "yx", ids((0, 0, 1), columns=3), ids((0, 0), columns=2)),
        "anchor_links": ids((0, 0), (1, 0), (2, 1), columns=2),
        "features": {
            "image": (
                Features(np.array([[3], [1], [2]], np.float32), np.array([True, True, False])),
                Features(np.array([[9], [8]], np.float32), np.array([True, False])),
            )
        },
        "folds": (Fold("1", np.array([0]), np.array([1]), np.array([2])),),
    }
    return KGPair(**(content | changes))  # type: ignore[arg-type]


def test_everything_is_sorted_by_hand() -> None:
    pair = with_entity_order(make_pair(), text_order)
    assert pair.source.entities.tolist() == ["a", "b", "c"]
    assert pair.source.names.tolist() == ["A", "B", "C"]
    assert pair.source.relations.tolist() == ["r", "s"]
    assert pair.source.relation_triples.tolist() == [[0, 0, 1], [2, 1, 0]]
    assert pair.source.attribute_triples.tolist() == [[1, 0]]
    assert pair.target.entities.tolist() == ["x", "y"]
    assert pair.anchor_links.tolist() == [[0, 1], [1, 0], [2, 1]]
    assert pair.features["image"][0].values.tolist() == [[1], [2], [3]]
    assert pair.features["image"][0].present.tolist() == [True, False, True]
    (fold,) = pair.folds
    assert (fold.train.tolist(), fold.valid.tolist(), fold.test.tolist()) == ([2], [0], [1])


def test_entities_stand_in_the_order_of_a_hash_of_side_and_uri() -> None:
    def by_hand(side: str, uris: str) -> list[str]:
        return sorted(uris, key=lambda uri: hashlib.sha256(f"{side}\x00{uri}".encode()).digest())

    pair = canonical(make_pair())
    assert pair.source.entities.tolist() == by_hand("source", "abc")
    assert pair.target.entities.tolist() == by_hand("target", "xy")


def test_rows_of_partners_that_are_spelt_alike_say_nothing() -> None:
    n_entities = 1000
    uris = text_array(f"{row:04d}" for row in range(n_entities))
    lone = graph("G", "", ids(columns=3), ids(columns=2))
    alike = dataclasses.replace(lone, entities=uris, names=uris)
    links = np.stack([np.arange(n_entities, dtype=np.int32)] * 2, axis=1)
    other = dataclasses.replace(alike, name="H")
    places = canonical(KGPair("alike", alike, other, links)).anchor_links
    assert abs(np.corrcoef(places.T)[0, 1]) < 4 / np.sqrt(n_entities)


def test_canonical_order_is_a_fixed_point() -> None:
    once = canonical(make_pair())
    assert canonical(once).version == once.version


def test_the_version_tells_any_change_of_content() -> None:
    pair = make_pair()
    changed = [
        {"anchor_links": ids((0, 0), (1, 0), columns=2), "folds": ()},
        {"simulated": ("image",)},
        {"features": {}},
        {"target": graph("T", "yz", ids((0, 0, 1), columns=3), ids((0, 0), columns=2))},
        {"target": graph("T", "yx", ids((0, 1, 1), columns=3), ids((0, 0), columns=2))},
    ]
    versions = {make_pair(**change).version for change in changed} | {pair.version}
    assert len(versions) == len(changed) + 1
    assert all(len(version) == 12 for version in versions)
    assert make_pair(dataset="other", notes=("a sentence",)).version == pair.version


def test_modalities_need_both_sides() -> None:
    pair = make_pair()
    assert pair.modalities == ("structure", "relation", "attribute", "image", "name")
    nobody = Features(np.zeros((2, 1), np.float32), np.zeros(2, dtype=bool))
    lacking = make_pair(features={"image": (pair.features["image"][0], nobody)})
    assert "image" not in lacking.modalities
    silent = dataclasses.replace(pair.target, names=text_array(["", ""]))
    assert "name" not in make_pair(target=silent).modalities


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"anchor_links": ids((0, 2), columns=2)}, "names an entity out of range"),
        ({"anchor_links": ids((-1, 0), columns=2)}, "names an entity out of range"),
        ({"anchor_links": ids((0, 0, 0), columns=3)}, r"need shape \[n, 2\]"),
    ],
)
def test_bad_links(changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_pair(**changes)


def test_a_link_that_stands_twice_would_be_seed_and_test_link() -> None:
    with pytest.raises(DataError, match=r"the link of 'a' and 'y' stands twice\. Give each"):
        make_pair(anchor_links=ids((0, 0), (1, 0), (2, 1), (1, 0), columns=2), folds=())


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (([0, 1], [], [1, 2]), "the link of 'a' and 'y' stands twice in split f. Give each link"),
        (([0, 0], [1], [2]), "the link of 'c' and 'y' stands twice in split f. Give each link"),
        (([0], [1], [3]), "split f has places outside of the 3 anchor links. Give rows of anchor"),
        (([0], [1], [-1]), "split f has places outside of the 3 anchor links. Give rows of anchor"),
    ],
)
def test_parts_of_a_fold_share_no_link_and_name_no_other(
    parts: tuple[list[int], ...], words: str
) -> None:
    fold = Fold("f", *(np.array(part, dtype=np.int64) for part in parts))
    with pytest.raises(DataError, match=re.escape(words)):
        make_pair(folds=(fold,))


@pytest.mark.parametrize(
    ("kind", "texts"), [("entity", "aba"), ("relation", "rr"), ("attribute", "qq")]
)
def test_what_stands_twice_in_a_graph_is_named(kind: str, texts: str) -> None:
    field = {"entity": "entities", "relation": "relations", "attribute": "attributes"}[kind]
    twice = dataclasses.replace(make_pair().source, **{field: text_array(texts)})
    with pytest.raises(DataError, match=f"tiny: S has {kind} '{texts[0]}' twice. Give each"):
        make_pair(source=twice)


def test_two_graphs_have_two_names() -> None:
    """Counts are kept by name: of two graphs of one name, one would be lost."""
    source = dataclasses.replace(make_pair().source, name="T")
    with pytest.raises(DataError, match=r"both KGs are called 'T'\. Give each a name of its own"):
        make_pair(source=source)


def test_features_must_fit_the_graphs() -> None:
    def features(n: int, dim: int) -> Features:
        return Features(np.ones((n, dim), np.float32), np.ones(n, dtype=bool))

    with pytest.raises(DataError, match="have 2 and 2 rows, the graphs have 3 and 2"):
        make_pair(features={"image": (features(2, 1), features(2, 1))})
    with pytest.raises(DataError, match="1 columns in the source and 4 in the target"):
        make_pair(features={"image": (features(3, 1), features(2, 4))})


def test_a_graph_checks_its_ids() -> None:
    with pytest.raises(DataError, match=r"tail entity id 5 is outside 0\.\.1"):
        graph("T", "yx", ids((0, 0, 5), columns=3), ids(columns=2))
    with pytest.raises(DataError, match=r"attribute id 1 is outside 0\.\.0"):
        graph("T", "yx", ids((0, 0, 1), columns=3), ids((0, 1), columns=2))


def test_a_pair_is_read_only_also_after_a_trip_through_pickle() -> None:
    pair = make_pair()
    for copy in (pair, pickle.loads(pickle.dumps(pair))):  # noqa: S301
        assert copy.version == pair.version
        with pytest.raises(ValueError, match="read-only"):
            copy.source.relation_triples[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            copy.source.entities[0] = "x"
        with pytest.raises(ValueError, match="read-only"):
            copy.anchor_links[0, 0] = 1
        with pytest.raises(TypeError):
            copy.features["image"] = None


def test_a_training_view_holds_no_other_links() -> None:
    pair = make_pair()
    view = train_view(pair, pair.anchor_links[:1])
    held = {field.name for field in dataclasses.fields(view)}
    assert held == {"source", "target", "features", "modalities", "seed_links", "task"}
    assert view.seed_links.tolist() == [[0, 0]]


def test_joint_features_hold_the_source_above_the_target() -> None:
    pair = make_pair()
    source, target = pair.features["image"]
    both = train_view(pair, pair.anchor_links[:1]).joint_features("image")
    assert both.values.tolist() == [*source.values.tolist(), *target.values.tolist()]
    assert both.present.tolist() == [*source.present.tolist(), *target.present.tolist()]
