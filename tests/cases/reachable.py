"""Everything that attributes, items, array bases and closures lead to from an object."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np
import torch

_ENDS = (str, bytes, int, float, bool, type(None), type, ModuleType, FrameType, CodeType)


def reachable(*roots: object) -> Iterator[object]:
    """The objects that can be reached, each once; frames of the interpreter are not entered."""
    waiting, seen, kept = list(roots), set[int](), []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _ENDS):
            continue
        seen.add(id(item))
        kept.append(item)  # an id is free again once its object is gone
        yield item
        waiting.extend(_leads_to(item))


def _leads_to(item: Any) -> Iterator[object]:
    if isinstance(item, dict):
        yield from item.keys()
        yield from item.values()
    elif isinstance(item, list | tuple | set | frozenset):
        yield from item
    elif isinstance(item, np.ndarray):
        yield item.base
        if item.dtype == object and item.size < 1000:
            yield from item.ravel().tolist()
    elif not isinstance(item, torch.Tensor):
        for cell in getattr(item, "__closure__", None) or ():
            yield cell.cell_contents
        for name in (*getattr(item, "__dict__", {}), *_slots(item), "__self__", "__wrapped__"):
            yield getattr(item, name, None)
        for name in ("gi_yieldfrom", "__func__", "func", "args", "keywords"):
            yield getattr(item, name, None)


def _slots(item: object) -> Iterator[str]:
    for kind in type(item).__mro__:
        names = kind.__dict__.get("__slots__", ())
        yield from (names,) if isinstance(names, str) else names
