"""Everything that attributes, items, array bases, closures and defaults lead to from an object."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

import numpy as np
import torch

MOST_OBJECTS = 200_000
"""Objects after which a walk ends: a context and a view are some hundred."""

_ENDS = (
    *(str, int, float, complex, bool, type(None), type, ModuleType),
    *(FrameType, CodeType, TracebackType, torch.Generator, torch.dtype, torch.device),
)
_MOST_ITEMS = 100_000


def reachable(*roots: object) -> Iterator[object]:
    """The objects that can be reached, each once.

    Modules, classes and frames of the interpreter are not entered.

    Args:
        roots: Where the walk begins.
    """
    waiting, seen, kept = list(roots), set[int](), list[object]()
    while waiting and len(kept) < MOST_OBJECTS:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _ENDS):
            continue
        seen.add(id(item))
        kept.append(item)  # an id is free again once its object is gone
        yield item
        waiting.extend(_leads_to(item))


def _leads_to(item: Any) -> Iterator[object]:
    if isinstance(item, Mapping):
        yield from chain(item.keys(), item.values())
    elif isinstance(item, list | tuple | set | frozenset | deque):
        yield from item
    elif isinstance(item, weakref.ref):
        yield item()
    if isinstance(item, np.ndarray):
        yield item.base
        if item.dtype == object and item.size < _MOST_ITEMS:
            yield from item.ravel().tolist()
    elif isinstance(item, torch.Tensor):
        yield from (item._base, item.grad, *vars(item).values())
    elif isinstance(item, memoryview):
        yield item.obj
    else:
        yield from _attributes(item)


def _attributes(item: Any) -> Iterator[object]:
    if isinstance(item, FunctionType):
        yield from (item.__defaults__, item.__kwdefaults__)
        for cell in item.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not bound yet
                continue
    names = ("__self__", "__func__", "__wrapped__", "gi_yieldfrom", "func", "args", "keywords")
    for name in (*getattr(item, "__dict__", {}), *_slots(item), *names):
        try:
            yield getattr(item, name, None)
        except Exception:  # noqa: S112 - a property that cannot be read leads nowhere
            continue


def _slots(item: object) -> Iterator[str]:
    for kind in type(item).__mro__:
        names = kind.__dict__.get("__slots__", ())
        yield from (names,) if isinstance(names, str) else names
