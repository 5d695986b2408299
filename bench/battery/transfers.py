"""Copies between a GPU and main memory, and what makes the program wait for a GPU, by epoch.

A GPU works through a queue while the program goes on filling it. Whatever needs a number of the GPU
(``item()``, ``tolist()``, ``cpu()``, a branch on a tensor) or a result whose size is known only
there (``nonzero``, ``unique``, a choice by a mask) empties the queue first: that is a **wait**.
A **copy** brings numbers of main memory to the GPU, such as drawn negatives.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

Kind = Literal["wait", "copy"]

_SKIPPED = ("torch", "contextlib", "mmea_bench.bench.battery")
_ROUNDS = (
    *("mmea_bench.methods.core.similarity", "mmea_bench.methods.core.score_blocks"),
    *("mmea_bench.methods.core.training.pseudo_seeds",),
    *("mmea_bench.methods.core.training.bootstrapping",),
)
"""What compares all entities, as the search for pseudo-labels does every so many epochs."""


@dataclass
class EpochTransfers:
    """What one epoch asked of the device, the monitor aside.

    Attributes:
        waits: Times that the program waited for the device, by line of code.
        round_waits: Those of a comparison of all entities, which is no step of an epoch.
        copies: Copies to the device, by line of code.
        n_passes: Backward passes.
    """

    waits: Counter[str] = field(default_factory=Counter)
    round_waits: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    n_passes: int = 0

    @property
    def waits_of_steps(self) -> Mapping[str, int]:
        """Lines that wait as often as there are backward passes, where there are several."""
        several = self.n_passes > 1
        return {line: n for line, n in self.waits.items() if several and n >= self.n_passes}


class TransferLog:
    """Counts by epoch; what comes before the first epoch ends counts as that epoch's.

    Attributes:
        epochs: What each epoch asked for; the last one has not ended.
    """

    def __init__(self) -> None:
        self.epochs = [EpochTransfers()]
        self._is_paused = False
        self._last_pass = -1

    def note(self, kind: Kind) -> None:
        """Counts a wait or a copy at the line of the caller that is neither torch's nor ours."""
        if self._is_paused:
            return
        frames = list(_frames())
        if any(module == "torch.nn.utils.clip_grad" for module, _ in frames):
            return  # asks for the true device of gradients, which is not the pretend one
        own = [line for module, line in frames if not module.startswith(_SKIPPED)]
        current, is_round = self.epochs[-1], any(module in _ROUNDS for module, _ in frames)
        waits = current.round_waits if is_round else current.waits
        (waits if kind == "wait" else current.copies)[own[0] if own else "torch"] += 1

    def note_pass(self, number: int) -> None:
        """Counts a backward pass by the number that torch gives it; -1 is none."""
        if number not in (-1, self._last_pass):
            self._last_pass = number
            self.epochs[-1].n_passes += 1

    def end_epoch(self, *_told: object) -> None:
        """Begins the next epoch; to be called as a training's ticker."""
        self.epochs.append(EpochTransfers())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While it lasts, nothing is counted: what scores a training is no part of it."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def typical(self) -> EpochTransfers | None:
        """The epoch of the fewest waits, the first (which sets up) aside; None of too few.

        Epochs in which pseudo-labels are chosen wait more often, and are few of many.
        """
        whole = self.epochs[1:-1]
        if not whole:
            return None
        return min(whole, key=lambda epoch: (epoch.waits.total(), epoch.copies.total()))


def _frames() -> Iterator[tuple[str, str]]:
    """Module and line of every frame that led to a transfer, the innermost first."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        yield module, f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
