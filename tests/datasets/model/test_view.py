"""A training is shown what it declares, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.view import TrainView, restricted, train_view
from tests.methods.small_graphs import small_view


@pytest.fixture(scope="module")
def pair() -> KGPair:
    """A pair of which every modality, word vectors included, is there."""
    found = open_dataset("synthetic[n=100]").read()
    images = found.features["image"]
    return replace(found, features={**found.features, "word": images}, version="")


def view_of(pair: KGPair, *modalities: str) -> TrainView:
    return train_view(pair, pair.anchor_links[:10], modalities)


def test_a_view_without_a_restriction_is_the_whole_dataset(pair: KGPair) -> None:
    view = train_view(pair, pair.anchor_links[:10])
    assert view.source is pair.source
    assert view.modalities == pair.modalities


def test_a_view_of_nothing_has_entities_and_seed_links_alone(pair: KGPair) -> None:
    view = view_of(pair)
    assert view.source.n_entities == pair.source.n_entities
    assert len(view.seed_links) == 10
    assert (view.modalities, dict(view.features)) == ((), {})
    for graph in (view.source, view.target):
        assert (graph.n_relations, graph.n_attributes) == (0, 0)
        assert (len(graph.relation_triples), len(graph.attribute_triples)) == (0, 0)
        assert set(graph.names) == {""}


def test_entities_are_called_by_their_row_unless_names_are_declared(pair: KGPair) -> None:
    hidden, shown = view_of(pair, "structure", "image"), view_of(pair, "name")
    assert hidden.source.entities[:3].tolist() == ["0", "1", "2"]
    assert hidden.target.entities[:3].tolist() == ["0", "1", "2"]
    assert shown.source.entities is pair.source.entities
    assert shown.source.names is pair.source.names


def test_word_vectors_are_names(pair: KGPair) -> None:
    assert "word" not in view_of(pair, "structure", "image").features
    # Who asks for the vectors alone would read names and not say so.
    assert "word" not in view_of(pair, "word").features
    view = view_of(pair, "name")
    assert set(view.features) == {"word"}
    assert set(view.modalities) == {"name", "word"}


def test_structure_shows_the_triples_as_they_are(pair: KGPair) -> None:
    view = view_of(pair, "structure")
    assert view.source.relation_triples is pair.source.relation_triples
    assert view.source.relations is pair.source.relations
    assert (view.modalities, view.source.n_attributes) == (("structure",), 0)


def test_relation_alone_shows_heads_and_tails_but_not_who_is_linked_to_whom() -> None:
    # r: 0 -> 1 and 1 -> 0; s: 0 -> 2 and 2 -> 2.
    view = small_view()
    shown = restricted(view, ("relation",)).source
    assert shown.relation_triples.tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 2], [2, 1, 2]]
    assert shown.relations is view.source.relations


def test_attribute_shows_attribute_triples_and_values(pair: KGPair) -> None:
    view = view_of(pair, "attribute")
    assert view.source.attribute_triples is pair.source.attribute_triples
    assert view.source.attribute_values is pair.source.attribute_values
    assert len(view.source.relation_triples) == 0


def test_restricting_twice_is_restricting_once(pair: KGPair) -> None:
    once = view_of(pair, "relation", "image")
    twice = restricted(once, ("relation", "image"))
    assert twice.modalities == once.modalities == ("relation", "image")
    assert np.array_equal(twice.source.relation_triples, once.source.relation_triples)


@pytest.mark.parametrize("declared", ["text", "image"])
def test_the_label_of_an_nmmkg_node_goes_with_the_nodes_own_modality(declared: str) -> None:
    pair = open_dataset("synthetic-nmmkg[n=300]").read()
    view = view_of(pair, declared)
    present = pair.features[declared][0].present
    assert np.array_equal(view.source.names[present], pair.source.names[present])
    assert set(view.source.names[~present]) == {""}
    assert set(view.features) == {declared}


def test_features_that_are_not_declared_are_asked_for_in_vain(pair: KGPair) -> None:
    assert isinstance(view_of(pair, "image").joint_features("image"), Features)
    with pytest.raises(UserError, match=r"no 'image' features.*does not declare"):
        view_of(pair, "structure").joint_features("image")
