"""Modalities as MCLEA's and MEAformer's code encodes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.encoded_parts import (
    RELEASED_ORDER,
    compared_features,
    encoded_parts,
)
from mmea_bench.methods.core.inputs.features import bigram_counts, modality_features, word_vectors
from tests.methods.small_graphs import knowledge_graph, small_view


def test_names_are_encoded_as_words_and_bigrams() -> None:
    assert encoded_parts(("structure", "name", "image")) == ("structure", "word", "bigram", "image")
    assert set(encoded_parts(("structure", "name"))) <= set(RELEASED_ORDER)


@pytest.mark.parametrize(
    ("source", "features"),
    [
        ("image", lambda view, ctx: modality_features(view, "image", ctx)),
        ("name", word_vectors),  # words alone
        ("char", bigram_counts),  # bigrams alone
    ],
)
def test_seeds_come_from_images_words_or_bigrams_alone(source: Any, features: Any) -> None:
    view = small_view()
    found = compared_features(view, source, RunContext(rng_seed=1))
    assert torch.equal(found, features(view, RunContext(rng_seed=1)))


def test_an_entity_of_another_spelling_is_found_by_bigrams_and_not_by_words() -> None:
    names = (["Ann Lee", "Bolton"], ["Jack Doe", "Boltan"])
    view = TrainView(
        *(knowledge_graph("g", 2, [(0, 0, 1)], ["r"], names=side) for side in names),
        {},
        ("structure", "name"),
        np.empty((0, 2), dtype=np.int32),
    )
    words, bigrams = (
        compared_features(view, source, RunContext(rng_seed=1))[[1, 3]]
        for source in ("name", "char")
    )
    # Bo ol lt to on against bo ol lt ta an: three of five, of which each has length sqrt(5).
    assert float(bigrams[0] @ bigrams[1]) == pytest.approx(3 / 5)
    assert abs(float(words[0] @ words[1])) < 0.3
