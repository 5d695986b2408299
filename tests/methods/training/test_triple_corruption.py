"""What triples' negatives are held against."""

from __future__ import annotations

import pytest
import torch

from mmea_bench.methods.core.training.triple_corruption import KnownCodes


@pytest.mark.parametrize(("n_known", "largest"), [(1, 5), (300, 400), (50_000, 2**62)])
def test_known_numbers_are_told_from_others(n_known: int, largest: int) -> None:
    generator = torch.Generator().manual_seed(1)
    known = torch.randint(largest, (n_known,), generator=generator)
    asked = torch.cat([known[::3], torch.randint(largest, (4 * n_known,), generator=generator)])
    assert torch.equal(KnownCodes(known).holds(asked), torch.isin(asked, known))


def test_numbers_of_one_mark_are_told_apart() -> None:
    everyone = torch.arange(5000)  # five times as many as there are marks
    assert KnownCodes(torch.tensor([17])).holds(everyone).nonzero().tolist() == [[17]]


def test_nothing_is_known_where_nothing_was_given() -> None:
    assert not KnownCodes(torch.empty(0, dtype=torch.int64)).holds(torch.arange(10)).any()
