"""What of two sides is not compared, and why: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mmea_bench.reports.core.comparing.sides import Side
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.identity import CELL_IDENTITY
from mmea_bench.reports.core.rows.select import current_cells, percent
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import DANGLING_METRICS, NO_DECODER, RANK_METRICS

_WORDS = {
    "pair_method": "method",
    "dataset": "dataset",
    "seed_ratio": "seed ratio",
    "pair_variant": "variant",
    "dataset_version": "content of the dataset",
    "protocol": "protocol",
    "names": "names read",
    "iterative": "pseudo-labels learned",
    "simulated_text": "simulated features",
    "rules": "way of scoring",
    "inference": "inference",
}


@dataclass(frozen=True)
class Unpaired:
    """Cells of one side that are not compared, or not with all of their numbers.

    Attributes:
        side: Label of the side that has them.
        method: Method.
        variant: Variant, with its overrides.
        place: Dataset and seed ratio.
        repeats: Their repeats.
        why: Why there is no partner.
        is_part: Whether other numbers of these cells are compared.
    """

    side: str
    method: str
    variant: str
    place: str
    repeats: tuple[int, ...]
    why: str
    is_part: bool = False


def with_is_paired(own: pd.DataFrame, others: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The numbers of a side with ``is_paired``: whether the other side has a partner.

    Args:
        own: Numbers of a side.
        others: Numbers of the other one.
        keys: Columns in which partners agree; no two numbers of a side do.
    """
    joined = own.merge(others[keys], on=keys, how="left", indicator="_merge")
    return joined.assign(is_paired=joined["_merge"] == "both").drop(columns="_merge")


def lonely(
    side: Side, own: pd.DataFrame, other: Side, others: pd.DataFrame, order: list[str]
) -> Iterator[Unpaired]:
    """Numbers of a side that found no partner, with the first thing that is not there.

    Args:
        side: The side.
        own: Its numbers; columns of ``with_is_paired``.
        other: The other side.
        others: Its numbers.
        order: Columns in which partners agree, in the order in which they are asked.
    """
    compared = _compared(own)
    known: dict[tuple[Any, ...], tuple[str, pd.DataFrame]] = {}
    found = _Grouped(side)
    for row in own[~own["is_paired"]].to_dict("records"):
        asked = tuple(row[column] for column in order)
        if asked not in known:
            known[asked] = _narrowed(row, others, order, other.label)
        why, alike = known[asked]
        found.add(
            row, why or _of_metric(row, alike, other.label), is_part=_identity(row) in compared
        )
    yield from found.entries()


def not_shown(side: Side, own: pd.DataFrame, options: ReportOptions) -> Iterator[Unpaired]:
    """Cells that ended ok without a number, or without one of ranks, among those to compare.

    Args:
        side: The side.
        own: Its numbers; columns of ``with_is_paired``.
        options: With the CSLS size that is compared.
    """
    current = current_cells(side.tables).tables
    results = current.in_own_similarity()
    asked = results[
        results["metric"].isin({*RANK_METRICS, *DANGLING_METRICS}.intersection(options.metrics))
        & (results["direction"] == options.direction)
        & (results["decoder"] == NO_DECODER)
    ]
    sizes: dict[tuple[Any, ...], set[int]] = {}
    for row in asked[[*CELL_IDENTITY, "csls"]].to_dict("records"):
        sizes.setdefault(_identity(row), set()).add(int(row["csls"]))
    plain = own[own["is_ranked"] & own["metric"].isin(set(asked["metric"]))]
    shown, ranked = _identities(own), _identities(plain)
    csls = plain["csls"].max() if options.csls is None else options.csls
    beside = "" if pd.isna(csls) else f"; csls={csls} is compared"
    compared = _compared(own)
    found = _Grouped(side)
    for row in current.cells[current.cells["status"] == "ok"].to_dict("records"):
        cell = _identity(row)
        if cell in sizes and cell not in ranked:
            listed = ", ".join(map(str, sorted(sizes[cell])))
            found.add(row, f"scored with csls={listed} only{beside}", is_part=cell in compared)
        elif cell not in shown:
            found.add(row, "no number in the metrics and the direction that are compared")
    yield from found.entries()


