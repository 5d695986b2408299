"""Snapshots put a training's state back into its live objects."""

from __future__ import annotations

import pickle
import random
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from mmea_bench.methods.core.training.snapshots import (
    Outside,
    SnapshotError,
    put_back,
    standing,
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
    assert len(snapshot) < 3000
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


class Pair(NamedTuple):
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Kept:
    epoch: int
    pairs: tuple[Pair, ...]


VALUES: dict[str, Any] = {
    "numbers": [1, 2.5, float("inf"), True, None, 2**200, 1 + 2j],
    "text": ["é", "\ud800", b"\x00\xff", bytearray(b"ab")],
    "containers": [{(1, "a"): {2}}, OrderedDict(b=1, a=2), frozenset({3}), deque([1], 4)],
    "default factories": defaultdict(list, a=[1]),
    "named tuples": [Pair(1, 2)],
    "frozen objects with slots": Kept(3, (Pair(4, 5),)),
    "ranges": [range(1, 9, 2), slice(None, 3)],
    "types of numbers": [torch.float16, torch.device("cpu"), torch.Size([2, 3]), np.dtype("f4")],
    "scalars of NumPy": [np.float32(1.5), np.int64(-3)],
}


@pytest.mark.parametrize("kind", VALUES)
def test_plain_values_of_every_kind_come_back(kind: str) -> None:
    live: dict[str, Any] = {"before": Kept(0, ())}
    snapshot = take_snapshot((counting_step, {"x": VALUES[kind]}), NOTHING)
    put_back((counting_step, live), snapshot, NOTHING)
    assert live == {"x": VALUES[kind]}
    assert type(live["x"]) is type(VALUES[kind])


def test_arrays_come_back_with_their_types() -> None:
    arrays = [np.arange(6, dtype=np.int16).reshape(2, 3), np.array([None, "a"], dtype=object)]
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 1]]), torch.ones(2), (2,))
    live: list[Any] = []
    put_back(live, take_snapshot([*arrays, sparse], NOTHING), NOTHING)
    assert live[0].dtype == np.int16
    assert live[0].tolist() == arrays[0].tolist()
    assert live[1].tolist() == [None, "a"]
    assert live[2].to_dense().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("make", [torch.optim.Adagrad, torch.optim.Adam, torch.optim.RMSprop])
def test_what_optimisers_remember_comes_back(make: Any) -> None:
    def made() -> tuple[nn.Parameter, torch.optim.Optimizer]:
        weight = nn.Parameter(torch.ones(3))
        return weight, make([weight], lr=0.1)

    def advance(weight: nn.Parameter, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        loss: Any = weight.square().sum()
        loss.backward()
        optimiser.step()

    trained, fresh = made(), made()
    advance(*trained)
    put_back(fresh, take_snapshot(trained, NOTHING), NOTHING)
    advance(*trained)
    advance(*fresh)
    assert torch.equal(trained[0], fresh[0])


def test_generators_without_a_live_one_come_back() -> None:
    found = [random.Random(3), np.random.default_rng(4), torch.Generator().manual_seed(5)]  # noqa: S311
    live: list[Any] = []
    put_back(live, take_snapshot(found, NOTHING), NOTHING)
    assert live[0].random() == found[0].random()  # type: ignore[attr-defined]
    assert live[1].random() == found[1].random()  # type: ignore[attr-defined]
    assert live[2].initial_seed is not None
    assert torch.equal(live[2].get_state(), found[2].get_state())  # type: ignore[attr-defined]


class Canary:
    """Leaves a trace when a pickle of it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.trace,)


def test_a_pickle_in_place_of_a_state_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pickled = pickle.dumps(Canary(trace))
    torch.save([Canary(trace)], tmp_path / "saved")
    for planted in (pickled, (tmp_path / "saved").read_bytes()):
        with pytest.raises(SnapshotError, match="cannot be read"):
            put_back([0], planted, NOTHING)
    assert not trace.exists()


def test_a_class_that_says_itself_how_it_is_pickled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="Canary"):
        take_snapshot([Canary(tmp_path / "trace")], NOTHING)


def test_an_object_of_a_foreign_class_is_not_made() -> None:
    snapshot = take_snapshot([threading.Event], NOTHING)
    with pytest.raises(SnapshotError, match=r"threading\.Event stands in the state alone"):
        put_back([None], snapshot, NOTHING)


def scores_of(vectors: torch.Tensor, scale: float = 2.0) -> Callable[[], torch.Tensor]:
    """A function such as the best epoch so far leaves behind."""

    def score(*, shift: float = 1.0) -> torch.Tensor:
        return scale * vectors + shift

    return score


def test_a_function_that_the_training_made_on_the_way_comes_back() -> None:
    live: dict[str, Any] = {}
    state = {"best": scores_of(torch.arange(3.0), scale=3.0)}
    put_back((counting_step, live), take_snapshot((counting_step, state), NOTHING), NOTHING)
    assert live["best"]().tolist() == [1.0, 4.0, 7.0]


def test_functions_that_no_name_tells_apart_are_not_written_down() -> None:
    def made() -> list[Any]:
        return [lambda: 1, lambda: 2]

    begun = (counting_step, made())
    known = standing(begun, NOTHING)
    take_snapshot(begun, NOTHING, known)
    with pytest.raises(SnapshotError, match="<lambda> stands in the state alone"):
        take_snapshot((counting_step, made()), NOTHING, known)


def test_an_object_that_cannot_be_made_anew_is_not_written_down() -> None:
    begun: tuple[Any, ...] = (counting_step, [])
    known = standing(begun, NOTHING)
    begun[1].append(type("Local", (), {})())
    with pytest.raises(SnapshotError, match="Local"):
        take_snapshot(begun, NOTHING, known)
