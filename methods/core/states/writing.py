"""The objects of a running training, written as nodes and arrays without any code."""

from __future__ import annotations

import enum
import io
import json
import random
from collections import defaultdict, deque
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmea_bench.methods.core.states.words import (
    CODE,
    MAPPINGS,
    PLAIN,
    SEQUENCES,
    Outside,
    SnapshotError,
    Standing,
    address,
    attributes_of,
    found_class,
    found_code,
    holds_attributes,
    home_of,
    is_buildable,
    is_named_tuple,
)

_MAPPING_TYPES = frozenset(MAPPINGS.values())
_SEQUENCE_TYPES = frozenset(SEQUENCES.values())


class StateWriter:
    """Walks a web of objects; each becomes one node.

    Args:
        outside: What is no part of the state.
        standing: What is there already where the state is put back; all else must be such that it
            can be made anew. None takes that on trust.
    """

    def __init__(self, outside: Outside, standing: Standing | None = None) -> None:
        self._standing, self._home = standing, ""
        self._coded: list[object] = []
        self._static = {id(item): name for name, item in outside.static.items()}
        self._kinds = outside.kinds
        self._places: dict[int, int] = {}
        self._held: list[object] = []  # keeps ids from being used again
        self._nodes: list[Any] = []
        self._arrays: list[Tensor] = []

    def written(self, state: object) -> bytes:
        """All that a state refers to.

        Raises:
            SnapshotError: If an object of it is neither numbers, text, containers nor attributes.
        """
        self._home = home_of(state)
        root = self._word(state)
        words = json.dumps({"root": root, "nodes": self._nodes}).encode()
        buffer = io.BytesIO()
        torch.save([_of_bytes(words), *self._arrays], buffer)
        return buffer.getvalue()

    def standing(self, state: object) -> Standing:
        """Functions and objects that a state refers to, without what is outside."""
        self._word(state)
        return Standing(self._coded)

    def _word(self, item: Any) -> Any:
        if type(item) in PLAIN:
            return item
        place = self._places.get(id(item))
        if place is None:
            place = self._places[id(item)] = len(self._nodes)
            self._held.append(item)
            self._nodes.append(None)  # before its parts, which may refer back to it
            self._nodes[place] = self._node(item)
        return [place]

    def _words(self, items: Any) -> list[Any]:
        return [self._word(item) for item in items]

    def _array(self, tensor: Tensor) -> int:
        self._arrays.append(tensor)
        return len(self._arrays) - 1

    def _node(self, item: Any) -> list[Any]:
        kind = type(item)
        if isinstance(item, self._kinds):
            return ["as it is"]
        if id(item) in self._static:
            return ["static", self._static[id(item)]]
        if kind in _MAPPING_TYPES:
            pairs = [[self._word(key), self._word(value)] for key, value in item.items()]
            factory = item.default_factory if isinstance(item, defaultdict) else None
            return ["mapping", kind.__name__, pairs, self._word(factory)]
        if kind in _SEQUENCE_TYPES:
            longest = item.maxlen if isinstance(item, deque) else None
            return ["sequence", kind.__name__, self._words(item), longest]
        return (
            self._numbers(item)
            or self._generator(item)
            or self._values(item)
            or self._function(item)
            or self._object(item)
        )

    def _numbers(self, item: Any) -> list[Any] | None:
        kind = type(item)
        if kind in (Tensor, nn.Parameter, nn.Buffer):
            return ["tensor", self._array(item)]
        if isinstance(item, np.ndarray) and kind is np.ndarray and item.dtype == object:
            return ["objects", list(item.shape), self._words(item.ravel())]
        if kind is np.ndarray or isinstance(item, np.generic):
            form = "array" if kind is np.ndarray else "scalar"
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(item), allow_pickle=False)
            return ["array", self._array(_of_bytes(buffer.getvalue())), form]
        return None

    def _generator(self, item: Any) -> list[Any] | None:
        if isinstance(item, torch.Generator):
            return ["torch generator", self._array(item.get_state()), str(item.device)]
        if isinstance(item, np.random.Generator):
            bits = item.bit_generator
            return ["numpy generator", type(bits).__name__, self._word(bits.state)]
        if isinstance(item, np.random.RandomState):
            return ["numpy random state", self._word(item.get_state())]
        if isinstance(item, random.Random):
            return ["python random", self._word(item.getstate())]
        return None

    def _values(self, item: Any) -> list[Any] | None:
        kind = type(item)
        if kind in (bytes, bytearray):
            return ["bytes", self._array(_of_bytes(bytes(item))), kind.__name__]
        if kind in (range, slice):
            return [kind.__name__, *self._words((item.start, item.stop, item.step))]
        if kind is complex:
            return ["complex", item.real, item.imag]
        if kind in (torch.device, torch.dtype, np.dtype) or isinstance(item, np.dtype):
            return _named_kind(item)
        return ["size", list(item)] if kind is torch.Size else None

    def _function(self, item: Any) -> list[Any] | None:
        if isinstance(item, FunctionType):
            self._check_that_it_can_come_back(item)
            cells = [self._words(_content(cell)) for cell in item.__closure__ or ()]
            defaults = self._words((item.__defaults__, item.__kwdefaults__))
            return ["function", address(item), cells, *defaults]
        if isinstance(item, MethodType):
            return ["method", self._word(item.__self__), item.__func__.__name__]
        if isinstance(item, partial):
            return ["partial", *self._words((item.func, item.args, item.keywords))]
        if isinstance(item, enum.Enum):
            return ["member", self._word(type(item)), item.name]
        return ["code", address(item)] if isinstance(item, CODE) else None

    def _object(self, item: Any) -> list[Any]:
        kind = type(item)
        if is_named_tuple(kind):
            return ["named tuple", address(kind), self._words(item)]
        if not holds_attributes(kind):
            raise SnapshotError(
                f"the training cannot be written down: an object of {kind.__module__}."
                f"{kind.__qualname__} is neither numbers, text, a container nor attributes"
            )
        self._check_that_it_can_come_back(item)
        attributes = attributes_of(item)
        self._held.append(attributes)
        pairs = [[name, self._word(value)] for name, value in attributes.items()]
        return ["object", address(kind), pairs]

    def _check_that_it_can_come_back(self, item: Any) -> None:
        self._coded.append(item)
        if self._standing is None or item in self._standing:
            return
        if isinstance(item, FunctionType):
            found_code(address(item), self._home)
        elif not is_buildable(found_class(address(type(item)), self._home)):
            name = ".".join(address(type(item)))
            raise SnapshotError(f"an object of {name} cannot be made anew")


def _content(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # a variable that was not set yet
        return []


def _of_bytes(content: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8).copy())


def _named_kind(item: Any) -> list[Any]:
    if isinstance(item, torch.device):
        return ["device", str(item)]
    if isinstance(item, torch.dtype):
        return ["dtype", str(item).removeprefix("torch.")]
    return ["numpy dtype", item.str]
