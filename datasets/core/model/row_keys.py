"""Rows of ids as single numbers, which sort many times faster than rows do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]
Id = TypeVar("Id", bound=np.integer)

_LARGEST_KEY = np.iinfo(np.int64).max


def row_keys(columns: Sequence[Ids]) -> tuple[NDArray[np.int64], tuple[int, ...]] | None:
    """One number a row, ordered as the rows are: by the first column, then the second, and so on.

    Args:
        columns: Ids that are not negative, [n] each.

    Returns:
        Keys [n], and one past the largest id of every column; None where no 64 bits hold them.
    """
    sizes = tuple(int(column.max()) + 1 if len(column) else 1 for column in columns)
    product = 1
    for size in sizes:
        product *= size
    if product - 1 > _LARGEST_KEY:
        return None
    keys = columns[0].astype(np.int64)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        keys *= size
        keys += column
    return keys, sizes


def rows_of(keys: NDArray[np.int64], sizes: tuple[int, ...]) -> NDArray[np.int64]:
    """The rows behind keys, [n, n_columns]; the inverse of ``row_keys``."""
    rows = np.empty((len(keys), len(sizes)), dtype=np.int64)
    rest = keys
    for place in range(len(sizes) - 1, 0, -1):
        rest, rows[:, place] = np.divmod(rest, sizes[place])
    rows[:, 0] = rest
    return rows


def sorted_rows(rows: NDArray[Id]) -> NDArray[Id]:
    """Rows of ids in ascending order, repetitions kept, [n, n_columns]."""
    found = row_keys(list(rows.T))
    if found is None:
        return rows[np.lexsort(rows.T[::-1])]
    keys, sizes = found
    keys.sort()
    return rows_of(keys, sizes).astype(rows.dtype, copy=False)


def distinct_rows(rows: NDArray[Id]) -> NDArray[Id]:
    """Distinct rows of ids in ascending order, [n, n_columns]; ``np.unique`` with ``axis=0``."""
    return counted_rows(rows)[0]


def counted_rows(rows: NDArray[Id]) -> tuple[NDArray[Id], NDArray[np.int64]]:
    """Distinct rows of ids in ascending order, [n, n_columns], and how often each stands, [n]."""
    found = row_keys(list(rows.T))
    if found is None:
        distinct, counts = np.unique(rows, axis=0, return_counts=True)
        return distinct, counts
    keys, sizes = found
    keys.sort()
    starts = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=starts[1:])
    counts = np.diff(np.flatnonzero(starts), append=len(keys))
    return rows_of(keys[starts], sizes).astype(rows.dtype, copy=False), counts


def placed_rows(rows: NDArray[Id]) -> tuple[NDArray[Id], NDArray[np.int64]]:
    """Distinct rows of ids in ascending order, [n, n_columns], and where each row is there, [n]."""
    found = row_keys(list(rows.T))
    if found is None:
        distinct, places = np.unique(rows, axis=0, return_inverse=True)
        return distinct, places.ravel()
    keys, places = np.unique(found[0], return_inverse=True)
    return rows_of(keys, found[1]).astype(rows.dtype, copy=False), places


def order_of_rows(columns: Sequence[Ids]) -> NDArray[np.int64]:
    """Positions of rows in ascending order, equal rows as they stand, [n].

    Args:
        columns: The first decides first, [n] each.
    """
    found = row_keys(columns)
    if found is None:
        return np.lexsort(tuple(columns)[::-1])
    return np.argsort(found[0], kind="stable")
