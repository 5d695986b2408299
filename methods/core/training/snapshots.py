"""The state of a running training as bytes, and back into a training that was set up anew.

A training is a few functions (one epoch, the embeddings, what follows an epoch) and all that they
refer to: parameters, optimisers, random generators, pseudo-pairs, counters. A snapshot is the
pickle of that whole web of objects. It is put back into the *live* objects, not instead of them,
because the method that called the loop holds on to its own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import cloudpickle
import numpy as np
import torch
from torch import Tensor

_AS_IT_IS = "as it is"
"""Stands for an object of a kind that is left out; whatever is there stays."""


class SnapshotError(Exception):
    """The training holds something that cannot be written down, or the bytes are not a snapshot."""


@dataclass(frozen=True, eq=False)
class Outside:
    """What is no part of a training's state.

    Attributes:
        static: Objects that are there anyway when a state is put back, by name; they are not
            written.
        kinds: Types whose objects stay as they are where the state is put back.
    """

    static: Mapping[str, object] = field(default_factory=dict)
    kinds: tuple[type, ...] = ()


def take_snapshot(state: object, outside: Outside) -> bytes:
    """Everything that ``state`` refers to.

    Args:
        state: Any objects, functions with closures included.
        outside: What is left out.

    Raises:
        SnapshotError: If an object cannot be pickled.
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, outside).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotError(f"the training cannot be written down: {error}") from error
    return buffer.getvalue()


def put_back(live: object, snapshot: bytes, outside: Outside) -> None:
    """Brings live objects into the state of a snapshot.

    A snapshot is a pickle, and reading it runs what it says: give bytes of this user's own only.

    Args:
        live: Objects of the same make as those of the snapshot.
        snapshot: What ``take_snapshot`` returned.
        outside: As in ``take_snapshot``.

    Raises:
        SnapshotError: If the bytes cannot be read.
    """
    try:
        saved = _Unpickler(io.BytesIO(snapshot), outside).load()
    except Exception as error:  # a torn or foreign pickle fails in any way
        raise SnapshotError(f"the snapshot cannot be read: {error}") from error
    with torch.no_grad():
        _Adoption().adopt(live, saved)


class _Pickler(cloudpickle.Pickler):
    def __init__(self, buffer: io.BytesIO, outside: Outside) -> None:
        super().__init__(buffer, protocol=5)
        self._names = {id(item): name for name, item in outside.static.items()}
        self._kinds = outside.kinds

    def persistent_id(self, item: object) -> str | None:
        return _AS_IT_IS if isinstance(item, self._kinds) else self._names.get(id(item))


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, outside: Outside) -> None:
        super().__init__(buffer)
        self._static = outside.static

    def persistent_load(self, name: Any) -> object:
        return _AS_IT_IS if name == _AS_IT_IS else self._static[name]


class _Adoption:
    """Walks two webs of objects side by side; each saved object is taken over once."""

    def __init__(self) -> None:
        self._adopted: dict[int, object] = {}
        self._saved: list[object] = []  # keeps ids from being used again

    def adopt(self, live: Any, saved: Any) -> Any:
        """The object to use in place of ``saved``: the live one where there is one of its kind."""
        if saved is _AS_IT_IS:
            return live
        if live is saved or id(saved) in self._adopted:
            return self._adopted.get(id(saved), live)
        self._saved.append(saved)
        # Before its parts are visited, for they may refer back to it.
        same_kind = type(live) is type(saved)
        self._adopted[id(saved)] = live if same_kind and _is_held(saved) else saved
        result = self._taken_over(live, saved) if same_kind else self._freed(saved)
        self._adopted[id(saved)] = result
        return result

    def _taken_over(self, live: Any, saved: Any) -> Any:
        if isinstance(saved, Tensor):
            return self._tensor(live, saved)
        if isinstance(saved, np.ndarray):
            return live if np.array_equal(live, saved) else saved
        if isinstance(saved, torch.Generator):
            return live.set_state(saved.get_state())
        if isinstance(saved, np.random.Generator):
            live.bit_generator.state = saved.bit_generator.state
            return live
        if isinstance(saved, (dict, list, tuple)):
            return self._container(live, saved)
        if isinstance(saved, FunctionType):
            for ours, theirs in zip(live.__closure__ or (), saved.__closure__ or (), strict=True):
                ours.cell_contents = self.adopt(ours.cell_contents, theirs.cell_contents)
            return live
        if isinstance(saved, MethodType):
            self.adopt(live.__self__, saved.__self__)
            return live
        if isinstance(saved, partial):
            self.adopt(
                (live.func, live.args, live.keywords), (saved.func, saved.args, saved.keywords)
            )
            return live
        return self._object(live, saved)

    def _freed(self, saved: Any) -> Any:
        """A saved object without a live counterpart, whose parts may well have one."""
        if isinstance(saved, (dict, list, tuple)):
            return self._container(type(saved)(), saved) if not _is_named(saved) else saved
        if _has_state(saved):
            for name, value in vars(saved).items():
                vars(saved)[name] = self.adopt(None, value)
        return saved

    def _tensor(self, live: Tensor, saved: Tensor) -> Tensor:
        alike = (live.shape, live.dtype, live.layout) == (saved.shape, saved.dtype, saved.layout)
        if not alike or saved.layout != torch.strided:
            return saved
        # Parameters must stay the same objects; inputs that never change may be read-only.
        if not torch.equal(live, saved):
            live.copy_(saved)
        return live

    def _container(self, live: Any, saved: Any) -> Any:
        if isinstance(saved, dict):
            items = {
                self.adopt(None, key): self.adopt(live.get(key), value)
                for key, value in saved.items()
            }
            live.clear()
            live.update(items)
            return live
        before = [*live, *(None,) * max(0, len(saved) - len(live))]
        parts = [self.adopt(ours, theirs) for ours, theirs in zip(before, saved, strict=False)]
        if isinstance(saved, list):
            live[:] = parts
            return live
        return type(saved)(*parts) if _is_named(saved) else tuple(parts)

    def _object(self, live: Any, saved: Any) -> Any:
        if not _has_state(saved):
            return saved
        ours = vars(live)
        for name, value in vars(saved).items():
            ours[name] = self.adopt(ours.get(name), value)
        for name in set(ours) - set(vars(saved)):
            del ours[name]
        return live


def _is_held(saved: object) -> bool:
    """Whether others may hold on to the live object, so that it has to stay."""
    return isinstance(saved, (dict, list, FunctionType, Tensor)) or _has_state(saved)


def _has_state(saved: object) -> bool:
    is_code = isinstance(saved, (type, FunctionType, MethodType))
    return hasattr(saved, "__dict__") and not is_code and not isinstance(saved, Tensor)


def _is_named(saved: object) -> bool:
    return isinstance(saved, tuple) and hasattr(saved, "_fields")
