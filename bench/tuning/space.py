"""The values that a tuning tries for a method: declared in its file, else the usual ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.search_space import Choice, Dimension, Float, Int

_FACTOR = 10.0
_LARGEST_DROPOUT = 0.6
_DIGITS = 3


@dataclass(frozen=True)
class Space:
    """What may be varied of a configured method.

    Attributes:
        dimensions: Parameter to its values.
        default: Parameter to its value where nothing is varied.
        origin: Where the dimensions come from, for the reader.
    """

    dimensions: Mapping[str, Dimension]
    default: Mapping[str, object]
    origin: str

    def changes(self, values: Mapping[str, object]) -> dict[str, object]:
        """The values that differ from the defaults: the overrides of a cell."""
        return {name: value for name, value in values.items() if value != self.default[name]}


def space_of(method: Method, name: str, fixed: Mapping[str, object]) -> Space:
    """The space of a configured method.

    Args:
        method: As it is tuned: variant and fixed parameters applied.
        name: Catalogue name.
        fixed: Parameters that the user sets; they are not varied.

    Raises:
        UserError: If nothing is left to vary, or a default lies outside of its declared values.
    """
    declared = dict(method.search_space)
    dimensions = declared or dict(_usual(method))
    dimensions = {key: value for key, value in dimensions.items() if key not in fixed}
    if not dimensions:
        raise UserError(
            f"There is nothing to tune of {name}: it declares no `search_space` and no `grid`, has "
            "no learning rate, or --set fixes all of it. See docs/tuning.md."
        )
    default = {key: getattr(method.params, key, None) for key in dimensions}
    for key, dimension in dimensions.items():
        if not hasattr(method.params, key):
            raise UserError(f"The search_space of {name} names '{key}', which is no parameter.")
        if not dimension.holds(default[key]):
            raise UserError(
                f"The search_space of {name} lacks the default of '{key}', {default[key]}. "
                f"Fix it with --set {name}.{key}=VALUE, or widen the space."
            )
    return Space(dimensions, default, "search_space" if declared else "grid and usual ranges")


def _usual(method: Method) -> Iterator[tuple[str, Dimension]]:
    """The published sweep with the default, a learning rate by factors, a drop-out."""
    params: Any = method.params
    for key, values in method.grid.items():
        default = getattr(params, key, None)
        every = (*values, *[default] * (default not in values))
        if len(every) > 1:
            yield key, Choice(every)
    rate = getattr(params, "learning_rate", None)
    is_rate = isinstance(rate, float) and 0.0 < rate < math.inf
    if "learning_rate" not in method.grid and isinstance(rate, float) and is_rate:
        yield "learning_rate", Float(rate / _FACTOR, rate * _FACTOR, log=True)
    dropout = getattr(params, "dropout", None)
    is_share = isinstance(dropout, float) and 0.0 <= dropout <= _LARGEST_DROPOUT
    if "dropout" not in method.grid and is_share:
        yield "dropout", Float(0.0, _LARGEST_DROPOUT)


def rounded(dimension: Dimension, value: object) -> object:
    """A drawn number with three digits, so that a file says exactly what was trained."""
    if isinstance(dimension, Float) and isinstance(value, float):
        short = float(f"{value:.{_DIGITS}g}")
        return min(max(short, dimension.low), dimension.high)
    return int(str(value)) if isinstance(dimension, Int) else value


def spell_space(space: Space) -> str:
    """The space in one line."""
    return "; ".join(f"{key} {_spell(dim)}" for key, dim in space.dimensions.items())


def _spell(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return " or ".join(_spell_value(value) for value in dimension.values)
    return f"{dimension.low:g} to {dimension.high:g}{', by factors' if dimension.log else ''}"


def _spell_value(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
