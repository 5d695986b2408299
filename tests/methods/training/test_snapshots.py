"""Snapshots put a training's state back into its live objects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from mmea_bench.methods.core.training.snapshots import (
    Outside,
    SnapshotError,
    put_back,
    take_snapshot,
)

NOTHING = Outside()


class Counter:
    def __init__(self) -> None:
        self.count = 0
        self.history: list[int] = []
        self.itself = self


def counting_step() -> tuple[Callable[[], None], Callable[[], int]]:
    """Two functions that share one variable of their surroundings."""
    n_steps = 0

    def step() -> None:
        nonlocal n_steps
        n_steps += 1

    return step, lambda: n_steps


def test_variables_of_closures_come_back() -> None:
    step, count = counting_step()
    step()
    step()
    snapshot = take_snapshot((step, count), NOTHING)
    fresh_step, fresh_count = counting_step()
    put_back((fresh_step, fresh_count), snapshot, NOTHING)
    fresh_step()
    assert fresh_count() == 3


def test_parameters_stay_the_same_objects() -> None:
    trained, fresh = nn.Linear(2, 2), nn.Linear(2, 2)
    before = list(fresh.parameters())
    put_back(fresh, take_snapshot(trained, NOTHING), NOTHING)
    assert all(ours is theirs for ours, theirs in zip(before, fresh.parameters(), strict=True))
    assert torch.equal(fresh.weight, trained.weight)


def test_an_optimiser_knows_the_live_parameters() -> None:
    def made() -> tuple[nn.Linear, torch.optim.Optimizer]:
        layer = nn.Linear(3, 1, bias=False)
        return layer, torch.optim.AdamW(layer.parameters(), lr=0.1)

    def advance(layer: nn.Linear, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        layer(torch.ones(1, 3)).sum().backward()
        optimiser.step()

    layer, optimiser = made()
    advance(layer, optimiser)
    snapshot = take_snapshot((list(layer.parameters()), optimiser), NOTHING)
    fresh_layer, fresh_optimiser = made()
    put_back((list(fresh_layer.parameters()), fresh_optimiser), snapshot, NOTHING)
    advance(layer, optimiser)
    advance(fresh_layer, fresh_optimiser)
    assert torch.equal(layer.weight, fresh_layer.weight)


def test_random_generators_go_on_in_their_stream() -> None:
    generator, numbers = torch.Generator().manual_seed(1), np.random.default_rng(1)
    torch.rand(5, generator=generator)
    numbers.random(5)
    snapshot = take_snapshot((generator, numbers), NOTHING)
    fresh = (torch.Generator(), np.random.default_rng(2))
    put_back(fresh, snapshot, NOTHING)
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=fresh[0]))
    assert numbers.random() == fresh[1].random()


def test_objects_that_refer_to_themselves_and_grown_lists_come_back() -> None:
    counter, fresh = Counter(), Counter()
    counter.count, counter.history = 3, [1, 2, 3]
    held = fresh.history
    put_back(fresh, take_snapshot(counter, NOTHING), NOTHING)
    assert (fresh.count, held, fresh.itself) == (3, [1, 2, 3], fresh)


def test_an_attribute_that_the_snapshot_lacks_is_removed() -> None:
    counter, fresh = Counter(), Counter()
    fresh.late = 1  # type: ignore[attr-defined]
    put_back(fresh, take_snapshot(counter, NOTHING), NOTHING)
    assert not hasattr(fresh, "late")


def test_a_tensor_of_another_shape_replaces_the_live_one() -> None:
    live = {"pairs": torch.zeros(1, 2)}
    put_back(live, take_snapshot({"pairs": torch.ones(3, 2)}, NOTHING), NOTHING)
    assert torch.equal(live["pairs"], torch.ones(3, 2))


def test_partials_lead_to_their_objects() -> None:
    counter, fresh = Counter(), Counter()
    counter.count = 7
    snapshot = take_snapshot(partial(setattr, counter, "count"), NOTHING)
    put_back(partial(setattr, fresh, "count"), snapshot, NOTHING)
    assert fresh.count == 7


def test_static_objects_are_not_written() -> None:
    data = np.zeros(1_000_000)
    outside = Outside({"data": data})
    snapshot = take_snapshot({"data": data, "epoch": 4}, outside)
    live = {"data": data, "epoch": 0}
    put_back(live, snapshot, outside)
    assert len(snapshot) < 1000
    assert live["epoch"] == 4
    assert live["data"] is data


def test_objects_of_a_kind_left_out_stay_as_they_are() -> None:
    outside = Outside(kinds=(Counter,))
    counter, fresh = Counter(), Counter()
    counter.count, fresh.count = 5, 9
    live = [fresh, 0]
    put_back(live, take_snapshot([counter, 1], outside), outside)
    assert live == [fresh, 1]
    assert fresh.count == 9


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(SnapshotError, match="cannot be written down"):
        take_snapshot([threading.Lock()], NOTHING)


def test_torn_bytes_are_said() -> None:
    snapshot = take_snapshot([1, 2, 3], NOTHING)
    with pytest.raises(SnapshotError, match="cannot be read"):
        put_back([0], snapshot[:-3], NOTHING)
