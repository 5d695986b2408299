"""Sorting by ids equals the library's stable sort."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.losses.orders import largest_places, stable_order


@pytest.mark.parametrize("size", [2, 300, 2**16, 2**16 + 1, 2**21])
def test_the_order_is_that_of_a_stable_sort(size: int) -> None:
    ids = torch.randint(size, (5000,), generator=torch.Generator().manual_seed(size))
    assert torch.equal(stable_order(ids, size), torch.argsort(ids, stable=True))


def test_marks_are_sorted_as_zero_and_one() -> None:
    marks = torch.tensor([True, False, True, False])
    assert stable_order(marks, 2).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("k", [1, 64, 65, 200, 299, 300])
def test_the_largest_places_are_those_of_a_sort(k: int) -> None:
    scores = torch.randn(20, 300, generator=torch.Generator().manual_seed(2))
    expected = torch.argsort(scores, dim=1, descending=True)[:, :k].sort(dim=1).values
    assert largest_places(scores, k).sort(dim=1).values.equal(expected)


@pytest.mark.parametrize("value", [0.0, -torch.inf])
def test_equal_scores_give_as_many_places_as_wanted(value: float) -> None:
    scores = torch.randn(4, 300, generator=torch.Generator().manual_seed(2))
    scores[1, 5:] = value
    found = largest_places(scores, 100)
    assert found.shape == (4, 100)
    assert all(len(set(row)) == 100 for row in found.tolist())
    chosen = scores.gather(1, found).sort(dim=1, descending=True).values
    assert chosen.equal(scores.topk(100, dim=1).values)


def test_rows_without_scores_have_no_places() -> None:
    assert largest_places(torch.empty(0, 300), 100).shape == (0, 100)
