"""Rows as numbers order as rows do, and what does not fit into a number is sorted all the same."""

from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.datasets.core.model.row_keys import (
    counted_rows,
    distinct_rows,
    order_of_rows,
    placed_rows,
    row_keys,
    rows_of,
    sorted_rows,
)

FITS, TOO_LARGE = (30, 4, 30), (2**31 - 1, 2**31 - 1, 2**31 - 1)


def some_rows(largest: tuple[int, ...]) -> np.ndarray:
    """Rows of which many come again; the largest ids are among them."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, 5, size=200) for _ in largest], axis=1).astype(np.int32)
    rows[7] = largest
    return rows


@pytest.mark.parametrize("largest", [FITS, TOO_LARGE])
def test_rows_are_sorted_as_by_columns(largest: tuple[int, ...]) -> None:
    rows = some_rows(largest)
    expected = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    found = sorted_rows(rows)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == rows.dtype


@pytest.mark.parametrize("largest", [FITS, TOO_LARGE])
def test_distinct_rows_are_those_of_numpy(largest: tuple[int, ...]) -> None:
    rows = some_rows(largest)
    found = distinct_rows(rows)
    np.testing.assert_array_equal(found, np.unique(rows, axis=0))
    assert found.dtype == rows.dtype


@pytest.mark.parametrize("largest", [FITS, TOO_LARGE])
def test_rows_are_counted_as_numpy_counts_them(largest: tuple[int, ...]) -> None:
    rows = some_rows(largest)
    expected, times = np.unique(rows, axis=0, return_counts=True)
    found, counts = counted_rows(rows)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(counts, times)


@pytest.mark.parametrize("largest", [FITS, TOO_LARGE])
def test_every_row_has_its_place_among_the_distinct_ones(largest: tuple[int, ...]) -> None:
    rows = some_rows(largest)
    found, places = placed_rows(rows)
    np.testing.assert_array_equal(found, np.unique(rows, axis=0))
    np.testing.assert_array_equal(found[places], rows)


@pytest.mark.parametrize("largest", [FITS, TOO_LARGE])
def test_equal_rows_stay_in_their_order(largest: tuple[int, ...]) -> None:
    rows = some_rows(largest)
    expected = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    np.testing.assert_array_equal(order_of_rows(tuple(rows.T)), expected)


def test_a_key_holds_its_row() -> None:
    rows = some_rows(FITS)
    found = row_keys(list(rows.T))
    assert found is not None
    np.testing.assert_array_equal(rows_of(*found), rows)


def test_ids_beyond_64_bits_have_no_keys() -> None:
    assert row_keys(list(some_rows(TOO_LARGE).T)) is None


def test_no_rows_are_no_rows() -> None:
    empty = np.empty((0, 3), dtype=np.int32)
    assert sorted_rows(empty).shape == distinct_rows(empty).shape == (0, 3)
