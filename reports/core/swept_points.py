"""Where a run stands in a sweep: every setting in the brackets of its variant."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

_BETWEEN = re.compile(r",(?=[\w.*]+=)")
"""A comma between two settings, not one in a value."""


def settings_of(variant: str, overrides: str) -> Mapping[str, Any]:
    """Setting to value; one that is absent has its default, which the tables do not tell.

    Parameters of a method are as its cell recorded them. What else stands in the brackets, such as
    ``precision`` and ``partitions``, tells trainings apart as much, and is read from their text.

    Args:
        variant: Such as ``full[precision=bf16,tau=0.1]``.
        overrides: JSON of the parameters among them.
    """
    recorded: Mapping[str, Any] = json.loads(overrides)
    texts = (part.partition("=") for part in settings_texts(variant))
    return {name: recorded.get(name, _read(text)) for name, _, text in texts}


def with_points(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with ``point``, their settings, and ``asked``, the names of these as one text."""
    pairs = zip(rows["variant"], rows["overrides"].fillna("{}"), strict=True)
    points = pd.Series([settings_of(*pair) for pair in pairs], rows.index, dtype=object)
    return rows.assign(point=points, asked=[",".join(sorted(point)) for point in points])


def without_settings(variant: str, names: Collection[str]) -> str:
    """The variant without these settings in its brackets."""
    base = variant.partition("[")[0]
    left = [part for part in settings_texts(variant) if part.partition("=")[0] not in names]
    return f"{base}[{','.join(left)}]" if left else base


def settings_words(variant: str) -> str:
    """The settings of a variant as prose; ``default`` for none."""
    return ", ".join(settings_texts(variant)) or "default"


def settings_texts(variant: str) -> list[str]:
    """What stands in the brackets of a variant, ``name=value`` each."""
    inside = variant.partition("[")[2].removesuffix("]")
    return _BETWEEN.split(inside) if inside else []


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
