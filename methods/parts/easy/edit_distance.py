"""Edit similarity of many pairs of names at once, by one machine word per pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 64
"""Characters of a name that are compared: as many as a machine word has bits."""

_BLOCK_PAIRS = 51_200
"""Pairs compared at a time: their characters are 13 MB."""


def edit_ratios(
    source: Sequence[str], target: Sequence[str], candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """``1 - d / (length + length')`` of each source name and each of its candidates.

    ``d`` is the number of characters to insert and delete (a replaced one counts twice, as in
    Levenshtein's ratio), which is both lengths less twice the longest common subsequence. Two empty
    names give 0: they say nothing.

    Args:
        source: Names; 64 characters of each are read.
        target: Names.
        candidates: Target names of each source name, [n_source, k].

    Returns:
        [n_source, k].
    """
    alphabet = {char: at for at, char in enumerate(dict.fromkeys("".join([*source, *target])))}
    ids, lengths = _as_ids(target, alphabet)
    own_ids, own_lengths = _as_ids(source, alphabet)
    ratios = np.zeros(candidates.shape, dtype=np.float32)
    n_rows = max(1, _BLOCK_PAIRS // max(1, candidates.shape[1]))
    for start in range(0, len(source), n_rows):
        rows = slice(start, start + n_rows)
        chosen = candidates[rows]
        common = _common_lengths(
            (own_ids[rows], own_lengths[rows]), ids[chosen], lengths[chosen], len(alphabet)
        )
        total = own_lengths[rows, None] + lengths[chosen]
        ratios[rows] = 2 * common / np.maximum(total, 1)
    return ratios


def _as_ids(
    names: Sequence[str], alphabet: dict[str, int]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Characters as ids, [n, 64], and how many of them there are, [n]."""
    ids = np.full((len(names), LONGEST), len(alphabet), dtype=np.int32)
    lengths = np.zeros(len(names), dtype=np.int64)
    for row, name in enumerate(names):
        found = [alphabet[char] for char in name[:LONGEST]]
        ids[row, : len(found)], lengths[row] = found, len(found)
    return ids, lengths


def _common_lengths(
    own: tuple[NDArray[np.int32], NDArray[np.int64]],
    others: NDArray[np.int32],
    lengths: NDArray[np.int64],
    n_chars: int,
) -> NDArray[np.int64]:
    """Longest common subsequence of each name and its candidates, [b, k].

    Args:
        own: Characters, [b, 64], and lengths, [b].
        others: Characters of the candidates, [b, k, 64].
        lengths: Of the candidates, [b, k].
        n_chars: Size of the alphabet; its own id stands for no character.

    Reference: Hyyrö, Bit-parallel LCS-length computation revisited, AWOCA 2004.
    """
    ids, own_lengths = own
    rows = np.arange(len(ids))
    places = np.zeros((len(ids), n_chars + 1), dtype=np.uint64)  # bit i: character i of the name
    for position in range(LONGEST):
        places[rows, ids[:, position]] |= np.uint64(1) << np.uint64(position)
    places[:, n_chars] = 0
    state: NDArray[np.uint64] = np.full(lengths.shape, np.iinfo(np.uint64).max, dtype=np.uint64)
    for position in range(int(lengths.max(initial=0))):
        matches: NDArray[np.uint64] = state & places[rows[:, None], others[:, :, position]]
        # Sums wrap around at the word's end, which is what the algorithm expects.
        state = np.bitwise_or(state + matches, state - matches)
    unread = ~_low_bits(own_lengths)
    counts: NDArray[np.int64] = np.bitwise_count(~(state | unread[:, None])).astype(np.int64)
    return counts


def _low_bits(counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    # A shift by all bits of a word is undefined.
    below = np.minimum(counts, LONGEST - 1).astype(np.uint64)
    bits: NDArray[np.uint64] = (np.uint64(1) << below) - np.uint64(1)
    bits[counts >= LONGEST] = np.iinfo(np.uint64).max
    return bits
