"""Random numbers that belong to a text, so that they depend on no order, size or other text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.pair import KGPair


def priorities(purpose: str, texts: Iterable[str], seed: int) -> NDArray[np.uint64]:
    """A random number for each text, [n].

    Whoever takes the texts with the smallest numbers gets, for a smaller share, part of what they
    get for a larger one.

    Args:
        purpose: What the numbers are for; other purposes get independent ones.
        texts: Such as URIs.
        seed: Another one gives other numbers.
    """
    start = hashlib.sha256(f"{purpose}\x00{seed}\x00".encode())
    found = []
    for text in texts:
        digest = start.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        found.append(int.from_bytes(digest.digest()[:8], "big"))
    return np.array(found, dtype=np.uint64)


def link_priorities(purpose: str, pair: KGPair, seed: int) -> NDArray[np.uint64]:
    """As ``priorities``, for each anchor link by the URIs of its ends, [n_links]."""
    links = pair.anchor_links
    ends = zip(pair.source.entities[links[:, 0]], pair.target.entities[links[:, 1]], strict=True)
    return priorities(purpose, ("\x00".join(both) for both in ends), seed)


def first_share(purpose: str, texts: Iterable[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each text is among the first ``round(share * n)`` in a random order, [n].

    With one seed, those of a smaller share are among those of a larger one.
    """
    numbers = priorities(purpose, texts, seed)
    order = np.argsort(numbers, kind="stable")
    chosen = np.zeros(len(numbers), dtype=bool)
    chosen[order[: round(share * len(numbers))]] = True
    return chosen
