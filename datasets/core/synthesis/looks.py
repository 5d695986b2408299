"""Image features of both KGs: two pictures of one look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.synthesis.randomness import Int, Stream, blocks
from mmea_bench.datasets.core.synthesis.settings import Sizes, SyntheticOptions
from mmea_bench.datasets.core.synthesis.world import Members, World

_Rows = NDArray[np.float32]

# How much of a look comes from the type, the community and the entity itself.
_TYPE_WEIGHT = np.float32(1.0)
_COMMUNITY_WEIGHT = np.float32(0.4)
_OWN_WEIGHT = np.float32(0.4)


def build_looks(
    options: SyntheticOptions,
    sizes: Sizes,
    world: World,
    members: tuple[Members, Members],
    block_rows: int,
) -> tuple[Features, Features]:
    """Image features of source and target KG, non-negative, not normalised."""
    types = _table(options, "type", world.n_types)
    communities = _table(options, "community", world.n_communities)
    centres = (types * _TYPE_WEIGHT, communities * _COMMUNITY_WEIGHT)
    return (
        _side(options, "source", sizes.image_shares[0], world, members[0], centres, block_rows),
        _side(options, "target", sizes.image_shares[1], world, members[1], centres, block_rows),
    )


def _side(
    options: SyntheticOptions,
    side: str,
    share: float,
    world: World,
    members: Members,
    centres: tuple[_Rows, _Rows],
    block_rows: int,
) -> Features:
    has_image = Stream(options.seed, f"{side}/image/present").uniform(members.world_ids) < share
    values = np.zeros((len(has_image), options.image_dim), dtype=np.float32)
    own = Stream(options.seed, "world/look")
    picture = Stream(options.seed, f"{side}/image/picture")
    noise = np.float32(options.picture_noise)
    owners = np.flatnonzero(has_image)
    for block in blocks(len(owners), max(1, block_rows // options.image_dim)):
        world_ids = members.world_ids[owners[block]]
        look = centres[0][world.types[world_ids]] + centres[1][world.communities[world_ids]]
        cells = _cells(world_ids, options.image_dim)
        look += _OWN_WEIGHT * own.normal(cells)
        look += noise * picture.normal(cells)
        # Activations after a rectifier, as the last layers of VGG and ResNet give them.
        values[owners[block]] = np.maximum(look, np.float32(0.0))
    return Features(values, has_image)


def _table(options: SyntheticOptions, what: str, n_rows: int) -> _Rows:
    return Stream(options.seed, f"world/look of {what}").normal(
        _cells(np.arange(n_rows), options.image_dim)
    )


def _cells(rows: Int, dim: int) -> Int:
    """Positions of the entries of a matrix with these rows, [b, dim]."""
    return np.asarray(rows[:, None] * dim + np.arange(dim)[None, :])
