"""The attribute triples of an entity as one text."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.text_encoders import text_vectors

_END_OF_URI = re.compile(r"[^/#]*$")
_SEPARATORS = re.compile(r"[\s._\-:]+")


def attribute_texts(graph: KnowledgeGraph) -> list[str]:
    """``attribute is value, attribute is value`` of each entity, [n_ent]; "" without attributes.

    An attribute is the last part of its URI with separators as blanks; without a value it stands
    alone. The entity's name is not in it.

    Reference: CLAMEA, EMNLP Findings 2025, section 4.1.
    """
    names = [attribute_name(uri) for uri in graph.attributes]
    phrases: list[list[str]] = [[] for _ in range(graph.n_entities)]
    for (entity, attribute), value in zip(
        graph.attribute_triples.tolist(), graph.attribute_values, strict=True
    ):
        name = names[attribute]
        phrases[entity].append(f"{name} is {value}" if value else name)
    return [", ".join(parts) for parts in phrases]


def common_first_texts(graph: KnowledgeGraph) -> list[str]:
    """``attribute: value; attribute: value`` of each entity, [n_ent]; "" without attributes.

    The attributes that the KG has most often come first, those of a kind by name and value, so that
    a text that is cut keeps what others have as well. A value is as the reader stored it; without
    one the attribute stands alone.
    """
    counts = np.bincount(graph.attribute_triples[:, 1], minlength=graph.n_attributes)
    names = [attribute_name(uri) for uri in graph.attributes]
    phrases: list[list[tuple[int, str, str]]] = [[] for _ in range(graph.n_entities)]
    for (entity, attribute), value in zip(
        graph.attribute_triples.tolist(), graph.attribute_values, strict=True
    ):
        phrases[entity].append((-int(counts[attribute]), names[attribute], value))
    return [
        "; ".join(f"{name}: {value}" if value.strip() else name for _, name, value in sorted(parts))
        for parts in phrases
    ]


def attribute_vectors(
    view: TrainView,
    encoder: str,
    max_tokens: int,
    ctx: RunContext,
    write: Callable[[KnowledgeGraph], list[str]] = attribute_texts,
) -> tuple[Tensor, Tensor]:
    """Encoded attribute texts by joint id, [n_entities, dim], and who has any, [n_entities].

    A vector is the mean over its tokens. ``write`` makes the texts of a KG.
    """
    texts = [*write(view.source), *write(view.target)]
    vectors = text_vectors(texts, encoder, "mean tokens", ctx, max_tokens=max_tokens)
    return vectors, torch.tensor([bool(text) for text in texts])


def attribute_name(uri: str) -> str:
    """Last part of a URI with separators as blanks."""
    found = _END_OF_URI.search(uri.rstrip("/#>"))
    return _SEPARATORS.sub(" ", found.group() if found else uri).strip()
