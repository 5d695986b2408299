"""The plan of a results folder: the cells that its runs set out to do, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmea_bench.results.core.disk.files import read_regular

PLAN_NAME = "plan.json"
"""``keys`` of the last run's cells, those ``done`` before it, and ``cells``: every cell that the
folder was ever asked for, key to words."""

NAMES_FILE = "names.json"
"""How reports print ids, as the suite of the folder says."""

LARGEST_PLAN_BYTES = 2**30

CellWords = Mapping[str, Any]
"""Method, variant, dataset, seed ratio, repeat and protocol of a cell, by name."""


def planned_cells(folder: Path) -> dict[str, CellWords]:
    """Key to words of every cell that a results folder was asked for; empty without a plan.

    A plan that cannot be read is no plan. Words may be empty, where an older version noted keys
    only.
    """
    content = plan_content(folder)
    try:
        words = {str(key): dict(given) for key, given in content.get("cells", {}).items()}
        return {**{str(key): {} for key in content.get("keys", ())}, **words}
    except (ValueError, TypeError, AttributeError):
        return {}


def plan_content(folder: Path) -> dict[str, Any]:
    """All that the plan of a folder says; empty where there is none, or none that can be read."""
    return _content(folder / PLAN_NAME)


def plan_problems(folder: Path) -> tuple[str, ...]:
    """A sentence where the plan of a folder is there and cannot be read."""
    path = folder / PLAN_NAME
    if not path.exists() or _parsed(path) is not None:
        return ()
    return (
        f"{PLAN_NAME} cannot be read, so that missing cells cannot be told. Start the run again: "
        "it writes the plan anew.",
    )


def is_foreign_plan(folder: Path) -> bool:
    """Whether the file in the plan's place is JSON, and no plan of ours."""
    content = _parsed(folder / PLAN_NAME)
    return content is not None and not (isinstance(content, dict) and "keys" in content)


def names_content(folder: Path) -> dict[str, Any]:
    """Printed names that the suite of a folder gave; empty where there are none."""
    return _content(folder / NAMES_FILE)


def _content(path: Path) -> dict[str, Any]:
    content = _parsed(path)
    return content if isinstance(content, dict) else {}


def _parsed(path: Path) -> object:
    """What a JSON file says; None where it cannot be read."""
    try:
        return json.loads(read_regular(path, LARGEST_PLAN_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
