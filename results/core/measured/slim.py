"""Records as they ship: thin curves, and nothing that names the machine they were made on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.record import Record, Row

MOST_POINTS = 30
"""Epochs that a shipped learning curve has at most for each set of links."""
CURVE_METRICS = ("hits@1", "mrr")
# An absolute path of at least two parts; not the end of an address such as https://a/b.
_PATH = re.compile(r"(?<![\w.:/~])(?:~|/[\w.+-]+|[A-Za-z]:)[/\\](?:[\w.+-]+[/\\])*([\w.+-]+)")


def slim(record: Record) -> Record:
    """The record with curves of a few points, and paths without their folders.

    All numbers stay. Of the curves, ``CURVE_METRICS`` stay at ``MOST_POINTS`` epochs, the first,
    the last and the best one among them. A failed cell loses its traceback.

    Raises:
        ResultsError: If it was made by a user's own method file, which does not ship.
    """
    if record.configuration.get("method_files"):
        raise ResultsError(
            f"cell {record.key}: was made by a method file of the user's own. Only methods of the "
            "program can be reference runs."
        )
    cell = {name: _without_folders(value) for name, value in record.cell.items()}
    if cell["status"] != "ok":
        cell["notes"] = None
    made = replace(
        record,
        cell=cell,
        curves=[dict(row) for row in _thin(record.curves, cell["best_epoch"])],
        configuration=_plain(record.configuration),
    )
    made.check()
    return made


def _thin(curves: Sequence[Row], best_epoch: int | None) -> list[Row]:
    kept = [row for row in curves if row["metric"] in CURVE_METRICS]
    by_links: dict[str, list[int]] = {}
    for row in kept:
        by_links.setdefault(row["links"], []).append(row["epoch"])
    chosen = {
        links: chosen_epochs(sorted(set(epochs)), best_epoch) for links, epochs in by_links.items()
    }
    return [row for row in kept if row["epoch"] in chosen[row["links"]]]


def chosen_epochs(epochs: Sequence[int], best: int | None, most: int = MOST_POINTS) -> set[int]:
    """At most ``most`` of sorted epochs, spread evenly: first, last and the best one stay."""
    if len(epochs) <= most:
        return set(epochs)
    wanted = {best} & set(epochs)
    n_even = most - len(wanted)
    step = (len(epochs) - 1) / (n_even - 1)
    return {epochs[round(place * step)] for place in range(n_even)} | {
        epoch for epoch in wanted if epoch is not None
    }


def _plain(value: Any) -> Any:
    """A configuration without the folders of paths in its texts."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _without_folders(value)


def _without_folders(value: Any) -> Any:
    return _PATH.sub(r"\1", value) if isinstance(value, str) else value
