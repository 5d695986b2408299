"""Attribute triples of both KGs: fine attributes in the target, coarse ones in the source."""

from __future__ import annotations

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids, Text
from mmea_bench.datasets.core.synthesis.randomness import (
    Float,
    Int,
    Stream,
    blocks,
    collect,
    sorted_unique,
    thin,
)
from mmea_bench.datasets.core.synthesis.settings import Sizes, SyntheticOptions
from mmea_bench.datasets.core.synthesis.world import Members, World

_SMALLEST_TYPE_VOCABULARY = 12
_VALUE_ERROR = np.float32(0.05)
_KINDS = 3  # years, measures, counts
_NONE = np.empty(0, dtype=np.int64)


class FactSampler:
    """Draws attribute triples of one KG as keys ``entity * n_attr + attribute``.

    Each type owns a window of the fine attributes, the frequent ones first; windows overlap, as a
    birth date belongs to several types. ``coarse_of_fine`` merges neighbours of the fine list.
    """

    def __init__(
        self, rng_seed: int, side: str, world: World, members: Members, sizes: Sizes
    ) -> None:
        n_fine = sizes.attributes[1]
        step = -(-n_fine // world.n_types)
        self._n_fine, self._step = n_fine, step
        self._window = min(n_fine, max(_SMALLEST_TYPE_VOCABULARY, step))
        self._types = world.types[members.world_ids]
        self._streams = {
            purpose: Stream(rng_seed, f"{side}/facts/{purpose}")
            for purpose in ("entity", "attribute", "thin")
        }
        self.coarse_of_fine = coarse_attributes(sizes) if side == "source" else np.arange(n_fine)
        self.n_attr = int(self.coarse_of_fine.max()) + 1

    def sample(self, n_wanted: int, fixed: Int, forbidden: Int, block_rows: int) -> Int:
        """Keys of ``n_wanted`` distinct attribute triples, sorted."""
        return collect(self._draw, n_wanted, fixed, forbidden, self._streams["thin"], block_rows)

    def _draw(self, position: Int) -> Int:
        entities = self._streams["entity"].below(position, len(self._types))
        uniform = self._streams["attribute"].uniform(position)
        slot = (self._window * (uniform * uniform)).astype(np.int64)
        fine = (self._types[entities] * self._step + slot) % self._n_fine
        return np.asarray(entities * self.n_attr + self.coarse_of_fine[fine])


def coarse_attributes(sizes: Sizes) -> Int:
    """The source attribute that each target attribute belongs to, [n_attr of the target]."""
    n_coarse, n_fine = sizes.attributes
    return np.arange(n_fine) * min(n_coarse, n_fine) // n_fine


def build_facts(
    options: SyntheticOptions,
    sizes: Sizes,
    world: World,
    members: tuple[Members, Members],
    links: Int,
    block_rows: int,
) -> tuple[tuple[Ids, Text], tuple[Ids, Text]]:
    """Attribute triples [n, 2] int32 and values [n] of source and target KG.

    The share ``attribute_noise`` of the source's triples on shared entities has no counterpart in
    the target.
    """
    target = FactSampler(options.seed, "target", world, members[1], sizes)
    target_keys = target.sample(sizes.attribute_triples[1], _NONE, _NONE, block_rows)
    source = FactSampler(options.seed, "source", world, members[0], sizes)
    to_source = np.full(len(members[1].world_ids), -1, dtype=np.int64)
    to_source[links[:, 1]] = links[:, 0]
    entities, attributes = np.divmod(target_keys, target.n_attr)
    partners = to_source[entities]
    common = partners * source.n_attr + source.coarse_of_fine[attributes]
    common = sorted_unique(common[partners >= 0])
    n_common = round((1.0 - options.attribute_noise) * sizes.attribute_triples[0])
    stated = thin(common, n_common, Stream(options.seed, "source/facts/common"))
    source_keys = source.sample(sizes.attribute_triples[0], stated, common, block_rows)
    error = options.attribute_noise
    return (
        _with_values(
            options.seed, source_keys, members[0], np.arange(source.n_attr), error, block_rows
        ),
        _with_values(options.seed, target_keys, members[1], source.coarse_of_fine, 0.0, block_rows),
    )


def _with_values(
    rng_seed: int, keys: Int, members: Members, topics: Int, error: float, block_rows: int
) -> tuple[Ids, Text]:
    """Triples and values; ``topics`` names what an attribute measures, alike on both sides."""
    facts = np.empty((len(keys), 2), dtype=np.int32)
    values = np.empty(len(keys), dtype=object)
    n_topics = int(topics.max()) + 1
    truth = Stream(rng_seed, "world/value")
    wrong, shift = Stream(rng_seed, "value/wrong"), Stream(rng_seed, "value/shift")
    for block in blocks(len(keys), block_rows):
        entities, attributes = np.divmod(keys[block], len(topics))
        facts[block] = np.stack([entities, attributes], axis=1)
        topic = topics[attributes]
        position = members.world_ids[entities] * n_topics + topic
        latent = truth.uniform(position)
        is_wrong = wrong.uniform(position) < error
        latent = np.where(is_wrong, latent + _VALUE_ERROR * shift.normal(position), latent)
        values[block] = _literals(topic % _KINDS, np.clip(latent, 0.0, 1.0))
    return facts, values


def _literals(kinds: Int, latent: Float) -> list[str]:
    years = 1800.0 + 220.0 * latent
    measures = 500.0 * latent
    counts = 1e6 * (latent * latent * latent)
    numbers = np.choose(kinds, [years, measures, counts])
    return [
        f"{number:.2f}" if is_measure else str(int(number))
        for number, is_measure in zip(numbers.tolist(), (kinds == 1).tolist(), strict=True)
    ]
