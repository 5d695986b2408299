"""``dangling``: entities whose partners are hidden from the other KG."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.priorities import link_priorities
from mmea_bench.datasets.core.transforms.induced import Flags, induced, new_ids
from mmea_bench.datasets.core.transforms.transform import Transform


def with_dangling(pair: KGPair, share: float, seed: int) -> KGPair:
    """The dataset with one end of ``round(share * n)`` of its n links hidden.

    Links stand in a random order; of the first ones, target and source end disappear in turn, with
    their triples, attributes, features and links. Whoever had a partner and has none left is
    dangling (``KGPair.dangling``). More of it hides what less of it hides, and more. Published
    splits keep the links that are left.
    """
    links = pair.anchor_links
    numbers = link_priorities("dangling", pair, seed)
    chosen = np.argsort(numbers, kind="stable")[: round(share * len(links))]
    kept_source = _all_but(links[chosen[1::2], 0], pair.source.n_entities)
    kept_target = _all_but(links[chosen[::2], 1], pair.target.n_entities)
    is_left = kept_source[links[:, 0]] & kept_target[links[:, 1]]
    left = induced(pair, kept_source, kept_target)
    hidden = (
        new_ids(kept_source, _without_partner(links[:, 0], is_left)),
        new_ids(kept_target, _without_partner(links[:, 1], is_left)),
    )
    source, target = (np.union1d(*both) for both in zip(left.dangling, hidden, strict=True))
    return replace(left, dangling=(source, target), version="")


def _all_but(hidden: Ids, size: int) -> Flags:
    kept = np.ones(size, dtype=bool)
    kept[hidden] = False
    return kept


def _without_partner(ends: Ids, is_left: Flags) -> Ids:
    """Entities that had a link and have none, ascending."""
    return np.setdiff1d(ends[~is_left], ends[is_left])


TRANSFORM = Transform(
    name="dangling",
    neutral=0.0,
    lowest=0.0,
    highest=0.9,
    meaning="Share of the anchor links of which one end, in turn, is hidden from its KG.",
    apply=with_dangling,
)