def ended_badly(side: Side) -> Iterator[Unpaired]:
    """Cells that did not end ok and were not run again with success, with their reason."""
    cells = current_cells(side.tables).tables.cells
    for row in cells[cells["status"] != "ok"].to_dict("records"):
        reason = row["reason"] if isinstance(row["reason"], str) else ""
        words = str(row["status"]).replace("_", " ")
        first_line = reason.splitlines()[0] if reason else ""
        why = f"{words}: {first_line}" if first_line else words
        name = (str(row["method"]), str(row["variant"]))
        yield Unpaired(side.label, *name, _place(row), (int(row["repeat"]),), why)


class _Grouped:
    """Cells of one side, those that differ in their repeat alone together."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._repeats: dict[tuple[str, str, str, str, bool], set[int]] = {}

    def add(self, row: Mapping[Any, Any], why: str, *, is_part: bool = False) -> None:
        """Adds the cell of a row."""
        key = (str(row["method"]), str(row["variant"]), _place(row), why, is_part)
        self._repeats.setdefault(key, set()).add(int(row["repeat"]))

    def entries(self) -> Iterator[Unpaired]:
        """What was added, in the order of the first."""
        for (method, variant, place, why, is_part), repeats in self._repeats.items():
            own = tuple(sorted(repeats))
            yield Unpaired(self._side.label, method, variant, place, own, why, is_part)


def _identity(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """What a cell is, under whichever key it was run."""
    return tuple(None if pd.isna(row[column]) else row[column] for column in CELL_IDENTITY)


def _identities(rows: pd.DataFrame) -> set[tuple[Any, ...]]:
    return {_identity(row) for row in rows[CELL_IDENTITY].to_dict("records")}


def _compared(own: pd.DataFrame) -> set[tuple[Any, ...]]:
    """Cells of which at least one number is compared."""
    return _identities(own[own["is_paired"]])


def _place(row: Mapping[Any, Any]) -> str:
    return f"{row['dataset']}, {percent(float(row['seed_ratio']))}"


def _narrowed(
    row: Mapping[Any, Any], others: pd.DataFrame, order: list[str], label: str
) -> tuple[str, pd.DataFrame]:
    """Why no number agrees with a row, empty where some do; and those that agree the furthest."""
    rest = others
    for column in order:
        narrowed = rest[rest[column] == row[column]]
        if narrowed.empty:
            there = sorted({_value(column, value) for value in rest[column]})
            listed = ", ".join(there[:4]) + (", ..." if len(there) > 4 else "")
            return _words(column, _value(column, row[column]), label, listed), rest
        rest = narrowed
    return "", rest


def _of_metric(row: Mapping[Any, Any], alike: pd.DataFrame, label: str) -> str:
    """Why none of the numbers that agree in all but the metric is a partner."""
    own, there = METRIC_NAMES[row["metric"]], sorted(METRIC_NAMES[name] for name in alike["metric"])
    if own in there:
        return f"metric {own}; {label} has it in another direction"
    return f"metric {own}; {label} has {', '.join(dict.fromkeys(there))}"


def _words(column: str, own: str, label: str, listed: str) -> str:
    if column == "repeat":
        return f"{label} has no such repeat, only {listed}"
    if column == "split_seed":
        return f"{label} has another split in this repeat"
    return f"{_WORDS[column]} {own}; {label} has {listed or 'no numbers'}"


def _value(column: str, value: object) -> str:
    if column == "seed_ratio":
        return percent(float(str(value)))
    if column == "split_seed":
        return "unknown" if value == -1.0 else f"{float(str(value)):.0f}"
    return str(value) or "none"
