"""Records that were made with other libraries than those that are installed now, in sentences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def other_versions_note(
    rows: Iterable[Mapping[str, Any]], now: Mapping[str, str], what: str
) -> str:
    """A sentence on cells that were made with other versions than ``now``; "" for none.

    Versions are no part of a key, because most updates move no number; so they are said.

    Args:
        rows: Rows of cells.csv of the cells that count.
        now: Library to version.
        what: What the cells are called, such as ``results that count as done``.
    """
    differing = Counter(filter(None, (_differing(row, now) for row in rows)))
    if not differing:
        return ""
    listed = "; ".join(f"{words} ({count})" for words, count in sorted(differing.items())[:3])
    more = "; and others" if len(differing) > 3 else ""
    return (
        f"{differing.total()} {what} were made with other versions: {listed}{more}. They count; "
        "`run --fresh` runs them again, `report --apart versions` keeps them apart."
    )


def _differing(row: Mapping[str, Any], now: Mapping[str, str]) -> str:
    """Libraries of a row that have another version now; what it does not say counts as equal."""
    try:
        then = json.loads(row["versions"] or "{}")
    except ValueError:
        return ""
    own = "mmea-bench"  # the program's code is part of the key
    return ", ".join(
        f"{name} {then[name]} (now {version})"
        for name, version in sorted(now.items())
        if name != own and then.get(name, version) != version
    )
