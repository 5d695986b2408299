"""Modalities as MCLEA's and MEAformer's released code encodes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from torch import Tensor

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import bigram_counts, modality_features, word_vectors

RELEASED_ORDER = ("image", "attribute", "relation", "structure", "word", "bigram", "text")
"""Order of tokens and concatenation in the released code; ``text`` (of an N-MMKG) is added."""

_NAME_PARTS = ("word", "bigram")


def encoded_parts(modalities: Iterable[str]) -> tuple[str, ...]:
    """The modalities, with ``name`` as two: its words and its character bigrams."""
    return tuple(
        part for name in modalities for part in (_NAME_PARTS if name == "name" else (name,))
    )


def compared_features(
    view: TrainView, source: Literal["image", "name", "char"], ctx: RunContext
) -> Tensor:
    """What seeds without seed links are made from, [n_entities, dim].

    Image features, the word vectors of names, or (``char``) the bigram counts of names.

    Reference: Liu et al., AAAI 2021 (images); Lin et al., COLING 2022 (names).
    """
    if source == "image":
        return modality_features(view, "image", ctx)
    return word_vectors(view, ctx) if source == "name" else bigram_counts(view, ctx)
