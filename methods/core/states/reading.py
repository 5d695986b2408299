"""A written state, taken over by the live objects of a training that was set up anew."""

from __future__ import annotations

import io
import json
import random
from collections import defaultdict, deque
from functools import partial
from types import CellType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

import numpy as np
import torch

from mmea_bench.methods.core.states.words import (
    MAPPINGS,
    SEQUENCES,
    Outside,
    SnapshotError,
    address,
    found_class,
    found_code,
    has_own_state,
    home_of,
    is_buildable,
    is_named_tuple,
    live_attributes,
)

_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class StateReader:
    """Walks the nodes of a state beside the live objects; each node is taken over once.

    Args:
        content: What ``StateWriter`` wrote. Nothing in it is run.
        outside: As it was written with.
        live: Objects of the same make as those that were written.
    """

    def __init__(self, content: bytes, outside: Outside, live: object) -> None:
        words, *self._arrays = torch.load(io.BytesIO(content), weights_only=True)
        plan = json.loads(words.numpy().tobytes())
        self._root, self._nodes = plan["root"], plan["nodes"]
        self._static, self._live, self._home = outside.static, live, home_of(live)
        self._done: dict[int, Any] = {}

    def put_back(self) -> None:
        """Brings the live objects into the state.

        Raises:
            SnapshotError: If something of the state has no place among them.
        """
        self._value(self._root, self._live)

    def _value(self, word: Any, live: Any) -> Any:
        """What to use for a word: the live object where there is one of its kind."""
        if not isinstance(word, list):
            return word
        (place,) = word
        if place not in self._done:
            kind, *parts = self._nodes[place]
            self._done[place] = _READERS[kind](self, place, live, *parts)
        return self._done[place]

    def _values(self, words: list[Any], live: Any) -> list[Any]:
        before = [*live, *(None,) * (len(words) - len(live))]
        return [self._value(word, item) for word, item in zip(words, before, strict=False)]

    def _as_it_is(self, _place: int, live: Any) -> Any:
        return live

    def _static_item(self, _place: int, _live: Any, name: str) -> Any:
        return self._static[name]

    def _mapping(self, place: int, live: Any, kind: str, pairs: list[Any], factory: Any) -> Any:
        if type(live) is not MAPPINGS[kind]:
            live = MAPPINGS[kind]()
        self._done[place] = live
        if isinstance(live, defaultdict):
            live.default_factory = self._value(factory, live.default_factory)
        items = {}
        for word, value in pairs:
            key = self._value(word, None)
            items[key] = self._value(value, live.get(key))
        live.clear()
        live.update(items)
        return live

    def _sequence(
        self, place: int, live: Any, kind: str, words: list[Any], longest: int | None
    ) -> Any:
        is_alike = type(live) is SEQUENCES[kind]
        if kind in ("list", "deque"):
            if not is_alike:
                live = [] if kind == "list" else deque(maxlen=longest)
            self._done[place] = live
            found = self._values(words, list(live))
            live.clear()
            live.extend(found)
            return live
        if kind == "tuple":
            return tuple(self._values(words, live if is_alike else ()))
        found = self._values(words, ())
        if kind == "set" and is_alike:
            live.clear()
            live.update(found)
            return live
        return SEQUENCES[kind](found)

    def _tensor(self, _place: int, live: Any, number: int) -> Any:
        saved = self._arrays[number]
        if type(live) is not type(saved):
            return saved
        alike = (live.shape, live.dtype, live.layout) == (saved.shape, saved.dtype, saved.layout)
        if not alike or saved.layout != torch.strided:
            return saved
        # Parameters must stay the same objects; inputs that never change may be read-only.
        if not torch.equal(live, saved.to(live.device)):
            live.copy_(saved)
        return live

    def _array(self, _place: int, live: Any, number: int, form: str) -> Any:
        buffer = io.BytesIO(self._arrays[number].numpy().tobytes())
        saved = np.lib.format.read_array(buffer, allow_pickle=False)
        if form == "scalar":
            return saved[()]
        is_same = isinstance(live, np.ndarray) and live.dtype == saved.dtype
        return live if is_same and np.array_equal(live, saved) else saved

    def _objects(self, _place: int, live: Any, shape: list[int], words: list[Any]) -> Any:
        before = live.ravel().tolist() if isinstance(live, np.ndarray) else ()
        found = np.empty(len(words), dtype=object)
        for position, value in enumerate(self._values(words, before)):
            found[position] = value
        return found.reshape(shape)

    def _torch_generator(self, _place: int, live: Any, number: int, device: str) -> Any:
        generator = live if isinstance(live, torch.Generator) else torch.Generator(device)
        return generator.set_state(self._arrays[number])

    def _numpy_generator(self, _place: int, live: Any, bits: str, state: Any) -> Any:
        is_alike = isinstance(live, np.random.Generator)
        if not (is_alike and type(live.bit_generator).__name__ == bits):
            if bits not in _BIT_GENERATORS:
                raise SnapshotError(f"no generator of NumPy is called {bits}")
            live = np.random.Generator(getattr(np.random, bits)())
        live.bit_generator.state = self._value(state, None)
        return live

    def _numpy_random_state(self, _place: int, live: Any, state: Any) -> Any:
        found = live if isinstance(live, np.random.RandomState) else np.random.RandomState()
        found.set_state(self._value(state, None))
        return found

    def _python_random(self, _place: int, live: Any, state: Any) -> Any:
        found = live if isinstance(live, random.Random) else random.Random()  # noqa: S311
        found.setstate(self._value(state, None))
        return found

    def _bytes(self, _place: int, _live: Any, number: int, form: str) -> Any:
        content = self._arrays[number].numpy().tobytes()
        return bytearray(content) if form == "bytearray" else content

    def _range(self, _place: int, _live: Any, *parts: Any) -> Any:
        return range(*parts)

    def _slice(self, _place: int, _live: Any, *parts: Any) -> Any:
        return slice(*(self._value(part, None) for part in parts))

    def _complex(self, _place: int, _live: Any, *parts: float) -> Any:
        return complex(*parts)

    def _device(self, _place: int, _live: Any, name: str) -> Any:
        return torch.device(name)

    def _dtype(self, _place: int, _live: Any, name: str) -> Any:
        found = getattr(torch, name)
        if not isinstance(found, torch.dtype):
            raise SnapshotError(f"torch.{name} is no type of numbers")
        return found

    def _numpy_dtype(self, _place: int, _live: Any, name: str) -> Any:
        return np.dtype(name)

    def _size(self, _place: int, _live: Any, parts: list[int]) -> Any:
        return torch.Size(parts)

    def _function(
        self, place: int, live: Any, name: list[str], cells: list[Any], *defaults: Any
    ) -> Any:
        ours = getattr(live, "__closure__", None) or ()
        is_alike = isinstance(live, FunctionType) and len(ours) == len(cells)
        if not is_alike or address(live) != name:
            # Such as the scores of the best epoch so far: code of the method's, made by its code.
            code, names = found_code(name, self._home)
            ours = tuple(CellType() for _ in cells)
            live = FunctionType(code, names, closure=ours)
        self._done[place] = live
        live.__defaults__, live.__kwdefaults__ = (
            self._value(word, before)
            for word, before in zip(defaults, (live.__defaults__, live.__kwdefaults__), strict=True)
        )
        for cell, words in zip(ours, cells, strict=True):
            before = cell.cell_contents if _is_set(cell) else None
            for word in words:
                cell.cell_contents = self._value(word, before)
        return live

    def _method(self, _place: int, live: Any, owner: Any, name: str) -> Any:
        is_alike = isinstance(live, MethodType)
        found = self._value(owner, live.__self__ if is_alike else None)
        if is_alike and found is live.__self__ and live.__func__.__name__ == name:
            return live
        if not isinstance(getattr(type(found), name, None), FunctionType):
            raise SnapshotError(f"the method {name} stands in the state alone")
        return getattr(found, name)

    def _partial(self, _place: int, live: Any, func: Any, args: Any, keywords: Any) -> Any:
        is_alike = isinstance(live, partial)
        ours = (live.func, live.args, live.keywords) if is_alike else (None, (), {})
        found = [
            self._value(word, item) for word, item in zip((func, args, keywords), ours, strict=True)
        ]
        if is_alike and all(a is b for a, b in zip(found, ours, strict=True)):
            return live
        return partial(found[0], *found[1], **found[2])

    def _member(self, _place: int, live: Any, kind: Any, name: str) -> Any:
        return self._value(kind, type(live))[name]

    def _code(self, _place: int, live: Any, name: list[str]) -> Any:
        if hasattr(live, "__name__") and address(live) == name:
            return live
        return found_class(name, self._home)

    def _named_tuple(self, _place: int, live: Any, name: list[str], words: list[Any]) -> Any:
        is_alike = isinstance(live, tuple) and address(type(live)) == name
        kind = type(live) if is_alike else found_class(name, self._home)
        if not is_named_tuple(kind):
            raise SnapshotError(f"{'.'.join(name)} is no named tuple")
        return tuple.__new__(kind, self._values(words, live if is_alike else ()))

    def _object(self, place: int, live: Any, name: list[str], pairs: list[Any]) -> Any:
        if address(type(live)) != name:
            kind = found_class(name, self._home)
            if not is_buildable(kind):
                raise SnapshotError(f"an object of {'.'.join(name)} stands in the state alone")
            live = object.__new__(kind)
        self._done[place] = live
        ours = live_attributes(live)
        for attribute, word in pairs:
            value = self._value(word, ours.get(attribute))
            if attribute not in ours or ours[attribute] is not value:
                _set(live, attribute, value)
        if not has_own_state(type(live)):
            for attribute in set(ours) - {attribute for attribute, _ in pairs}:
                object.__delattr__(live, attribute)
        return live


