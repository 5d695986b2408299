"""Objects of the hidden world, their nodes in both graphs, and the pairs of nodes.

An object is one real thing with up to two texts and one image in each graph; every node of it in
one graph matches every node of it in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.synthesis.nmmkg_settings import Knobs, ObjectCounts
from mmea_bench.datasets.core.synthesis.randomness import Int, Stream

_POPULARITY_EXPONENT = -0.6
_WEIGHT_UNIT = 2**32


@dataclass(frozen=True)
class Nodes:
    """Nodes of one graph.

    Attributes:
        objects: Object of each node, [n_nodes].
        is_visual: Whether a node is an image, [n_nodes].
        text: Text node of each object or -1, [n_objects].
        alias: Second text node of each object or -1, [n_objects].
        image: Image node of each object or -1, [n_objects].
    """

    objects: Int
    is_visual: NDArray[np.bool_]
    text: Int
    alias: Int
    image: Int


@dataclass(frozen=True)
class Groups:
    """A random partition into groups of one size; objects outside have position -1.

    Attributes:
        order: Members, group after group, [n_members].
        position: Place of each object in ``order`` or -1, [n_objects].
        size: Members of a group; the last may have fewer.
    """

    order: Int
    position: Int
    size: int

    def number(self, objects: Int) -> Int:
        """Group of each object, which must be members."""
        return self.position[objects] // self.size

    def fellow(self, objects: Int, uniform: NDArray[np.float64]) -> Int:
        """A member of the same group for each object, drawn with the uniform number; else -1."""
        start = self.number(objects) * self.size
        n_members = np.minimum(self.size, len(self.order) - start)
        found = self.order[
            np.minimum(start + (uniform * n_members), len(self.order) - 1).astype(int)
        ]
        return np.where(self.position[objects] >= 0, found, -1)


@dataclass(frozen=True)
class World:
    """What both graphs describe.

    Attributes:
        popular: Objects from popular to unpopular, [n_objects].
        popularity: Cumulated integer weights in that order, [n_objects].
        communities: Partition of all objects.
        text_families: Partition of the objects with a text.
        image_families: Partition of the objects with an image.
    """

    popular: Int
    popularity: Int
    communities: Groups
    text_families: Groups
    image_families: Groups

    def draw_popular(self, uniform: NDArray[np.float64]) -> Int:
        """One object per uniform number, by popularity weight rank^-0.6."""
        return self.popular[by_weight(self.popularity, uniform)]


def by_weight(cumulated: Int, uniform: NDArray[np.float64]) -> Int:
    """Positions drawn in proportion to weights that were cumulated as whole numbers."""
    place = np.searchsorted(cumulated, (uniform * int(cumulated[-1])).astype(np.int64), "right")
    return np.asarray(place, dtype=np.int64)


def power_weights(size: int, exponent: float) -> Int:
    """Cumulated weights rank^exponent as whole numbers, which no machine rounds otherwise."""
    weights = np.arange(1, size + 1, dtype=np.float64) ** exponent
    return np.cumsum(np.round(weights * _WEIGHT_UNIT).astype(np.int64))


def build_world(rng_seed: int, counts: ObjectCounts, knobs: Knobs) -> World:
    """Popularity, communities and families, all independent of each other and of the kinds."""
    everything = np.arange(counts.n_objects)
    n_texts = counts.c11 + counts.c10 + counts.c01 + counts.c00
    without_image = slice(counts.c11 + counts.c10 + counts.c01, n_texts)
    images = np.delete(everything, without_image)
    return World(
        popular=Stream(rng_seed, "nmmkg/popular").permutation(counts.n_objects),
        popularity=power_weights(counts.n_objects, _POPULARITY_EXPONENT),
        communities=_groups(rng_seed, "communities", everything, knobs.com, counts.n_objects),
        text_families=_groups(
            rng_seed, "text families", everything[:n_texts], knobs.fam, counts.n_objects
        ),
        image_families=_groups(rng_seed, "image families", images, knobs.fam, counts.n_objects),
    )


def build_nodes(counts: ObjectCounts) -> tuple[Nodes, Nodes]:
    """Nodes of source and target graph, ordered by object; ids are shuffled elsewhere."""
    ends = np.cumsum([counts.c11, counts.c10, counts.c01, counts.c00, counts.cw, counts.u1])
    c11, c10, c01, c00, cw, u1 = (int(end) for end in ends)
    every = np.arange(counts.n_objects)
    texts = every[:c00]
    with_image = (
        np.concatenate([every[:c10], every[c00:u1]]),
        np.concatenate([every[:c11], every[c10:c01], every[c00:cw], every[u1:]]),
    )
    aliases = (every[c11 : c11 + counts.e1], every[c10 : c10 + counts.e2])
    source, target = (
        _nodes(counts.n_objects, texts, aliases[side], with_image[side]) for side in range(2)
    )
    return source, target


def gold_pairs(source: Nodes, target: Nodes) -> Ids:
    """Every pair of nodes of one object, [n_pairs, 2] int32."""
    parts = []
    for mine in (source.text, source.alias, source.image):
        for theirs in (target.text, target.alias, target.image):
            both = (mine >= 0) & (theirs >= 0)
            parts.append(np.stack([mine[both], theirs[both]], axis=1))
    return np.concatenate(parts).astype(np.int32)


def _nodes(n_objects: int, texts: Int, aliases: Int, images: Int) -> Nodes:
    objects = np.concatenate([texts, aliases, images])
    starts = (0, len(texts), len(texts) + len(aliases))
    columns = []
    for start, owners in zip(starts, (texts, aliases, images), strict=True):
        column = np.full(n_objects, -1, dtype=np.int64)
        column[owners] = start + np.arange(len(owners))
        columns.append(column)
    return Nodes(objects, np.arange(len(objects)) >= starts[2], *columns)


def _groups(rng_seed: int, name: str, members: Int, size: int, n_objects: int) -> Groups:
    order = members[Stream(rng_seed, f"nmmkg/{name}").permutation(len(members))]
    position = np.full(n_objects, -1, dtype=np.int64)
    position[order] = np.arange(len(order))
    return Groups(order, position, size)
