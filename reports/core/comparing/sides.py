"""The two sides of a comparison: two folders, or two parts of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.rows.chosen import unknown_text
from mmea_bench.reports.core.rows.identity import with_protocol_settings
from mmea_bench.results.core.store import ResultStore, read_tables
from mmea_bench.results.core.table import Tables

Kind = Literal["folders", "variants", "methods", "commits"]
_SHORTEST_COMMIT = 4
_COLUMNS: Mapping[Kind, str] = {
    "variants": "variant",
    "methods": "method",
    "commits": "git_commit",
}
_PREFIXES = ("1:", "2:")
"""Before the keys of each side: one cell may stand on both."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two things that are compared.

    Attributes:
        label: How it is called.
        tables: Its cells and numbers; keys have a prefix that tells the sides apart.
        configurations: Key, with its prefix, to how the cell was configured, where it says so.
    """

    label: str
    tables: Tables
    configurations: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Sides:
    """Both sides, and what tells them apart.

    Attributes:
        kind: What was asked to be held against what.
        first: The side that counts as before.
        second: The side that counts as after.
    """

    kind: Kind
    first: Side
    second: Side


def read_sides(
    folders: Sequence[Path], kind: Kind = "folders", names: tuple[str, str] = ("", "")
) -> Sides:
    """The sides of two folders, or of two variants, methods or commits of one.

    Args:
        folders: Two for ``folders``, else one.
        kind: What is compared.
        names: The two variants, methods or commits.

    Raises:
        ResultsError: If a folder holds no results, or no cell has one of the names.
    """
    if kind == "folders":
        if len(folders) != 2:
            raise ReportError(
                "Give two results folders, or one with --variants A B, --methods A B or "
                "--commits A B."
            )
        if folders[0].resolve() == folders[1].resolve():
            raise ReportError(f"Both sides are {folders[0]}. Give two folders.")
        labels = _labels(folders)
        sides = [_read(folder, label) for folder, label in zip(folders, labels, strict=True)]
    else:
        if len(folders) != 1:
            raise ReportError(f"--{kind} compares two parts of one results folder; give one.")
        whole = _read(folders[0], "")
        asked = [_found(kind, name, whole.tables.cells) for name in names]
        if asked[0] == asked[1]:
            raise ReportError(f"Both sides are {asked[0]}. Name two {kind}.")
        sides = [_only(whole, _COLUMNS[kind], name) for name in asked]
    first, second = _joined(*sides)
    return Sides(kind, first, second)


def _labels(folders: Sequence[Path]) -> list[str]:
    """Names of two folders, by their last parts where these differ."""
    names = [folder.resolve().name for folder in folders]
    return names if names[0] != names[1] else [str(folder) for folder in folders]


def _read(folder: Path, label: str) -> Side:
    tables = read_tables(folder)
    records = ResultStore(folder).records()
    return Side(label, tables, {record.key: record.configuration for record in records})


def _found(kind: Kind, name: str, cells: pd.DataFrame) -> str:
    """The name as cells have it; a commit may be shortened, and a variant lack its settings."""
    known = set(cells[_COLUMNS[kind]].dropna())
    wanted = name.replace("-", "_") if kind == "methods" and name not in known else name
    if wanted in known:
        return wanted
    whole = sorted(map(str, known))
    if kind == "commits" and len(name) >= _SHORTEST_COMMIT:
        whole = [commit for commit in whole if commit.startswith(name)]
    elif kind == "variants":
        whole = [variant for variant in whole if variant.partition("[")[0] == name]
    else:
        whole = []
    if len(whole) == 1:
        return whole[0]
    if whole:
        word = kind.removesuffix("s").capitalize()
        raise ReportError(f"{word} {name} may be {' or '.join(whole)}. Write it in full.")
    raise ReportError(unknown_text(kind.removesuffix("s"), name, map(str, known)))


def _only(side: Side, column: str, value: str) -> Side:
    cells = side.tables.cells
    own = cells[cells[column] == value].reset_index(drop=True)
    keys = set(own["key"])
    results, curves = (
        frame[frame["key"].isin(keys)].reset_index(drop=True)
        for frame in (side.tables.results, side.tables.curves)
    )
    tables = replace(side.tables, cells=own, results=results, curves=curves)
    return Side(value, tables, side.configurations)


def _joined(*sides: Side) -> list[Side]:
    """The sides with keys of their own, and protocols named by the settings in which they differ.

    The settings are told apart over both sides together: else ``strict`` with other patience on
    each would count as one protocol.
    """
    prefixed = [_prefixed(side, prefix) for side, prefix in zip(sides, _PREFIXES, strict=True)]
    first = prefixed[0].tables
    both = with_protocol_settings(
        replace(
            first,
            cells=pd.concat([side.tables.cells for side in prefixed], ignore_index=True),
            results=pd.concat([side.tables.results for side in prefixed], ignore_index=True),
        )
    )
    found = []
    for side, prefix in zip(prefixed, _PREFIXES, strict=True):
        cells, results = (
            frame[frame["key"].str.startswith(prefix)].reset_index(drop=True)
            for frame in (both.cells, both.results)
        )
        found.append(replace(side, tables=replace(side.tables, cells=cells, results=results)))
    return found


def _prefixed(side: Side, prefix: str) -> Side:
    tables = side.tables
    cells, results, curves = (
        frame.assign(key=prefix + frame["key"])
        for frame in (tables.cells, tables.results, tables.curves)
    )
    return Side(
        side.label,
        replace(tables, cells=cells, results=results, curves=curves),
        {prefix + key: configuration for key, configuration in side.configurations.items()},
    )


def bare_key(key: str) -> str:
    """The key of a cell without the prefix of its side."""
    return key[len(_PREFIXES[0]) :]
