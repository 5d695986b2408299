"""Attribute triples and labels of the synthetic N-MMKG."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.graph import Ids, Text, text_array
from mmea_bench.datasets.core.synthesis.names import misspelt, pseudo_words
from mmea_bench.datasets.core.synthesis.nmmkg_settings import (
    ATTRIBUTE_NAMES,
    ATTRIBUTE_TRIPLES,
    Knobs,
)
from mmea_bench.datasets.core.synthesis.nmmkg_triples import (
    first_distinct,
    vocabulary,
    with_every_name,
)
from mmea_bench.datasets.core.synthesis.nmmkg_world import Nodes, World, by_weight, power_weights
from mmea_bench.datasets.core.synthesis.randomness import Int, Stream

_AGREEING = 0.7
_LARGEST_VALUE = 10_000
_IMAGE_ATTRIBUTES = ("width", "height", "format", "size", "colours", "source")
_EDITED_LABELS = 0.3


def build_facts(
    rng_seed: int, scale: float, knobs: Knobs, side: int, nodes: Nodes
) -> tuple[Ids, Text, list[str]]:
    """(node, attribute) ids, values, and attribute names of one graph.

    An image has one attribute, texts share the rest with Zipf frequencies.
    """
    images = np.flatnonzero(nodes.is_visual)
    n_text_facts = max(0, round(ATTRIBUTE_TRIPLES[side] * scale) - len(images))
    n_names = ATTRIBUTE_NAMES["text"][side]
    text_facts = _text_facts(rng_seed, knobs, side, nodes, n_text_facts, n_names)
    drawn = Stream(rng_seed, "nmmkg/image attribute").below(
        nodes.objects[images], len(_IMAGE_ATTRIBUTES)
    )
    image_facts = np.stack([images, n_names + drawn], axis=1)
    facts = np.concatenate([text_facts, image_facts])
    # The graphs have different numbers of names; negative places are those of images in both.
    places = np.where(facts[:, 1] < n_names, facts[:, 1], n_names - 1 - facts[:, 1])
    values = _values(rng_seed, side, nodes.objects[facts[:, 0]], places)
    names = [*vocabulary(rng_seed, "attribute", side, n_names), *_IMAGE_ATTRIBUTES]
    return facts.astype(np.int32), text_array(map(str, values.tolist())), names


def build_labels(rng_seed: int, side: int, world: World, nodes: Nodes) -> Text:
    """Two or three words of the family and one of the object for texts, file names for images."""
    n_objects = len(nodes.text)
    words = pseudo_words(rng_seed, round(200 + 6 * math.sqrt(n_objects)))
    labels: list[str] = []
    texts = np.flatnonzero(~nodes.is_visual)
    families = world.text_families.number(nodes.objects[texts])
    pick = Stream(rng_seed, "nmmkg/label/family")
    family_words = pick.below(families[:, None] * 4 + np.arange(3), len(words)).tolist()
    lengths = (2 + pick.below(families * 4 + 3, 2)).tolist()
    own = Stream(rng_seed, "nmmkg/label/own").below(nodes.objects[texts], len(words)).tolist()
    edits = Stream(rng_seed, f"nmmkg/label/edit/side{side}")
    is_edited = (edits.uniform(2 * texts) < _EDITED_LABELS).tolist()
    bits = edits.bits(2 * texts + 1).tolist()
    for row in range(len(texts)):
        parts = [*family_words[row][: lengths[row]], own[row]]
        label = " ".join(words[part] for part in parts)
        labels.append(misspelt(label, bits[row], most_edits=1) if is_edited[row] else label)
    images = np.flatnonzero(nodes.is_visual)
    codes = Stream(rng_seed, f"nmmkg/label/image/side{side}").bits(images).tolist()
    labels += [f"img-{code:016x}.jpg" for code in codes]
    return text_array(labels)  # nodes are ordered: texts first


def _text_facts(
    rng_seed: int, knobs: Knobs, side: int, nodes: Nodes, n_wanted: int, n_names: int
) -> Int:
    zipf = power_weights(n_names, -1.0)
    owners = np.flatnonzero(nodes.text >= 0)

    def keys(positions: Int, owner: str) -> Int:
        def uniform(what: str) -> NDArray[np.float64]:
            return Stream(rng_seed, f"nmmkg/facts/{owner}/{what}").uniform(positions)

        objects = owners[(uniform("object") * len(owners)).astype(np.int64)]
        use_alias = (nodes.alias[objects] >= 0) & (uniform(f"alias{side}") < 0.5)
        node = np.where(use_alias, nodes.alias[objects], nodes.text[objects])
        return node * n_names + by_weight(zipf, uniform("name"))

    none = np.empty(0, dtype=np.int64)
    common = first_distinct(lambda place: keys(place, "world"), round(knobs.rho * n_wanted), none)
    own = first_distinct(lambda place: keys(place, f"side{side}"), n_wanted - len(common), common)
    found = np.concatenate([common, own])
    return np.stack([found // n_names, with_every_name(found % n_names, n_names)], axis=1)


def _values(rng_seed: int, side: int, objects: Int, places: Int) -> Int:
    """Value of an attribute of an object; the target graph agrees with the share of 0.7."""
    position = objects * 256 + places % 256
    values = Stream(rng_seed, "nmmkg/value").below(position, _LARGEST_VALUE)
    if side == 0:
        return values
    agrees = Stream(rng_seed, "nmmkg/value/agrees").uniform(position) < _AGREEING
    other = 1 + Stream(rng_seed, "nmmkg/value/other").below(position, _LARGEST_VALUE - 1)
    return np.where(agrees, values, (values + other) % _LARGEST_VALUE)
