"""The hidden world: entities with a type, a community and a popularity, and who stands where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.synthesis.randomness import Float, Int, Stream
from mmea_bench.datasets.core.synthesis.settings import Sizes


@dataclass(frozen=True, eq=False)
class World:
    """Facts about world entities, [n_world] each.

    Attributes:
        types: Type of each entity; small types exist beside large ones.
        communities: Community of each entity.
        popularity: Rank key of each entity; a popular entity is a hub on both sides.
        n_types: Number of types.
        n_communities: Number of communities.
    """

    types: Int
    communities: Int
    popularity: Float
    n_types: int
    n_communities: int


@dataclass(frozen=True, eq=False)
class Members:
    """The world entities of one KG, in the order of their ids there.

    Attributes:
        world_ids: World entity of each KG entity, [n_ent].
        shared: Whether the entity stands in the other KG too, [n_ent] bool.
    """

    world_ids: Int
    shared: NDArray[np.bool_]


def build_world(rng_seed: int, sizes: Sizes) -> World:
    """A world large enough for both KGs."""
    n_world = sum(sizes.entities) - sizes.shared
    everyone = np.arange(n_world)
    skewed = Stream(rng_seed, "world/type").uniform(everyone)
    return World(
        types=(sizes.types * skewed * np.sqrt(skewed)).astype(np.int64),
        communities=Stream(rng_seed, "world/community").below(everyone, sizes.communities),
        popularity=Stream(rng_seed, "world/popularity").uniform(everyone),
        n_types=sizes.types,
        n_communities=sizes.communities,
    )


def draw_members(rng_seed: int, sizes: Sizes) -> tuple[Members, Members, Int]:
    """Source members, target members and the anchor links, [n_links, 2].

    World entities ``0..shared-1`` stand in both KGs. Each KG numbers its entities in an order of
    its own, so that equal positions say nothing about the alignment.
    """
    n_src, n_tgt = sizes.entities
    source_order = Stream(rng_seed, "source/order").permutation(n_src)
    target_order = Stream(rng_seed, "target/order").permutation(n_tgt)
    source = Members(source_order, source_order < sizes.shared)
    is_shared = target_order < sizes.shared
    target = Members(
        np.where(is_shared, target_order, target_order - sizes.shared + n_src), is_shared
    )
    links = np.empty((sizes.shared, 2), dtype=np.int64)
    links[source_order[source.shared], 0] = np.flatnonzero(source.shared)
    links[target_order[is_shared], 1] = np.flatnonzero(is_shared)
    return source, target, links


@dataclass(frozen=True, eq=False)
class Group:
    """Entities of one KG sorted by group, the most popular of each group first.

    Attributes:
        order: Entity ids, [n_ent].
        start: First position of each group, [n_groups].
        size: Entities of each group, [n_groups].
    """

    order: Int
    start: Int
    size: Int

    def pick(self, groups: Int, uniform: Float) -> Int:
        """One entity per asked group, [b]; an empty group is served by the whole KG."""
        size = self.size[groups]
        start = np.where(size > 0, self.start[groups], 0)
        return np.asarray(
            self.order[start + skewed_rank(np.where(size, size, len(self.order)), uniform)]
        )


def group_by(groups: Int, n_groups: int, popularity: Float) -> Group:
    """Entities sorted by group, then by popularity."""
    order = np.lexsort((popularity, groups))
    size = np.bincount(groups, minlength=n_groups)
    return Group(order, np.cumsum(size) - size, size)


def skewed_rank(size: Int | int, uniform: Float) -> Int:
    """Ranks below ``size`` with hubs first: a power-law head and a thin tail of lonely entities.

    The density of the relative rank x falls like ``x ** (-1/3)`` at the popular end and reaches
    zero at the other one, so that degrees spread over two orders of magnitude as in FB15K.
    """
    spread = 1.0 - np.sqrt(1.0 - uniform)
    return np.asarray((size * (spread * np.sqrt(spread))).astype(np.int64))
