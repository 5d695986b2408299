"""Splits of the anchor links: pure functions of (links, seed ratio, seed)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.graph import Ids, frozen_array

SMALLEST_SEED_RATIO = 0.01
LARGEST_SEED_RATIO = 0.95

_NO_IDS: Ids = np.empty(0, dtype=np.int32)
_NO_IDS.setflags(write=False)


def is_seed_ratio(ratio: float) -> bool:
    """Whether a share of seeds can be asked for: none at all, or enough to train on."""
    return ratio == 0.0 or SMALLEST_SEED_RATIO <= ratio <= LARGEST_SEED_RATIO


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint parts of the anchor links, and of the entities known to have none.

    Attributes:
        seed_links: Links a method trains on, [n_seed, 2].
        valid_links: Links held out for stopping, [n_valid, 2]; empty where there are none.
        test_links: Links that are only ever evaluated, [n_test, 2].
        valid_dangling: Dangling entities of source and target KG that choose a threshold, ids.
        test_dangling: Those that are only ever evaluated.
        valid_were_seeds: Whether validation links were held out of the seeds, not of the others.
    """

    seed_links: Ids
    valid_links: Ids
    test_links: Ids
    valid_dangling: tuple[Ids, Ids] = (_NO_IDS, _NO_IDS)
    test_dangling: tuple[Ids, Ids] = (_NO_IDS, _NO_IDS)
    valid_were_seeds: bool = True

    def without_test(self) -> Split:
        """The split for who must not see a test link or a dangling test entity."""
        return replace(self, test_links=self.test_links[:0], test_dangling=(_NO_IDS, _NO_IDS))


def with_dangling(split: Split, dangling: tuple[Ids, Ids], rng_seed: int) -> Split:
    """The split with dangling entities cut in the proportion of its validation and test links.

    Without validation links all of them are test entities. Two or more of a KG leave at least one
    on either side.

    Args:
        split: The links.
        dangling: Entities of source and target KG that are known to have no partner, ids.
        rng_seed: Seed of the choice, that of the split.
    """
    n_valid, n_test = len(split.valid_links), len(split.test_links)
    share = n_valid / max(n_valid + n_test, 1)
    parts: list[list[Ids]] = []
    for side, ids in enumerate(dangling):
        n_first = 0
        if n_valid and len(ids) > 1:
            n_first = min(max(round(share * len(ids)), 1), len(ids) - 1)
        order = np.random.default_rng((rng_seed, side)).permutation(len(ids))
        parts.append([ids[rows] for rows in np.split(order, [n_first])])
        for part in parts[-1]:
            frozen_array(part)
    (valid_source, test_source), (valid_target, test_target) = parts
    return replace(
        split,
        valid_dangling=(valid_source, valid_target),
        test_dangling=(test_source, test_target),
    )


def split_links(
    anchor_links: Ids, seed_ratio: float, rng_seed: int, valid_share: float = 0.0
) -> Split:
    """Random split in which the seeds are the same whatever share of them is held out.

    With one ``rng_seed`` the seeds of a smaller ratio are the first of those of a larger one. At a
    ratio of 0 all links are test links.

    The shuffled links are cut at ``floor(n * seed_ratio)``, as every released code does; the
    held-out links are the last ``round(valid_share * n_seed)`` of the seeds.

    Args:
        anchor_links: All known pairs in canonical order, [n_links, 2].
        seed_ratio: Share of the links that are seeds.
        rng_seed: Seed of the shuffle; derived from (dataset, repeat) alone.
        valid_share: Share of the seeds that is held out for validation.

    Raises:
        DataError: If the ratio is out of range or a part would be empty.
    """
    _check_ratio("Seed ratio", seed_ratio)
    if not 0.0 <= valid_share < 1.0:
        raise DataError(f"The share of validation links must be in [0, 1), not {valid_share}.")
    n_links = len(anchor_links)
    if n_links and not seed_ratio:
        return _parts(np.random.default_rng(rng_seed).permutation(anchor_links), 0, 0)
    # The small term keeps 0.2 * 15 = 3.0000000000000004-like products on the right side.
    n_seed = int(np.floor(n_links * seed_ratio + 1e-9))
    n_valid = round(valid_share * n_seed)
    if n_seed - n_valid < 1 or n_links - n_seed < 1 or (valid_share > 0 and n_valid < 1):
        raise DataError(
            f"{n_links} anchor links cannot be split at seed ratio {seed_ratio} with "
            f"{valid_share:.0%} of the seeds for validation. Use more links or another ratio."
        )
    order: NDArray[np.int64] = np.random.default_rng(rng_seed).permutation(n_links)
    return _parts(anchor_links[order], n_seed - n_valid, n_seed)


def split_pairs(
    anchor_links: Ids, share: float, rng_seed: int, valid_share_of_all: float = 0.1
) -> Split:
    """Random split whose validation pairs are no part of the training share.

    So an N-MMKG's pairs are split, drawn over pairs and not over nodes, and so TMEA's
    code splits anchor links. The training pairs are the first ``floor(n * share)`` of the shuffled
    pairs, the validation pairs the next ``round(n * valid_share_of_all)``, the test pairs the
    rest. Each training share of one shuffle holds the smaller ones, and equals the seeds of
    ``split_links``. A node that stands in several pairs may stand in several parts (CrossEA,
    appendix B; the kinds are not balanced).

    Args:
        anchor_links: All known pairs in canonical order, [n_pairs, 2].
        share: Share of all pairs that a method trains on; the paper has 0.1, 0.3 and 0.5.
        rng_seed: Seed of the shuffle; derived from (dataset, repeat) alone.
        valid_share_of_all: Share of all pairs that is kept for validation.

    Raises:
        DataError: If a share is out of range or a part would be empty.
    """
    _check_ratio("Training share", share)
    if not 0.0 <= valid_share_of_all < 1.0:
        raise DataError(
            f"The share of validation pairs must be in [0, 1), not {valid_share_of_all}."
        )
    n_pairs = len(anchor_links)
    n_train = int(np.floor(n_pairs * share + 1e-9))
    n_valid = round(n_pairs * valid_share_of_all)
    n_test = n_pairs - n_train - n_valid
    has_all = n_train > 0 or not share
    if not has_all or n_test < 1 or (valid_share_of_all > 0 and n_valid < 1):
        raise DataError(
            f"{n_pairs} pairs cannot be split into {share:.0%} for training, "
            f"{valid_share_of_all:.0%} for validation and a test part. Use more pairs or smaller "
            "shares."
        )
    order: NDArray[np.int64] = np.random.default_rng(rng_seed).permutation(n_pairs)
    split = _parts(anchor_links[order], n_train, n_train + n_valid)
    return replace(split, valid_were_seeds=False)


def _check_ratio(what: str, ratio: float) -> None:
    if not is_seed_ratio(ratio):
        bounds = f"{SMALLEST_SEED_RATIO}..{LARGEST_SEED_RATIO}"
        raise DataError(f"{what} {ratio} is neither 0 nor in {bounds}.")


def _parts(shuffled: Ids, first: int, second: int) -> Split:
    """The parts as arrays of their own: a slice would lead to all links through its base."""
    seeds, valid, test = (part.copy() for part in np.split(shuffled, [first, second]))
    for part in (seeds, valid, test):
        frozen_array(part)
    return Split(seeds, valid, test)
