"""The state of a running training as bytes, and back into a training that was set up anew.

A training is a few functions (one epoch, the embeddings, what follows an epoch) and all that they
refer to: parameters, optimisers, random generators, pseudo-pairs, counters. A snapshot holds the
numbers, text and containers of that whole web of objects, and names instead of code; so reading one
runs nothing. It is put back into the *live* objects, not instead of them, because the method that
called the loop holds on to its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mmea_bench.methods.core.states.reading import StateReader
from mmea_bench.methods.core.states.words import Outside, SnapshotError, Standing
from mmea_bench.methods.core.states.writing import StateWriter

__all__ = ["Outside", "SnapshotError", "Standing", "put_back", "standing", "take_snapshot"]


def standing(state: object, outside: Outside) -> Standing:
    """Functions and objects that a training refers to as soon as it is set up.

    Args:
        state: As in ``take_snapshot``.
        outside: As in ``take_snapshot``.

    Raises:
        SnapshotError: As ``take_snapshot``.
    """
    with _said():
        return StateWriter(outside).standing(state)


def take_snapshot(state: object, outside: Outside, standing: Standing | None = None) -> bytes:
    """Everything that ``state`` refers to.

    Args:
        state: Any objects, functions with closures included.
        outside: What is left out.
        standing: What a training that was set up anew has already; whatever else the state holds
            must be such that it can be made anew. None does not look.

    Raises:
        SnapshotError: If an object is neither numbers, text, a container of such, code that a name
            stands for, nor what its attributes say.
    """
    with _said():
        return StateWriter(outside, standing).written(state)


def put_back(live: object, snapshot: bytes, outside: Outside) -> None:
    """Brings live objects into the state of a snapshot.

    Args:
        live: Objects of the same make as those of the snapshot.
        snapshot: What ``take_snapshot`` returned. Whatever it holds, nothing in it is run.
        outside: As in ``take_snapshot``.

    Raises:
        SnapshotError: If the bytes cannot be read, or do not belong to these objects.
    """
    try:
        with torch.no_grad():
            StateReader(snapshot, outside, live).put_back()
    except Exception as error:  # torn or foreign bytes fail in any way
        raise SnapshotError(f"the snapshot cannot be read: {error}") from error


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except SnapshotError:
        raise
    except Exception as error:  # a user's class may refuse in any way
        raise SnapshotError(f"the training cannot be written down: {error}") from error
