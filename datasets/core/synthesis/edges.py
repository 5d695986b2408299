"""Relation triples of both KGs: fine relations in the source, coarse ones in the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.synthesis.randomness import (
    Int,
    Stream,
    blocks,
    collect,
    sorted_unique,
    thin,
)
from mmea_bench.datasets.core.synthesis.settings import Sizes, SyntheticOptions
from mmea_bench.datasets.core.synthesis.world import Group, Members, World, group_by, skewed_rank

_TARGET_ONLY_RELATIONS = 0.12
_SOURCE_ONLY_RELATIONS = 0.10
_WITHIN_COMMUNITY = 0.4
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Relations:
    """A relation vocabulary: which relations an entity of a type has, and where they lead.

    Attributes:
        by_type: Relations grouped by the type of their head.
        tail_types: Type of the tail of each relation, [n_rel].
    """

    by_type: Group
    tail_types: Int

    def __len__(self) -> int:
        return len(self.tail_types)


def build_relations(rng_seed: int, sizes: Sizes, world: World) -> tuple[Relations, Relations, Int]:
    """Source relations, target relations, and the target relation of each source relation.

    Several source relations share a target relation, as FB15K's paths share a DBpedia property;
    -1 marks a source relation without counterpart, and some target relations have none either.
    """
    n_fine, n_coarse = sizes.relations
    coarse, fine = np.arange(n_coarse), np.arange(n_fine)
    rank = Stream(rng_seed, "relations/coarse").permutation(n_coarse)
    head_types = rank % world.n_types
    some_entity = Stream(rng_seed, "relations/tail").below(coarse, len(world.types))
    tail_types = world.types[some_entity]
    alone = Stream(rng_seed, "relations/target only").uniform(coarse) < _TARGET_ONLY_RELATIONS
    # The first relation of every type stays shared: no type may lose its whole vocabulary.
    shared = np.flatnonzero(~alone | (rank < world.n_types))
    turn = Stream(rng_seed, "relations/fine").permutation(n_fine)
    parent = shared[turn % len(shared)]
    unmapped = Stream(rng_seed, "relations/source only").uniform(fine) < _SOURCE_ONLY_RELATIONS
    popularity = Stream(rng_seed, "relations/popularity")
    source = Relations(
        group_by(head_types[parent], world.n_types, popularity.uniform(fine)), tail_types[parent]
    )
    target = Relations(
        group_by(head_types, world.n_types, popularity.uniform(n_fine + coarse)), tail_types
    )
    return source, target, np.where(unmapped & (turn >= len(shared)), -1, parent)


class EdgeSampler:
    """Draws triples of one KG as keys ``(head * n_rel + relation) * n_ent + tail``."""

    def __init__(
        self, rng_seed: int, side: str, world: World, members: Members, relations: Relations
    ) -> None:
        self._relations = relations
        self._types = world.types[members.world_ids]
        self._communities = world.communities[members.world_ids]
        self._n_communities = world.n_communities
        popularity = world.popularity[members.world_ids]
        self._by_popularity = np.argsort(popularity, kind="stable")
        self._by_type = group_by(self._types, world.n_types, popularity)
        cells = self._types * world.n_communities + self._communities
        self._by_cell = group_by(cells, world.n_types * world.n_communities, popularity)
        self._streams = {
            purpose: Stream(rng_seed, f"{side}/edges/{purpose}")
            for purpose in ("head", "relation", "tail", "local", "lonely", "thin")
        }

    @property
    def n_ent(self) -> int:
        """Entities of the KG."""
        return len(self._types)

    def sample(self, n_wanted: int, fixed: Int, forbidden: Int, block_rows: int) -> Int:
        """Keys of ``n_wanted`` distinct triples in which every entity occurs, sorted.

        Args:
            n_wanted: Number of triples.
            fixed: Keys that are in anyway, sorted.
            forbidden: Keys that must not be added, sorted.
            block_rows: Triples drawn at a time.
        """
        lonely = np.ones(self.n_ent, dtype=bool)
        lonely[fixed // (len(self._relations) * self.n_ent)] = False
        lonely[fixed % self.n_ent] = False
        heads = np.flatnonzero(lonely)
        # Two tries each, since the tail of a draw may be its head.
        tries = self._from_heads(np.repeat(heads, 2), np.arange(2 * len(heads)) - 2 * self.n_ent)
        first, second = tries[0::2], tries[1::2]
        rescue = np.where(first >= 0, first, second)
        fixed = sorted_unique(np.concatenate([fixed, rescue[rescue >= 0]]))
        return collect(self._draw, n_wanted, fixed, forbidden, self._streams["thin"], block_rows)

    def _draw(self, position: Int) -> Int:
        ranks = skewed_rank(self.n_ent, self._streams["head"].uniform(position))
        return self._from_heads(self._by_popularity[ranks], position)

    def _from_heads(self, heads: Int, position: Int) -> Int:
        uniform = self._streams["relation"].uniform(position)
        types = self._types[heads]
        vocabulary = self._relations.by_type
        ranks = (vocabulary.size[types] * (uniform * uniform * uniform)).astype(np.int64)
        relations = vocabulary.order[vocabulary.start[types] + ranks]
        tail_types = self._relations.tail_types[relations]
        uniform = self._streams["tail"].uniform(position)
        tails = self._by_type.pick(tail_types, uniform)
        cells = tail_types * self._n_communities + self._communities[heads]
        local = self._streams["local"].uniform(position) < _WITHIN_COMMUNITY
        local &= self._by_cell.size[cells] > 0
        tails[local] = self._by_cell.pick(cells[local], uniform[local])
        keys = (heads * len(self._relations) + relations) * self.n_ent + tails
        keys[heads == tails] = -1
        return np.asarray(keys)


def build_edges(
    options: SyntheticOptions,
    sizes: Sizes,
    world: World,
    members: tuple[Members, Members],
    links: Int,
    block_rows: int,
) -> tuple[Ids, Ids]:
    """Relation triples of source and target KG, [n_triples, 3] int32 each, sorted.

    The share ``edge_overlap`` of the target's triples repeats source triples between shared
    entities; none of the others does.
    """
    fine, coarse, coarse_of_fine = build_relations(options.seed, sizes, world)
    source = EdgeSampler(options.seed, "source", world, members[0], fine)
    source_keys = source.sample(sizes.triples[0], _NONE, _NONE, block_rows)
    source_triples = _triples(source_keys, len(fine), source.n_ent, block_rows)
    del source_keys
    target = EdgeSampler(options.seed, "target", world, members[1], coarse)
    to_target = np.full(source.n_ent, -1, dtype=np.int64)
    to_target[links[:, 0]] = links[:, 1]
    common = _translated(source_triples, to_target, coarse_of_fine, len(coarse), target.n_ent)
    stated = thin(
        common,
        round(options.edge_overlap * sizes.triples[1]),
        Stream(options.seed, "target/edges/common"),
    )
    target_keys = target.sample(sizes.triples[1], stated, common, block_rows)
    return source_triples, _triples(target_keys, len(coarse), target.n_ent, block_rows)


def _translated(
    triples: Ids, to_target: Int, coarse_of_fine: Int, n_coarse: int, n_tgt: int
) -> Int:
    heads, tails = to_target[triples[:, 0]], to_target[triples[:, 2]]
    relations = coarse_of_fine[triples[:, 1]]
    keep = (heads >= 0) & (tails >= 0) & (relations >= 0)
    keys = (heads[keep] * n_coarse + relations[keep]) * n_tgt + tails[keep]
    return sorted_unique(keys)


def _triples(keys: Int, n_rel: int, n_ent: int, block_rows: int) -> Ids:
    triples = np.empty((len(keys), 3), dtype=np.int32)
    for block in blocks(len(keys), block_rows):
        rest, tails = np.divmod(keys[block], n_ent)
        heads, relations = np.divmod(rest, n_rel)
        triples[block] = np.stack([heads, relations, tails], axis=1)
    return triples
