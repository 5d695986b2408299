"""Relation triples of the synthetic N-MMKG: TT, TV and VV, each with its own names.

A graph takes the share rho of its edges from a list that both graphs walk from its start, the
rest from a list of its own. An edge of a list joins objects; it becomes a triple where both have a
node of the needed modality, else it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.synthesis.nmmkg_settings import (
    IMAGE_OF_SHARE,
    RELATION_NAMES,
    TRIPLES,
    VV_SHARE,
    Knobs,
)
from mmea_bench.datasets.core.synthesis.nmmkg_world import Nodes, World, by_weight, power_weights
from mmea_bench.datasets.core.synthesis.randomness import Int, Stream

Scope = Literal["any", "community", "family"]

# Only their sum, 92.4 %, is published.
VV_NAMES: tuple[tuple[str, float, Scope], ...] = (
    ("sameAs", 0.300, "family"),
    ("contain", 0.260, "community"),
    ("nearBy", 0.204, "community"),
    ("similar", 0.160, "family"),
)
_KNOWN_NAMES = {
    "TT": ("bornIn", "locatedIn"),
    "TV": ("photoOf", "locatedIn", "bornIn"),
    "VV": ("beneath", "bornIn", "dressedIn"),
}
_SHARED_NAMES = 0.6
_MOST_ROUNDS = 12


@dataclass(frozen=True)
class EdgeList:
    """One list of edges between objects.

    Attributes:
        kind: ``TT``, ``TV`` or ``VV``.
        scope: Where tails come from: ``any`` follows ``p_com``.
        label: Name of the list, which seeds it.
    """

    kind: str
    scope: Scope
    label: str


def build_triples(
    rng_seed: int, scale: float, knobs: Knobs, world: World, sides: tuple[Nodes, Nodes]
) -> tuple[tuple[Ids, list[str]], tuple[Ids, list[str]]]:
    """Distinct (head, relation, tail) node triples and relation names of both graphs."""
    source, target = (
        _side(_Walk(rng_seed, knobs, world, nodes, side), scale) for side, nodes in enumerate(sides)
    )
    return source, target


def first_distinct(draw: Callable[[Int], Int], n_wanted: int, taken: Int) -> Int:
    """The first distinct keys of an endless list, in its order.

    Args:
        draw: Positions of the list to keys; a negative key is passed over.
        n_wanted: How many; fewer are returned where the list hardly has new ones.
        taken: Keys that do not count.
    """
    keys: Int = np.empty(0, dtype=np.int64)
    position = 0
    for attempt in range(_MOST_ROUNDS):
        missing = n_wanted - len(keys)
        if missing <= 0:
            break
        stop = position + ((2 * missing + 64) << attempt)
        fresh = draw(np.arange(position, stop))
        fresh = fresh[(fresh >= 0) & ~np.isin(fresh, taken)]
        both = np.concatenate([keys, fresh])
        keys = both[np.sort(np.unique(both, return_index=True)[1])]
        position = stop
    return keys[:n_wanted]


def with_every_name(names: Int, n_names: int) -> Int:
    """Names such that each of ``n_names`` occurs, as far as other names can spare an edge.

    A published vocabulary holds names that occur; at small sizes the rare ones would be lost.
    The last edges of the most frequent names are renamed.
    """
    counts = np.bincount(names, minlength=n_names)
    lacking = np.flatnonzero(counts == 0)
    spare = np.setdiff1d(np.arange(len(names)), np.unique(names, return_index=True)[1])
    spare = spare[np.argsort(counts[names[spare]], kind="stable")][::-1][: len(lacking)]
    renamed = names.copy()
    renamed[spare] = lacking[: len(spare)]
    return renamed


def vocabulary(
    rng_seed: int, prefix: str, side: int, size: int, known: tuple[str, ...] = ()
) -> list[str]:
    """Names by rank: the known ones, then made-up ones of which 60 % stand in both graphs."""
    is_shared = Stream(rng_seed, f"nmmkg/names/{prefix}").uniform(np.arange(size)) < _SHARED_NAMES
    made_up = [
        f"{prefix}{rank:03d}" + ("" if is_shared[rank] else f"-kg{side + 1}")
        for rank in range(len(known), size)
    ]
    return [*known, *made_up]


@dataclass(frozen=True)
class _Walk:
    """One graph's way along the lists."""

    rng_seed: int
    knobs: Knobs
    world: World
    nodes: Nodes
    side: int

    def triples(self, edges: EdgeList, n_wanted: int, n_names: int) -> Ids:
        """Triples with the rank of a name in the middle, [n, 3]; Zipf exponent 1 over ranks."""
        n_nodes = len(self.nodes.objects)
        zipf = power_weights(n_names, -1.0)

        def keys(owner: str) -> Callable[[Int], Int]:
            return lambda positions: self._keys(edges, owner, positions, zipf)

        none = np.empty(0, dtype=np.int64)
        common = first_distinct(keys("world"), round(self.knobs.rho * n_wanted), none)
        own = first_distinct(keys(f"side{self.side}"), n_wanted - len(common), common)
        found = np.concatenate([common, own])
        ends, names = found // n_names, with_every_name(found % n_names, n_names)
        return np.stack([ends // n_nodes, names, ends % n_nodes], axis=1).astype(np.int32)

    def _keys(self, edges: EdgeList, owner: str, positions: Int, zipf: Int) -> Int:
        def uniform(what: str) -> NDArray[np.float64]:
            name = f"nmmkg/{edges.label}/{owner}/{what}"
            return Stream(self.rng_seed, name).uniform(positions)

        heads = self.world.draw_popular(uniform("head"))
        tails = self._tails(edges.scope, heads, uniform)
        is_known = (tails >= 0) & (tails != heads)
        tails = np.maximum(tails, 0)
        forward = uniform("direction") < 0.5
        head_is_image = np.full(len(positions), edges.kind == "VV")
        tail_is_image = head_is_image
        if edges.kind == "TV":
            head_is_image, tail_is_image = forward, ~forward
        head = self._node(heads, head_is_image, f"{edges.label}/{owner}/head", positions)
        tail = self._node(tails, tail_is_image, f"{edges.label}/{owner}/tail", positions)
        name = by_weight(zipf, uniform("name"))
        key = (head * len(self.nodes.objects) + tail) * len(zipf) + name
        return np.where(is_known & (head >= 0) & (tail >= 0), key, -1)

    def _tails(
        self, scope: Scope, heads: Int, uniform: Callable[[str], NDArray[np.float64]]
    ) -> Int:
        if scope == "family":
            return self.world.image_families.fellow(heads, uniform("fellow"))
        near = self.world.communities.fellow(heads, uniform("fellow"))
        if scope == "community":
            return near
        is_near = uniform("near") < self.knobs.p_com
        return np.where(is_near, near, self.world.draw_popular(uniform("tail")))

    def _node(self, objects: Int, as_image: NDArray[np.bool_], label: str, positions: Int) -> Int:
        """Node of each object in a modality or -1; objects with two texts use either."""
        alias = self.nodes.alias[objects]
        stream = Stream(self.rng_seed, f"nmmkg/{label}/side{self.side}/alias")
        use_alias = (alias >= 0) & (stream.uniform(positions) < 0.5)
        text = np.where(use_alias, alias, self.nodes.text[objects])
        return np.where(as_image, self.nodes.image[objects], text)


def _side(walk: _Walk, scale: float) -> tuple[Ids, list[str]]:
    total = round(TRIPLES[walk.side] * scale)
    names: list[str] = []
    parts: list[Ids] = []

    def add(triples: Ids, own_names: list[str]) -> None:
        rank = {name: place for place, name in enumerate(dict.fromkeys([*names, *own_names]))}
        names[:] = rank
        triples[:, 1] = np.array([rank[name] for name in own_names])[triples[:, 1]]
        parts.append(triples)

    def named(kind: str, n_fixed: int) -> list[str]:
        size = RELATION_NAMES[kind][walk.side] - n_fixed
        return vocabulary(walk.rng_seed, kind.lower(), walk.side, size, _KNOWN_NAMES[kind])

    has_both = (walk.nodes.text >= 0) & (walk.nodes.image >= 0)
    image, text = walk.nodes.image[has_both], walk.nodes.text[has_both]
    add(np.stack([image, np.zeros_like(image), text], axis=1).astype(np.int32), ["imageOf"])
    n_other = round(len(image) * (1 / IMAGE_OF_SHARE - 1))
    cross = named("TV", 1)
    add(walk.triples(EdgeList("TV", "any", "TV"), n_other, len(cross)), cross)
    n_visual = int(VV_SHARE * total)
    n_named = 0
    for name, share, scope in VV_NAMES:
        n_wanted = round(share * n_visual)
        add(walk.triples(EdgeList("VV", scope, f"VV/{name}"), n_wanted, 1), [name])
        n_named += n_wanted
    rare = named("VV", len(VV_NAMES))
    add(walk.triples(EdgeList("VV", "any", "VV"), n_visual - n_named, len(rare)), rare)
    n_texts = total - sum(map(len, parts))
    common = named("TT", 0)
    add(walk.triples(EdgeList("TT", "any", "TT"), n_texts, len(common)), common)
    return np.concatenate(parts), names
