"""Vectors of entity and relation names for ERMC."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.names import (
    WORDS,
    averaged_word_vectors,
    hashed_word_table,
    joint_names,
    name_vectors,
)

_HASHED_DIM = 300

_NUMBER = re.compile(r"\d+( \(.*\))?$")
"""Also with the KG behind it, where both KGs use a number."""


def relation_names(view: TrainView) -> list[str]:
    """Words of the relations of the source and then of the target KG, in lower case.

    The local name of a predicate is cut where a capital letter follows a small one. A number is no
    name: DBP15K's files know relations by their numbers alone.
    """
    uris = [*view.source.relations, *view.target.relations]
    forms = [re.sub(r"(?<=[a-z])(?=[A-Z])", " ", surface_form(str(uri))) for uri in uris]
    return ["" if _NUMBER.match(form) else form.lower() for form in forms]


def node_names(view: TrainView, ctx: RunContext) -> tuple[Tensor, Tensor]:
    """Unit vectors of entity and relation names, [n, dim] each; zero where nothing is known.

    The dataset's word vectors come as means of names. A word of a relation has the vector of an
    entity whose name is that word alone. Without word vectors every word is hashed.

    Args:
        view: Names and relations.
        ctx: Its log says what is simulated.
    """
    entities, relations = name_vectors(view, WORDS, ctx, _HASHED_DIM), relation_names(view)
    if "word" in view.features:
        rows, table = _vectors_of_words(joint_names(view), entities.numpy(), relations)
    else:
        words = list(dict.fromkeys(word for text in relations for word in text.split()))
        rows = {word: row for row, word in enumerate(words)}
        table = hashed_word_table(words, _HASHED_DIM)
    means = averaged_word_vectors(relations, rows, table)
    return entities, normalize(torch.from_numpy(means), dim=1)


def _vectors_of_words(
    names: Sequence[str], vectors: NDArray[np.float32], texts: Sequence[str]
) -> tuple[dict[str, int], NDArray[np.float32]]:
    wanted = {word for text in texts for word in text.split()}
    known = {name.lower(): place for place, name in enumerate(names) if vectors[place].any()}
    places = {word: known[word] for word in sorted(wanted) if word in known}
    table = (
        vectors[list(places.values())] if places else np.zeros((1, vectors.shape[1]), np.float32)
    )
    return {word: row for row, word in enumerate(places)}, np.asarray(table, dtype=np.float32)
