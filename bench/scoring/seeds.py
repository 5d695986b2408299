"""Random seeds derived from named axes, so that no number depends on the order of a run."""

from __future__ import annotations

import hashlib
import json

_N_SEEDS = 2**32


def split_seed(dataset: str, repeat: int) -> int:
    """Seed of a split.

    No method is an axis, so in one repeat all methods share their seed links. The seed ratio is
    none either: the links are shuffled alike for all ratios and cut at different places, so that
    smaller sets of seeds are prefixes of larger ones and a curve over ratios adds links only.

    Args:
        dataset: Canonical dataset address.
        repeat: Counted from 1.

    Returns:
        A number in ``[0, 2**32)``.
    """
    return _hashed(purpose="split", dataset=dataset, repeat=repeat)


def rng_seed(method: str, dataset: str, seed_ratio: float, repeat: int) -> int:
    """Seed of a training.

    The variant is no axis: a method and its ablation start from the same numbers, which makes
    their comparison a paired one.

    Args:
        method: Catalogue name.
        dataset: Canonical dataset address.
        seed_ratio: Share of the anchor links that are seeds.
        repeat: Counted from 1.

    Returns:
        A number in ``[0, 2**32)``.
    """
    return _hashed(
        purpose="training", method=method, dataset=dataset, seed_ratio=seed_ratio, repeat=repeat
    )


def _hashed(**axes: object) -> int:
    digest = hashlib.sha256(json.dumps(axes, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:4], "big") % _N_SEEDS
