"""``name_noise``: random edits of the letters of names."""

from __future__ import annotations

import random
import string
from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import priorities
from mmea_bench.datasets.core.transforms.transform import Transform

_EDITS = ("replace", "delete", "insert", "swap")


def with_name_noise(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with ``share`` of the letters of all names edited.

    Each letter is, with this probability and in equal parts, replaced by a letter from a to z,
    deleted, preceded by such a letter, or swapped with the next one. The random numbers belong to
    the entity: more noise edits the letters that less noise edits, and more. A name never becomes
    empty. An entity whose name changed loses its URI, which may spell the name, for one that says
    nothing.
    """
    return replace(
        pair,
        source=_noisy(pair.source, share, seed, "source"),
        target=_noisy(pair.target, share, seed, "target"),
        version="",
    )


def _noisy(graph: KnowledgeGraph, share: float, seed: int, side: str) -> KnowledgeGraph:
    numbers = priorities(f"name_noise {side}", graph.entities, seed).tolist()
    names = text_array(map(edited, graph.names, [share] * len(numbers), numbers))
    entities = np.array(graph.entities, dtype=object)
    for row in np.flatnonzero(names != graph.names).tolist():
        # It ends as an opaque id: its ``surface_form`` is "", and hence no name beside the new one.
        entities[row] = f"renamed://{side}/Q{row}"
    return replace(graph, names=names, entities=entities)


def edited(name: str, share: float, seed: int) -> str:
    """A name of which each letter is edited with probability ``share``."""
    source = random.Random(seed)  # noqa: S311 - no secret
    letters: list[str] = []
    rest = list(name)
    place = 0
    while place < len(rest):
        letter = rest[place]
        is_hit = source.random() < share
        edit, other = source.choice(_EDITS), source.choice(string.ascii_lowercase)
        if not is_hit:
            letters.append(letter)
        elif edit == "replace":
            letters.append(other)
        elif edit == "insert":
            letters += [other, letter]
        elif edit == "swap" and place + 1 < len(rest):
            rest[place], rest[place + 1] = rest[place + 1], letter
            letters.append(rest[place])
        elif edit == "swap":
            letters.append(letter)
        place += 1
    return "".join(letters) or name[:1]


TRANSFORM = Transform(
    name="name_noise",
    neutral=0.0,
    lowest=0.0,
    highest=1.0,
    meaning="Share of the letters of names that are replaced, deleted, inserted or swapped.",
    apply=with_name_noise,
    needs="name",
    changes_names=True,
)
