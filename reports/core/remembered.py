"""What twenty reports compute from one folder, computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from mmea_bench.results.core.table import Tables

Found = TypeVar("Found")
Choices = ParamSpec("Choices")


def remembered(
    compute: Callable[Concatenate[Tables, Choices], Found],
) -> Callable[Concatenate[Tables, Choices], Found]:
    """A function of tables that keeps what it found as long as the tables are there.

    Whoever calls it may not change what it returns.

    Args:
        compute: Takes tables, and further arguments that can be hashed.
    """
    known: WeakKeyDictionary[Tables, dict[object, Found]] = WeakKeyDictionary()

    @functools.wraps(compute)
    def call(tables: Tables, /, *choices: Choices.args, **named: Choices.kwargs) -> Found:
        of_tables = known.setdefault(tables, {})
        key = (choices, frozenset(named.items()))
        if key not in of_tables:
            of_tables[key] = compute(tables, *choices, **named)
        return of_tables[key]

    return call
