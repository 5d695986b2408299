"""Facts of a cell: what was read of the dataset, made up, learned, and not there in full."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmea_bench.bench.cells.facts import CellFacts, cell_facts
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.statistics import count_pair
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.methods.core.training_log import TrainingLog

Counts = dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def pair() -> KGPair:
    return open_dataset("synthetic[n=150]").read()


def facts(pair: KGPair, method: str, expected: Counts | None = None, **log: Any) -> CellFacts:
    name, _, variant = method.partition(" ")
    configured = get_method(name).configure(name, variant or "full")
    return cell_facts(configured, pair, expected or {}, TrainingLog(**log), "inner")


def without_images(pair: KGPair) -> KGPair:
    others = {name: sides for name, sides in pair.features.items() if name != "image"}
    return replace(pair, features=others, version="")


def test_what_a_configuration_reads_is_a_fact(pair: KGPair) -> None:
    assert facts(pair, "gcn_align SE").columns["modalities"] == "structure"
    assert facts(pair, "gcn_align").columns["modalities"] == "structure attribute"
    assert facts(pair, "random_scores").columns["modalities"] is None
    assert facts(pair, "name_match").columns["names"] == "yes"
    assert facts(pair, "gcn_align").columns["names"] == "no"


def test_a_copy_without_images_is_complete_for_who_reads_none(pair: KGPair) -> None:
    published, copy = dict(count_pair(pair)), without_images(pair)
    assert facts(copy, "gcn_align", published).columns["lacking"] is None
    assert facts(copy, "gcn_align", published).partial_copy == ""
    found = facts(copy, "eva", published)
    assert found.columns["lacking"] == "image"
    assert found.modalities == ("structure", "relation", "attribute")
    assert "images: not in these files" in found.partial_copy
    assert "attribute" not in found.partial_copy
    assert facts(copy, "eva w/o visual", published).lacking == ()


def test_missing_triples_concern_who_reads_structure_or_relations(pair: KGPair) -> None:
    published = {
        key: count + (key[1] == "relation_triples") for key, count in count_pair(pair).items()
    }
    assert facts(pair, "gcn_align SE", published).lacking == ("structure",)
    assert facts(pair, "eva", published).lacking == ("relation", "structure")
    assert facts(pair, "name_match", published).lacking == ()


@pytest.mark.parametrize(("statistic", "word"), [("entities", "entities"), ("pairs", "pairs")])
def test_missing_entities_and_pairs_concern_everybody(
    pair: KGPair, statistic: str, word: str
) -> None:
    published = {key: count + (key[1] == statistic) for key, count in count_pair(pair).items()}
    for method in ("random_scores", "gcn_align SE", "eva"):
        assert facts(pair, method, published).lacking == (word,)


def test_more_than_published_lacks_nothing(pair: KGPair) -> None:
    published = {key: max(0, count - 1) for key, count in count_pair(pair).items()}
    assert facts(pair, "eva", published).lacking == ()


def test_made_up_inputs_count_where_they_are_read(pair: KGPair) -> None:
    made_up = replace(pair, simulated=("image",))
    assert facts(made_up, "eva").simulated == ("image",)
    assert facts(made_up, "gcn_align").simulated == ()
    found = facts(made_up, "eva", simulated={"word_vectors": "hashed words"})
    assert found.columns["simulated_features"] == "image word_vectors"
    assert found.notes == ("word_vectors: hashed words",)


def test_the_methods_own_similarity_is_a_fact(pair: KGPair) -> None:
    assert facts(pair, "eva").columns["own_similarity"] == "inner"


def test_what_was_learned_comes_from_the_log(pair: KGPair) -> None:
    learned = {"epochs": 9, "best_epoch": 9, "first_pseudo_epoch": 5}
    assert facts(pair, "eva", **learned).columns["iterative"] == "yes"
    assert facts(pair, "eva").columns["iterative"] == "no"


def test_nodes_of_an_nmmkg_are_read_by_their_modality() -> None:
    pair = open_dataset("synthetic-nmmkg[n=300]").read()
    published = {key: count + 1 for key, count in count_pair(pair).items()}
    found = facts(pair, "clip_mmea", published)
    assert set(found.lacking) == {"text", "image", "entities", "pairs"}
    assert np.all(["relations" not in found.partial_copy, "tt pairs" in found.partial_copy])
