"""The attribute triples of an entity as one text."""

from __future__ import annotations

import re

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


def attribute_vectors(
    view: TrainView, encoder: str, max_tokens: int, ctx: RunContext
) -> tuple[Tensor, Tensor]:
    """Encoded attribute texts by joint id, [n_entities, dim], and who has any, [n_entities].

    A vector is the mean over its tokens.
    """
    texts = [*attribute_texts(view.source), *attribute_texts(view.target)]
    vectors = text_vectors(texts, encoder, "mean tokens", ctx, max_tokens=max_tokens)
    return vectors, torch.tensor([bool(text) for text in texts])


def attribute_name(uri: str) -> str:
    """Last part of a URI with separators as blanks."""
    found = _END_OF_URI.search(uri.rstrip("/#>"))
    return _SEPARATORS.sub(" ", found.group() if found else uri).strip()
