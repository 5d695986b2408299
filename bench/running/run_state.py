"""How far the run of a results folder is, for those who watch it from another process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mmea_bench.bench.sharing.heartbeats import runners_of
from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.plans.plan_file import (
    NAMES_FILE,
    PLAN_NAME,
    plan_content,
    planned_cells,
)


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        n_ended: Cells that have ended, well or not.
        n_planned: Cells of the last run; None for a folder that no run has noted its plan in.
        running_since: When the process started that runs cells now; None for none.
    """

    n_ended: int
    n_planned: int | None
    running_since: datetime | None


def note_plan(
    folder: Path,
    keys: Iterable[str],
    done: Iterable[str],
    cells: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Leaves in the folder what a run sets out to do; its time tells old records from new ones.

    What the folder was asked for before stays asked for: a run of a part does not make the whole
    complete. A cell that other code, data or rules gave a new key takes the place of the old one.

    Args:
        folder: Results folder.
        keys: Every cell of the run.
        done: Those that need not run.
        cells: What the keys stand for, in words.
    """
    now = {key: dict(words) for key, words in (cells or {}).items()}
    again = set(map(_spelled, now.values()))
    before = planned_cells(folder)
    kept = {key: words for key, words in before.items() if words and _spelled(words) not in again}
    content = {"keys": list(keys), "done": sorted(done), "cells": {**kept, **now}}
    write_atomic(folder / PLAN_NAME, json.dumps(content, indent=1).encode("utf-8"))


def note_names(folder: Path, names: Mapping[str, Mapping[str, str]]) -> None:
    """Leaves in the folder how reports are to print ids; a suite without names changes nothing."""
    if names:
        write_atomic(folder / NAMES_FILE, json.dumps(names, indent=1).encode("utf-8"))


def _spelled(words: Mapping[str, object]) -> str:
    return json.dumps(words, sort_keys=True)


def run_state(folder: Path) -> RunState:
    """The state of a folder; a folder without anything in it is at the start."""
    records = _record_times(folder)
    planned, done, since_ns = _plan_of(folder)
    if not planned:
        return RunState(len(records), None, _running_since(folder))
    # A cell that runs again has a record from before, which does not count.
    ended = {key for key in planned if key in done or records.get(key, -1) >= since_ns}
    return RunState(len(ended), len(planned), _running_since(folder))


def _plan_of(folder: Path) -> tuple[set[str], set[str], int]:
    content = plan_content(folder)
    try:
        keys, done = set(content["keys"]), set(content["done"])
        return keys, done, (folder / PLAN_NAME).stat().st_mtime_ns
    except (OSError, KeyError, TypeError):
        return set(), set(), 0


def _record_times(folder: Path) -> dict[str, int]:
    """Key of each record to the time of its file."""
    found = {}
    try:
        with os.scandir(folder / "cells") as entries:
            for entry in entries:
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    found[entry.name.removesuffix(".json")] = entry.stat().st_mtime_ns
    except OSError:
        return found  # not there yet, or gone while we looked
    return found


def _running_since(folder: Path) -> datetime | None:
    """Since when the folder's oldest living runner runs."""
    runners = runners_of(folder)
    return runners[0].since if runners else None
