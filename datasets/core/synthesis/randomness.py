"""Random numbers by position, so that content does not depend on the size of a block.

Draw ``i`` of a stream is a hash of the stream's key and ``i`` (the finaliser of SplitMix64, Steele
et al. 2014). Only integer operations, products and square roots follow, which IEEE 754 rounds
alike on every machine; powers and logarithms are avoided on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_MOST_ROUNDS = 8


class Stream:
    """An endless sequence of random numbers that can be read at any position.

    Args:
        rng_seed: Seed of the dataset.
        name: What the numbers are for; every purpose has its own sequence.
    """

    def __init__(self, rng_seed: int, name: str) -> None:
        digest = hashlib.blake2b(f"{rng_seed}/{name}".encode(), digest_size=8).digest()
        self._key = np.uint64(int.from_bytes(digest, "little"))

    def bits(self, position: NDArray[np.integer]) -> NDArray[np.uint64]:
        """64 random bits per position, same shape."""
        mixed = position.astype(np.uint64)
        mixed *= _GOLDEN
        mixed += self._key
        for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
            mixed ^= mixed >> shift
            mixed *= multiplier
        mixed ^= mixed >> _SHIFTS[2]
        return mixed

    def uniform(self, position: NDArray[np.integer]) -> Float:
        """Uniform numbers in [0, 1), same shape as the positions."""
        return (self.bits(position) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, position: NDArray[np.integer], size: int) -> Int:
        """Uniform whole numbers in 0..size-1, same shape as the positions."""
        return (self.uniform(position) * size).astype(np.int64)

    def normal(self, position: NDArray[np.integer]) -> NDArray[np.float32]:
        """Nearly normal numbers (mean 0, variance 1, at most 3.5), same shape as the positions."""
        bits = self.bits(np.ascontiguousarray(position))
        # The sum of four 16-bit uniforms is bell-shaped and costs one hash, no logarithm.
        total = np.zeros(bits.shape, dtype=np.int64)
        for shift in (0, 16, 32, 48):
            total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
        scale = np.float32(1.0 / (65536.0 * np.sqrt(4.0 / 12.0)))
        return (total - 131070).astype(np.float32) * scale

    def permutation(self, size: int) -> Int:
        """A random order of 0..size-1."""
        return np.argsort(self.bits(np.arange(size)), kind="stable").astype(np.int64)


def blocks(size: int, block_rows: int) -> Iterator[slice]:
    """Slices that cover ``range(size)`` in order."""
    for start in range(0, size, block_rows):
        yield slice(start, min(start + block_rows, size))


def sorted_unique(keys: Int) -> Int:
    """The distinct keys in ascending order; sorts its argument in place."""
    keys.sort()
    keep = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=keep[1:])
    return keys[keep]


def thin(keys: Int, n_wanted: int, stream: Stream) -> Int:
    """A random subset of distinct keys, in their order; all of them if there are too few."""
    if n_wanted >= len(keys):
        return keys
    if n_wanted <= 0:
        return keys[:0]
    bits = stream.bits(keys)
    return np.asarray(keys[bits <= np.partition(bits, n_wanted - 1)[n_wanted - 1]])


def is_among(keys: Int, sorted_keys: Int) -> NDArray[np.bool_]:
    """Whether each key stands in a sorted array, [len(keys)] bool."""
    if not len(sorted_keys):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[place] == keys)


def collect(
    draw: Callable[[Int], Int],
    n_wanted: int,
    fixed: Int,
    forbidden: Int,
    stream: Stream,
    block_rows: int,
) -> Int:
    """Distinct keys, ``n_wanted`` of them where the draws can supply so many.

    Args:
        draw: Positions to keys; a negative key is a failed draw.
        n_wanted: Number of keys to reach.
        fixed: Keys that are in anyway, sorted and distinct.
        forbidden: Keys that no draw may add, sorted and distinct.
        stream: Decides which of too many keys stay.
        block_rows: Draws made at a time; the result does not depend on it.

    Returns:
        Sorted distinct keys, ``fixed`` among them.
    """
    keys, position = fixed, 0
    for attempt in range(_MOST_ROUNDS):
        missing = n_wanted - len(keys)
        if missing <= 0:
            break
        # The last few keys are the rare ones, so every round tries twice as hard.
        fresh = np.empty((missing + missing // 8 + 64) << attempt, dtype=np.int64)
        for block in blocks(len(fresh), block_rows):
            fresh[block] = draw(np.arange(position + block.start, position + block.stop))
        position += len(fresh)
        fresh = sorted_unique(fresh[fresh >= 0])
        fresh = fresh[~is_among(fresh, forbidden)]
        fresh = thin(fresh[~is_among(fresh, keys)], missing, stream)
        keys = np.concatenate([keys, fresh])
        keys.sort()
    return keys
