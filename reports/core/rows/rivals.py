"""Who competes with whom: methods with other methods, none with its own ablations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmea_bench.reports.core.names import FULL

Values = NDArray[np.floating[Any]]
Variant = tuple[str, str]
"""Method and variant."""

_NONE: Values = np.array([], dtype=float)


def competitors(found: Iterable[Variant]) -> set[Variant]:
    """The variants that stand for their methods when methods are compared.

    The full method where it was run, else the full method with other settings, else whatever was
    run of it: an ablation is no method of its own.

    Args:
        found: Every variant that has a number.
    """
    by_method: dict[str, set[Variant]] = {}
    for variant in found:
        by_method.setdefault(variant[0], set()).add(variant)
    kept: set[Variant] = set()
    for variants in by_method.values():
        plain = {variant for variant in variants if variant[1] == FULL}
        with_settings = {variant for variant in variants if variant[1].startswith(f"{FULL}[")}
        kept |= plain or with_settings or variants
    return kept


def contest(
    rows: Sequence[Variant], columns: Sequence[Values], *, is_less_better: bool = False
) -> list[Values]:
    """The values of one column that compete for being the best; empty for those that do not.

    Ablations do not, and neither do other rows of the best method: better than the second best
    means better than another method.

    Args:
        rows: Method and variant of each row.
        columns: Its values over repeats, empty for none.
        is_less_better: Whether the smallest mean is the best.
    """
    sign = -1.0 if is_less_better else 1.0
    found = [place for place, values in enumerate(columns) if len(values)]
    standing = competitors(rows[place] for place in found)
    found = [place for place in found if rows[place] in standing]
    if not found:
        return [_NONE] * len(columns)
    best = max(found, key=lambda place: sign * float(np.mean(columns[place])))
    return [
        values if place == best or (place in found and rows[place][0] != rows[best][0]) else _NONE
        for place, values in enumerate(columns)
    ]