def _set(live: Any, name: str, value: Any) -> None:
    """Sets an attribute past the class's own code, which may refuse or register it."""
    is_in_slot = isinstance(getattr(type(live), name, None), MemberDescriptorType)
    if is_in_slot:
        object.__setattr__(live, name, value)
    else:
        vars(live)[name] = value


def _is_set(cell: Any) -> bool:
    try:
        return bool([cell.cell_contents])
    except ValueError:
        return False


_READERS: dict[str, Any] = {
    "as it is": StateReader._as_it_is,
    "static": StateReader._static_item,
    "mapping": StateReader._mapping,
    "sequence": StateReader._sequence,
    "tensor": StateReader._tensor,
    "array": StateReader._array,
    "objects": StateReader._objects,
    "torch generator": StateReader._torch_generator,
    "numpy generator": StateReader._numpy_generator,
    "numpy random state": StateReader._numpy_random_state,
    "python random": StateReader._python_random,
    "bytes": StateReader._bytes,
    "range": StateReader._range,
    "slice": StateReader._slice,
    "complex": StateReader._complex,
    "device": StateReader._device,
    "dtype": StateReader._dtype,
    "numpy dtype": StateReader._numpy_dtype,
    "size": StateReader._size,
    "function": StateReader._function,
    "method": StateReader._method,
    "partial": StateReader._partial,
    "member": StateReader._member,
    "code": StateReader._code,
    "named tuple": StateReader._named_tuple,
    "object": StateReader._object,
}
