"""What changed between two sides, as far as their records say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mmea_bench.reports.core.comparing.pairs import Pairs
from mmea_bench.reports.core.comparing.sides import Sides, bare_key
from mmea_bench.reports.core.swept_points import settings_of

NOT_SET = "not set"
_COLUMNS = {
    "commit of the program": "git_commit",
    "device": "device",
    "content of the dataset": "dataset_version",
    "links that chose the checkpoint": "stopped_on",
}


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        what: Its kind, such as ``parameter``.
        name: Which one, such as ``mclea.tau1``; empty where the kind says it.
        first: On the first side.
        second: On the second side.
        n: Pairs of cells in which it differs so.
    """

    what: str
    name: str
    first: str
    second: str
    n: int


@dataclass(frozen=True)
class Changes:
    """All that differs between the paired cells.

    Attributes:
        found: What differs, by kind.
        notes: Sentences on the code, and on what the records do not say.
        n_pairs: Pairs of cells.
    """

    found: tuple[Change, ...]
    notes: tuple[str, ...]
    n_pairs: int


def find_changes(sides: Sides, pairs: Pairs) -> Changes:
    """What differs between cells that are partners.

    Args:
        sides: Both sides.
        pairs: Which of their cells belong together.
    """
    keys = pairs.numbers[["first_key", "second_key"]].drop_duplicates()
    cells = [_by_key(side.tables.cells) for side in (sides.first, sides.second)]
    counted: dict[tuple[str, str, str, str], int] = {}
    same_key = other_code = unsaid = 0
    across_methods = sides.kind == "methods"
    for first_key, second_key in keys.itertuples(index=False):
        own, other = cells[0][first_key], cells[1][second_key]
        told = [
            sides.first.configurations.get(first_key, {}),
            sides.second.configurations.get(second_key, {}),
        ]
        found = [*_of_cells(own, other)]
        of_parameters = [] if across_methods else [*_of_parameters(own, other, *told)]
        for change in (*of_parameters, *found):
            counted[change] = counted.get(change, 0) + 1
        unsaid += not all(each.get("parameters") for each in told)
        is_same = bare_key(first_key) == bare_key(second_key)
        same_key += is_same
        explained = bool(of_parameters) or any(change[0] in _IN_KEYS for change in found)
        other_code += not is_same and not explained
    changes = tuple(Change(*words, n) for words, n in sorted(counted.items()))
    notes = _notes(len(keys), same_key, other_code, unsaid, kind=sides.kind)
    return Changes(changes, notes, len(keys))


_IN_KEYS = (
    *("content of the dataset", "protocol setting", "method file"),
    *("parameter", "override", "training"),
)
"""Kinds of changes that give a cell another key by themselves."""


def _notes(n: int, same_key: int, other_code: int, unsaid: int, *, kind: str) -> tuple[str, ...]:
    if kind in ("variants", "methods"):
        return ()  # their keys differ by what is compared
    notes = []
    if same_key:
        notes.append(
            f"{same_key} of {n} pairs have one key: same parameters, data, method and scoring code."
        )
    if other_code:
        notes.append(
            f"{other_code} of {n} pairs have different keys although parameters, data and protocol "
            "agree: the code of the method or of the scoring changed."
        )
    if unsaid:
        notes.append(
            f"{unsaid} of {n} pairs have a record without its full parameters; only overrides are "
            "compared there."
        )
    return tuple(notes)


def _by_key(cells: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = cells.drop_duplicates("key").astype(object)
    rows = rows.where(rows.notna(), None)
    return {str(row["key"]): {str(k): v for k, v in row.items()} for row in rows.to_dict("records")}


def _of_cells(
    own: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    for what, column in _COLUMNS.items():
        name = str(own["dataset"]) if column == "dataset_version" else ""
        if own[column] != other[column]:
            yield what, name, _text(own[column]), _text(other[column])
    versions = (_table(own["versions"]), _table(other["versions"]))
    yield from _differing("version", "", *versions)
    rules = (_table(own["protocol_settings"]), _table(other["protocol_settings"]))
    if own["protocol"].partition("[")[0] != other["protocol"].partition("[")[0]:
        yield "protocol setting", "name", _text(own["protocol"]), _text(other["protocol"])
    if all(rules):
        yield from _differing("protocol setting", "", *rules)


def _of_parameters(
    own: Mapping[str, Any],
    other: Mapping[str, Any],
    own_told: Mapping[str, Any],
    other_told: Mapping[str, Any],
) -> Iterator[tuple[str, str, str, str]]:
    prefix = f"{own['method']}."
    if own_told.get("parameters") and other_told.get("parameters"):
        both = (_mapping(own_told["parameters"]), _mapping(other_told["parameters"]))
        yield from _differing("parameter", prefix, *both)
    else:
        overrides = (_table(own["overrides"]), _table(other["overrides"]))
        yield from _differing("override", prefix, *overrides)
    yield from _differing("method file", "", _files(own_told), _files(other_told))
    yield from _differing("training", "", _beside_parameters(own), _beside_parameters(other))


def _beside_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a training that are no parameters of its method: partitions, precision."""
    overrides = _table(cell["overrides"])
    settings = settings_of(str(cell["variant"]), "{}")
    return {name: value for name, value in settings.items() if name not in overrides}


def _files(told: Mapping[str, Any]) -> dict[str, Any]:
    """The user's method files that a record holds, to their content hashes."""
    listed = told.get("method_files")
    found = [_mapping(each) for each in listed] if isinstance(listed, list) else []
    return {str(each.get("name")): str(each.get("sha256"))[:12] for each in found}


def _differing(
    what: str, prefix: str, own: Mapping[str, Any], other: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    for name in sorted(own.keys() | other.keys()):
        first, second = (_text(table.get(name, NOT_SET)) for table in (own, other))
        if first != second:
            yield what, f"{prefix}{name}", first, second


def _table(text: object) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(text)) if isinstance(text, str) else {}
    except ValueError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value, default=str)
