"""What a GPU would be waited for is counted, and steps that wait are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmea_bench.bench.battery.devices import check_transfers, transfers
from mmea_bench.bench.battery.failures import CheckFailedError
from mmea_bench.bench.battery.second_device import second_device
from mmea_bench.bench.battery.transfers import TransferLog
from tests.bench.battery.toys import Encoder, Toy, broken

WAITING: dict[str, Callable[[Tensor], object]] = {
    "a number": lambda here: here.sum().item(),
    "a branch": lambda here: bool(here.any()),
    "a list": lambda here: here.tolist(),
    "a move": lambda here: here.cpu(),
    "places": lambda here: torch.nonzero(here),
    "distinct numbers": lambda here: torch.unique(here, return_inverse=True),
    "a choice by a mask": lambda here: here[here > 0],
    "unknown repetitions": lambda here: torch.repeat_interleave(here[0].long()),
}
SILENT: dict[str, Callable[[Tensor], object]] = {
    "a product": lambda here: here @ here,
    "a choice by places": lambda here: here[here[0].long() - 1],
    "a mask that is filled": lambda here: here.clone().masked_fill_(here > 0, 2.0),
    "a known number of repetitions": lambda here: torch.repeat_interleave(
        here[0].long(), output_size=3
    ),
    "a number made there": lambda here: torch.full((2,), 3.0, device=here.device),
}
COPYING: dict[str, Callable[[Tensor], object]] = {
    "a move": lambda here: torch.ones(2).to(here.device),
    "a list": lambda here: torch.tensor([1, 2], device=here.device),
    "places of the CPU": lambda here: here[torch.tensor([0, 2])],
    "values": lambda here: here[0].copy_(torch.ones(3)),
}


def counted(work: Callable[[Tensor], object]) -> tuple[int, int]:
    """Waits and copies of some work on a tensor of the device."""
    log = TransferLog()
    with second_device(log) as device:
        here = torch.ones(3, 3, device=device)
        work(here)
    return log.epochs[0].waits.total(), log.epochs[0].copies.total()


@pytest.mark.parametrize("what", WAITING)
def test_what_has_to_be_waited_for_is_counted(what: str) -> None:
    assert counted(WAITING[what]) == (1, 0)


@pytest.mark.parametrize("what", SILENT)
def test_what_the_queue_takes_is_not(what: str) -> None:
    assert counted(SILENT[what]) == (0, 0)


@pytest.mark.parametrize("what", COPYING)
def test_copies_to_the_device_are_counted(what: str) -> None:
    assert counted(COPYING[what]) == (0, 1)


def test_backward_passes_are_counted_and_waits_stand_at_their_line() -> None:
    log = TransferLog()
    with second_device(log) as device:
        weight = torch.ones(2, device=device, requires_grad=True)
        for _ in range(3):
            loss = (weight * 2).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            float(loss.detach())
        with log.paused():
            weight.tolist()
    (epoch,) = log.epochs
    assert epoch.n_passes == 3
    ((line, n),) = epoch.waits_of_steps.items()
    assert (Path(line.rpartition(":")[0]).name, n) == (Path(__file__).name, 3)


def test_the_quietest_epoch_counts_and_the_first_sets_up() -> None:
    log = TransferLog()
    for n_waits in (0, 5, 2, 7):
        for _ in range(n_waits):
            log.note("wait")
        log.end_epoch()
    found = log.typical()
    assert found is not None
    assert found.waits.total() == 2


def in_two_steps(self: Toy, encoder: Encoder, pairs: Any, epoch: int, noise: Any) -> float:
    return sum(Toy.step(self, encoder, half, epoch, noise) for half in pairs.chunk(2))


def test_a_training_that_waits_in_every_step_is_found() -> None:
    check_transfers(Toy, "entity-alignment")
    slow = broken(step=in_two_steps)
    with pytest.raises(CheckFailedError, match=r"2 backward passes waits for a GPU 2 times \(2 at"):
        check_transfers(slow, "entity-alignment")
    check_transfers(broken(step=in_two_steps, waits_for_device="it is a toy"), "entity-alignment")
    with pytest.raises(CheckFailedError, match="but they do not"):
        check_transfers(broken(waits_for_device="it is a toy"), "entity-alignment")


def test_a_method_says_what_an_epoch_transfers() -> None:
    found = transfers(Toy)
    assert found is not None
    assert (found.n_passes, found.waits.total(), found.copies.total()) == (1, 1, 0)
