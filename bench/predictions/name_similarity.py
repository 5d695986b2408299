"""How alike two names are, for many pairs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST_NAME = 200
"""Letters that count; what is longer is a sentence."""

_CHUNK = 2000


def edit_similarities(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float32]:
    """One less the edit distance (Levenshtein) by the length of the longer name, in [0, 1].

    Case does not count.

    Args:
        first: Names.
        second: As many names.

    Returns:
        Similarity of each pair, [n]; ``nan`` where one of the two is empty.
    """
    pairs = [
        (one.casefold()[:LONGEST_NAME], other.casefold()[:LONGEST_NAME])
        for one, other in zip(first, second, strict=True)
    ]
    lengths = np.array([[len(one), len(other)] for one, other in pairs], dtype=np.int64)
    lengths = lengths.reshape(-1, 2)
    found = np.full(len(pairs), np.nan, dtype=np.float32)
    named = np.flatnonzero(lengths.min(axis=1, initial=LONGEST_NAME) > 0)
    # Names of one length together, so that few steps are made beyond the end of a name.
    ordered = named[np.argsort(lengths[named].max(axis=1), kind="stable")]
    for start in range(0, len(ordered), _CHUNK):
        chosen = ordered[start : start + _CHUNK]
        own = [pairs[place] for place in chosen]
        distances = _distances(_letters([p[0] for p in own]), _letters([p[1] for p in own]))
        ends = distances[lengths[chosen, 0], lengths[chosen, 1], np.arange(len(chosen))]
        found[chosen] = 1.0 - ends / lengths[chosen].max(axis=1)
    return found


def _letters(texts: Sequence[str]) -> NDArray[np.int32]:
    """Code points, [n, longest]; 0 behind the end."""
    letters = np.zeros((len(texts), max(map(len, texts))), dtype=np.int32)
    for row, text in enumerate(texts):
        letters[row, : len(text)] = [ord(letter) for letter in text]
    return letters


def _distances(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int16]:
    """Edit distances of all beginnings, [longest of first + 1, longest of second + 1, n]."""
    n, rows, columns = len(first), first.shape[1], second.shape[1]
    table = np.empty((rows + 1, columns + 1, n), dtype=np.int16)
    table[0] = np.arange(columns + 1)[:, None]
    table[:, 0] = np.arange(rows + 1)[:, None]
    for row in range(rows):
        differs = (second != first[:, row, None]).T.astype(np.int16)
        best = np.minimum(table[row, 1:] + 1, table[row, :-1] + differs)
        for column in range(columns):
            np.minimum(best[column], table[row + 1, column] + 1, out=table[row + 1, column + 1])
    return table
