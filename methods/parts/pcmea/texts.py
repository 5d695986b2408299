"""What an entity's relations and attributes are called, as text features."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.features import fill_lacking
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.text_encoders import Pooling, text_vectors

_END_OF_URI = re.compile(r"[^/#]*$")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s._/#]+")
_MOST_LETTERS = 2048  # of a relation text; released code

TEXT_OF = {"attribute": "attribute_text", "relation": "relation_text"}
"""Modality to the modality of its text."""


def words_of(name: str) -> str:
    """Words of the name of a relation or an attribute; "_" and "." are blanks, capitals begin one.

    Of a URI its last part counts. Names without a scheme are read as a whole: those of FB15K's
    relations are paths, such as ``/people/person/spouse_s``, whose last part says little.
    """
    name = name.rstrip("/#>")
    found = _END_OF_URI.search(name) if "://" in name else None
    split = _CAPITAL.sub(" ", found.group() if found else name)
    return _SEPARATORS.sub(" ", split).strip()


def field_texts(graph: KnowledgeGraph) -> list[str]:
    """The attribute fields of each entity, each once, [n_ent]; "" without attributes."""
    names = [words_of(name) for name in graph.attributes]
    fields: list[dict[str, None]] = [{} for _ in range(graph.n_entities)]
    for entity, attribute in graph.attribute_triples.tolist():
        fields[entity][names[attribute]] = None
    return [" ".join(found) for found in fields]


def relation_texts(graph: KnowledgeGraph) -> list[str]:
    """The words of the relations around each entity, each once, [n_ent]; "" without relations.

    At most 2,048 characters, as in the released code.
    """
    names = [words_of(name).lower().split() for name in graph.relations]
    words: list[dict[str, None]] = [{} for _ in range(graph.n_entities)]
    for head, relation, tail in graph.relation_triples.tolist():
        for word in names[relation]:
            words[head][word] = words[tail][word] = None
    return [" ".join(found)[:_MOST_LETTERS] for found in words]


def text_features(
    view: TrainView,
    modality: str,
    encoder: str,
    pooling: Pooling,
    max_tokens: int,
    ctx: RunContext,
) -> Tensor:
    """L2-normalised vectors of the texts of a modality, [n_entities, dim].

    Entities without a text get a fixed normal sample, as lacking images do.

    Args:
        view: Dataset.
        modality: ``attribute`` or ``relation``.
        encoder: Text encoder.
        pooling: How a text's tokens become one vector.
        max_tokens: Longer texts are cut.
        ctx: Device, generators and log.
    """
    write = field_texts if modality == "attribute" else relation_texts
    texts = [*write(view.source), *write(view.target)]
    vectors = text_vectors(texts, encoder, pooling, ctx, max_tokens=max_tokens)
    present = torch.tensor([bool(text) for text in texts]).numpy()
    generator = ctx.numpy_generator(f"fill {TEXT_OF[modality]}")
    filled = fill_lacking(vectors.numpy(), present, "normal", generator)
    return normalize(torch.from_numpy(filled), dim=1).to(ctx.device)
