"""What the writing and the reading of a training's state agree on.

A state is a list of nodes, in JSON, and the arrays that they name by number. A node is a list: its
kind, then what that kind needs. Inside a node a plain value stands as it is, and ``[n]`` refers to
node ``n``; so objects that are shared, or refer to themselves, stay so.
"""

from __future__ import annotations

import copyreg
import inspect
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import nn

PLAIN = (type(None), bool, int, float, str)
MAPPINGS: dict[str, type] = {
    kind.__name__: kind for kind in (dict, OrderedDict, defaultdict, Counter)
}
SEQUENCES: dict[str, type] = {kind.__name__: kind for kind in (list, tuple, set, frozenset, deque)}
_BUILTINS = {kind.__name__: kind for kind in (int, float, str, dict, list, set)}
CODE = (type, FunctionType, BuiltinFunctionType, ModuleType, np.ufunc)

_OWN_PACKAGES = ("mmea_bench.methods.", "mmea_bench_user_methods.", "torch.nn.", "torch.optim.")
_HEAP_TYPE = 1 << 9


class SnapshotError(Exception):
    """The training holds something that cannot be written down, or the bytes are not a snapshot."""


class Standing:
    """Functions and objects that a training has as soon as it is set up, by identity."""

    def __init__(self, items: Iterable[object]) -> None:
        self._items = {id(item): item for item in items}  # held, so that no id is used again

    def __contains__(self, item: object) -> bool:
        return id(item) in self._items


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


def address(code: Any) -> list[str]:
    """Module and name of a class, a function or a module."""
    if isinstance(code, ModuleType):
        return [code.__name__, ""]
    module = getattr(code, "__module__", None)
    return [str(module or "builtins"), getattr(code, "__qualname__", code.__name__)]


def is_named_tuple(kind: type) -> bool:
    """Whether a class is one of ``NamedTuple``."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def holds_attributes(kind: Any) -> bool:
    """Whether the objects of a class are what their attributes say, and nothing besides."""
    below = next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)
    is_plain = kind.__reduce__ is object.__reduce__ and kind.__reduce_ex__ is object.__reduce_ex__
    return below is object and is_plain


def has_own_state(kind: type) -> bool:
    """Whether a class says itself which of its attributes are state."""
    # 3.11 gave every object a ``__getstate__``, which says nothing of its own.
    return getattr(kind, "__getstate__", None) is not getattr(object, "__getstate__", None)


def attributes_of(item: Any) -> dict[str, Any]:
    """Attributes of an object by name, those in slots included.

    Raises:
        TypeError: If it holds more than its attributes, as locks and files do.
        SnapshotError: If its class keeps a state of another form.
    """
    if getattr(type(item).__getstate__, "__module__", "") == "dataclasses":
        return live_attributes(item)  # frozen ones with slots give their values in order
    state = item.__reduce_ex__(2)[2]
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    if any(not isinstance(part, (dict, type(None))) for part in parts):
        raise SnapshotError(f"__getstate__ of {type(item).__qualname__} gives no dictionary")
    return {name: value for part in parts for name, value in (part or {}).items()}


def live_attributes(item: Any) -> dict[str, Any]:
    """Attributes that an object has now, by name."""
    slots: list[str] = copyreg._slotnames(type(item))  # type: ignore[attr-defined]
    in_slots = {name: getattr(item, name) for name in slots if hasattr(item, name)}
    return {**getattr(item, "__dict__", {}), **in_slots}


def found_class(place: list[str], users_module: str) -> type:
    """A class of a method's own, by name.

    Nothing is imported, and only classes of methods, of the module that trains, and of PyTorch's
    layers and optimisers are found: a name in a state cannot lead anywhere else.

    Raises:
        SnapshotError: If it is none of these.
    """
    module, name = place
    if module == "builtins" and name in _BUILTINS:
        return _BUILTINS[name]
    found = _found(module, name, users_module)
    if not isinstance(found, type) or found.__module__ != module:
        raise SnapshotError(f"an object of {module}.{name} stands in the state alone")
    return found


def found_code(place: list[str], users_module: str) -> tuple[CodeType, dict[str, Any]]:
    """Code and globals of a function of a method's own, by name; it may stand inside others.

    Raises:
        SnapshotError: If there is none of that name in such a module, or several.
    """
    module, name = place
    outermost = inspect.unwrap(_found(module, name.partition(".<locals>")[0], users_module))
    if isinstance(outermost, FunctionType) and outermost.__module__ == module:
        found = [code for code in _codes(outermost.__code__) if code.co_qualname == name]
        if len(found) == 1:
            return found[0], outermost.__globals__
    raise SnapshotError(f"the function {module}.{name} stands in the state alone")


def _found(module: str, name: str, users_module: str) -> Any:
    """What a name stands for in a module of methods; None where there is nothing."""
    is_own = module == users_module or f"{module}.".startswith(_OWN_PACKAGES)
    found: Any = sys.modules.get(module) if is_own else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)


def home_of(state: object) -> str:
    """Module of the functions that a training loop was given: the method's."""
    parts = state if isinstance(state, (tuple, list)) else (state,)
    functions = (part.__func__ if isinstance(part, MethodType) else part for part in parts)
    return next((f.__module__ for f in functions if isinstance(f, FunctionType)), "")


def is_buildable(kind: Any) -> bool:
    """Whether an object of a class can be made from its attributes alone, without its own code."""
    is_new = kind.__new__ is object.__new__ or issubclass(kind, nn.Module)
    return is_new and holds_attributes(kind)
