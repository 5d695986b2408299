"""Modalities as MCLEA's and MEAformer's code encodes them."""

from __future__ import annotations

import torch

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.encoded_parts import (
    RELEASED_ORDER,
    compared_features,
    encoded_parts,
)
from mmea_bench.methods.core.inputs.features import bigram_counts, modality_features, word_vectors
from tests.methods.small_graphs import small_view


def test_names_are_encoded_as_words_and_bigrams() -> None:
    assert encoded_parts(("structure", "name", "image")) == ("structure", "word", "bigram", "image")
    assert set(encoded_parts(("structure", "name"))) <= set(RELEASED_ORDER)


def test_names_are_compared_by_words_and_bigrams_and_images_as_they_are() -> None:
    view = small_view()
    names = compared_features(view, "name", RunContext(rng_seed=1))
    n_words = word_vectors(view, RunContext(rng_seed=1)).shape[1]
    assert torch.equal(names[:, :n_words], word_vectors(view, RunContext(rng_seed=1)))
    assert torch.equal(names[:, n_words:], bigram_counts(view, RunContext(rng_seed=1)))
    images = compared_features(view, "image", RunContext(rng_seed=1))
    assert torch.equal(images, modality_features(view, "image", RunContext(rng_seed=1)))
