"""What the walk over a training's inputs enters, and in which shapes it knows a held-out link."""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.battery.failures import CheckFailedError
from mmea_bench.bench.battery.held_out_links import HeldOut, check_held_out_links, held_out_in
from mmea_bench.bench.battery.reachable import reachable
from mmea_bench.bench.battery.run import CHECKS, run_checks
from mmea_bench.bench.battery.small_pairs import easy_pair, tiny_view
from mmea_bench.methods.core.base import RunContext
from tests.bench.battery.toys import Toy, broken

LINKS = np.array([[4, 9], [7, 2], [30, 31], [5, 50], [8, 6]], dtype=np.int32)
OTHERS = np.array([[4, 2], [7, 9], [30, 50], [5, 31], [8, 7]], dtype=np.int32)


def _with_default(found: object = LINKS) -> object:
    return found


def _with_named_default(*, found: object = LINKS) -> object:
    return found


def _closing_over(found: object) -> Callable[[], object]:
    return lambda: found


class _Slotted:
    __slots__ = ("found",)

    def __init__(self, found: object) -> None:
        self.found = found

    def method(self) -> object:
        return self.found


def _generator(found: object) -> Any:
    yield found


@pytest.mark.parametrize(
    "holder",
    [
        [(LINKS,)],
        {"found": LINKS},
        {0: {1: LINKS}},
        MappingProxyType({"found": LINKS}),
        _with_default,
        _with_named_default,
        _closing_over(LINKS),
        _Slotted(LINKS),
        _Slotted(LINKS).method,
        partial(print, LINKS),
        weakref.ref(LINKS),
        LINKS[:0],
        memoryview(LINKS),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_the_walk_finds_an_array_behind(holder: object) -> None:
    assert any(item is LINKS for item in reachable(holder))


def test_the_frame_of_a_generator_is_not_entered() -> None:
    assert not any(item is LINKS for item in reachable(_generator(LINKS)))


def test_a_closure_that_is_not_bound_yet_is_passed_by() -> None:
    def late() -> object:
        return found

    assert late in list(reachable(late))
    found = LINKS


@pytest.mark.parametrize(
    "shape",
    [
        np.array,
        np.transpose,
        lambda rows: rows.astype(np.int64),
        lambda rows: rows.astype(np.float32),
        lambda rows: rows[3:4],
        lambda rows: rows.ravel(),
        torch.from_numpy,
        lambda rows: torch.from_numpy(rows.copy()).float(),
        lambda rows: torch.from_numpy(rows.copy())[:0],
        lambda rows: torch.sparse_coo_tensor(torch.from_numpy(rows.T.copy()), torch.ones(5)),
        lambda rows: rows.tolist(),
        lambda rows: tuple(map(tuple, rows.tolist())),
        lambda rows: set(map(tuple, rows.tolist())),
        lambda rows: dict(rows.tolist()),
        lambda rows: {tuple(row): 1.0 for row in rows.tolist()},
        lambda rows: {row[0]: row for row in rows.tolist()},
        lambda rows: rows.tobytes(),
        lambda rows: b"head" + rows.astype(np.int64).tobytes(),
        lambda rows: np.bincount(rows[:, 0], rows[:, 1], 60).astype(np.int64),
    ],
)
def test_held_out_links_are_known_in_every_shape(shape: Callable[[Any], object]) -> None:
    hidden = HeldOut(set(map(tuple, LINKS.tolist())))
    assert hidden.in_object(shape(LINKS.copy()))
    assert not hidden.in_object(shape(OTHERS.copy()))


def test_what_is_mapped_from_a_file_is_read_to_the_end_of_its_page(tmp_path: Path) -> None:
    """The memory of a mapped array begins before it, and may hold what stands there in the file."""
    path = tmp_path / "file"
    path.write_bytes(LINKS.tobytes() + np.ones(10, dtype=np.float32).tobytes())
    shown = np.memmap(path, np.float32, "r", offset=LINKS.nbytes)
    hidden = HeldOut(set(map(tuple, LINKS.tolist())))
    found = [item for item in reachable(shown) if hidden.in_object(item)]
    assert [type(item) for item in found] == [mmap.mmap]


def test_seed_links_and_attribute_triples_are_no_finding() -> None:
    pair = easy_pair()
    assert held_out_in(tiny_view(pair), RunContext(1), pair.anchor_links) == []


def test_the_battery_passes_a_method_that_leaves_its_inputs_alone() -> None:
    assert "held-out-links" in [check.name for check in CHECKS]
    (outcome,) = run_checks(Toy, ["held-out-links"])
    assert outcome.status == "ok"


def test_pseudo_labels_of_the_methods_own_are_no_finding() -> None:
    """They may well be right: what a method computed is not what it was given."""

    def fit(self: Any, view: Any, ctx: Any) -> Any:
        self.labels = easy_pair().anchor_links.copy()
        return Toy.fit(self, view, ctx)

    check_held_out_links(broken(fit=fit))


def test_links_that_come_into_the_context_are_found() -> None:
    def fit(self: Any, view: Any, ctx: Any) -> Any:
        ctx.log.pairs = torch.from_numpy(easy_pair().anchor_links.copy())
        return Toy.fit(self, view, ctx)

    with pytest.raises(CheckFailedError, match=r"Tensor \(.* held-out links in an array\)"):
        check_held_out_links(broken(fit=fit))
