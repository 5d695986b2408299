"""Sorting by ids equals the library's stable sort."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.losses.orders import stable_order


@pytest.mark.parametrize("size", [2, 300, 2**16, 2**16 + 1, 2**21])
def test_the_order_is_that_of_a_stable_sort(size: int) -> None:
    ids = torch.randint(size, (5000,), generator=torch.Generator().manual_seed(size))
    assert torch.equal(stable_order(ids, size), torch.argsort(ids, stable=True))


def test_marks_are_sorted_as_zero_and_one() -> None:
    marks = torch.tensor([True, False, True, False])
    assert stable_order(marks, 2).tolist() == [1, 3, 0, 2]
