"""Lets a training that was interrupted go on where it was, with the same numbers."""

from __future__ import annotations

import random

import numpy as np
import torch

from mmea_bench.methods.core.base import RunContext, StateError, StoppedError
from mmea_bench.methods.core.training.snapshots import (
    Outside,
    SnapshotError,
    Standing,
    put_back,
    standing,
    take_snapshot,
)


class Resumable:
    """A training loop whose state is kept from time to time, where the context has a store.

    Args:
        ctx: Its ``states`` keep snapshots.
        state: Everything that an epoch changes.
    """

    def __init__(self, ctx: RunContext, state: tuple[object, ...]) -> None:
        self._store = ctx.states
        self._random: dict[str, object] = {}
        # Parameters come first: optimisers know them by identity.
        self._state = (*state, ctx.log, self._random)
        static = self._store.static if self._store is not None else {}
        self._outside = Outside(static, (RunContext,))
        self._standing: Standing | None = None

    def first_epoch(self) -> int:
        """Epoch to begin with: 1, or the one after the state that was found and put back.

        Raises:
            StateError: If the state found cannot be put back; the training may be half in it.
        """
        if self._store is None:
            return 1
        found = self._store.next_training()
        try:
            self._standing = standing(self._state, self._outside)
        except SnapshotError as error:
            self._store.give_up(str(error))
        if found is None:
            return 1
        epoch, snapshot = found
        try:
            put_back(self._state, snapshot, self._outside)
        except SnapshotError as error:
            raise StateError(str(error)) from error
        _set_random_states(self._random)
        return epoch + 1

    def epoch_ended(self, epoch: int, *, is_last: bool) -> None:
        """Keeps the state if that is due.

        Raises:
            StoppedError: If the training was asked to stop; its state is kept if it can be.
        """
        store = self._store
        if store is None or not (store.is_due or store.is_stop_asked) or self._standing is None:
            return
        self._random.update(_random_states())
        try:
            store.keep(epoch, take_snapshot(self._state, self._outside, self._standing))
        except SnapshotError as error:
            store.give_up(str(error))
        if store.is_stop_asked and not is_last:
            raise StoppedError


def _random_states() -> dict[str, object]:
    """States of the generators that all code of a process shares."""
    states: dict[str, object] = {
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - a method's library may use it
        "python": random.getstate(),
    }
    # Asking a GPU for its state would start it for a training on the CPU.
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _set_random_states(states: dict[str, object]) -> None:
    torch.set_rng_state(states["torch"])  # type: ignore[arg-type]
    np.random.set_state(states["numpy"])  # type: ignore[arg-type]  # noqa: NPY002
    random.setstate(states["python"])  # type: ignore[arg-type]
    if "cuda" in states:
        torch.cuda.set_rng_state_all(states["cuda"])  # type: ignore[arg-type]
