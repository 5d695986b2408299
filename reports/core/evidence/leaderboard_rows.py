"""The rows of one board: ranked, marked, and with what must be said of them below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import NOTHING, Cell, Row, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.published.attempts import failures
from mmea_bench.reports.core.published.measured import made_up_inputs
from mmea_bench.reports.core.rows.comparison import (
    STOPPED_ON_TEST,
    STOPPED_ON_TEST_NOTE,
    repeat_cell,
)
from mmea_bench.reports.core.rows.origins import origin_notes, origins
from mmea_bench.reports.core.rows.remarks import partial_copies, stopped_on_test
from mmea_bench.reports.core.stated.interpretations import (
    interpretation_notes,
    interpreted_methods,
)
from mmea_bench.reports.core.words import METRIC_NAMES

RANK_COLUMNS = ("hits@1", "hits@10", "mrr")
PAIR_COLUMNS = ("f1", "precision", "recall")
STAND_IN, PARTIAL, FAILED = "*", "•", "§"

_ROW = ["method", "variant", "similarity", "inference", "csls", "decoder"]
_UNKNOWN_DEVICE = "unknown device"
_DIGITS = 9
"""Of a mean, by which rows are ranked: the order of repeats must not part equals."""


@dataclass(frozen=True, eq=False)
class Entries:
    """What may stand on one board.

    Attributes:
        numbers: Rows of results.csv that are scored as the board is.
        others: Rows that are scored with another CSLS size.
        csls: The size of the board; None where no links are ranked.
        cells: The cells that count.
        runs: Cells of all that was run, also what was run again.
        names: How methods are printed.
    """

    numbers: pd.DataFrame
    others: pd.DataFrame
    csls: int | None
    cells: pd.DataFrame
    runs: pd.DataFrame
    names: Names

    @property
    def left_out(self) -> str:
        """A sentence on methods that have no number scored as the board is; empty for none."""
        shown = {pair for pair, _csls in _scored(self.numbers)}
        sizes: dict[tuple[str, str], set[int]] = {}
        for pair, csls in _scored(self.others):
            if pair not in shown:
                sizes.setdefault(pair, set()).add(csls)
        found = sorted(
            f"{self.names.of(*pair)} ({', '.join(csls_words(csls) for csls in sorted(own))})"
            for pair, own in sizes.items()
        )
        if not found:
            return ""
        return f"Left out, not scored with {csls_words(self.csls)}: {', '.join(found)}."


@dataclass(frozen=True, eq=False)
class _Line:
    """A row before it has its rank, with the cells behind it."""

    row: Row
    keys: frozenset[str]
    is_on_test: bool

    @property
    def mean(self) -> float:
        """What it is ranked by."""
        return round(self.row.cells[0].mean or 0.0, _DIGITS)


def _scored(numbers: pd.DataFrame) -> Iterator[tuple[tuple[str, str], int]]:
    """Method and variant, and the CSLS size, of every number that a board shows."""
    shown = numbers[numbers["metric"].isin((*RANK_COLUMNS, *PAIR_COLUMNS))]
    for method, variant, csls in zip(shown["method"], shown["variant"], shown["csls"], strict=True):
        yield (str(method), str(variant)), int(csls)


def csls_words(csls: int | None) -> str:
    """A CSLS size, printed."""
    return f"CSLS of k = {csls}" if csls else "no CSLS"


def board_table(title: str, entries: Entries, most_rows: int | None = None) -> Table:
    """The table of a board, best first; checkpoints chosen on test links stand behind, unranked.

    Args:
        title: Says dataset, seeds, protocol and what the methods were given.
        entries: What may stand on it; ``numbers`` are not empty.
        most_rows: How many rows are shown, with the notes that concern them; None for all.
    """
    numbers = entries.numbers
    is_pairs = bool((numbers["inference"] != "").all())
    metrics = [
        m for m in (PAIR_COLUMNS if is_pairs else RANK_COLUMNS) if m in set(numbers["metric"])
    ]
    lines = sorted(
        _lines(entries, metrics), key=lambda line: (line.is_on_test, -line.mean, line.row.labels)
    )
    ranked = [line.mean for line in lines if not line.is_on_test]
    lines = lines[:most_rows]
    rows = [
        replace(
            line.row, labels=(NOTHING if line.is_on_test else _rank(line, ranked), *line.row.labels)
        )
        for line in lines
    ]
    keys = frozenset().union(*(line.keys for line in lines))
    own = entries.cells[entries.cells["key"].isin(keys)]
    notes = (
        *_mark_notes(rows, own),
        *interpretation_notes(interpreted_methods(own), entries.names),
        *origin_notes(own.assign(origin=origins(own))),
    )
    return explained(
        Table(
            title,
            ("rank", "method", "repeats", "minutes"),
            ("metric",),
            tuple((METRIC_NAMES[metric],) for metric in metrics),
            tuple(rows),
            tuple(filter(None, (*notes, entries.left_out))),
        )
    )


def _rank(line: _Line, ranked: Sequence[float]) -> str:
    return str(ranked.index(line.mean) + 1)


def _lines(entries: Entries, metrics: Sequence[str]) -> Iterator[_Line]:
    numbers, cells = entries.numbers, entries.cells
    tells_device = _devices(cells[cells["key"].isin(set(numbers["key"]))]).nunique() > 1
    for place, own in numbers[numbers["metric"].isin(metrics)].groupby(_ROW, sort=True):
        made = {
            str(metric): with_certain(repeat_cell(rows.groupby("repeat")["value"].mean()), rows)
            for metric, rows in own.groupby("metric")
        }
        values = tuple(made.get(metric, Cell()) for metric in metrics)
        keys = frozenset(own["key"])
        of_row = cells[cells["key"].isin(keys)]
        is_on_test = stopped_on_test(of_row, keys)
        marks = STAND_IN * bool(made_up_inputs(of_row)[1])
        marks += PARTIAL * bool(of_row["partial_copy"].notna().any())
        marks += FAILED * bool(failures(keys, entries.runs).n) + STOPPED_ON_TEST * is_on_test
        name = _name(place, numbers, entries.names) + f" {marks}" * bool(marks)
        n = str(max(cell.n for cell in values))
        row = Row((name, n, _minutes(of_row, is_told=tells_device)), values)
        yield _Line(row, keys, is_on_test)


def _name(place: tuple[Any, ...], group: pd.DataFrame, names: Names) -> str:
    """Method and variant, with the words of scoring in which its own rows differ."""
    row = dict(zip(_ROW, place, strict=True))
    same = group[(group["method"] == row["method"]) & (group["variant"] == row["variant"])]
    words = {
        "similarity": str(row["similarity"]),
        "inference": str(row["inference"]),
        "csls": f"CSLS {row['csls']}",
        "decoder": str(row["decoder"]),
    }
    told = [word for column, word in words.items() if same[column].nunique() > 1]
    return ", ".join((names.of(row["method"], row["variant"]), *told))


def _devices(cells: pd.DataFrame) -> pd.Series[str]:
    return cells["device"].fillna(_UNKNOWN_DEVICE).astype(str)


def _minutes(cells: pd.DataFrame, *, is_told: bool) -> str:
    """Mean minutes of a repeat; apart by device where a board has several."""
    seconds = cells["fit_s"].astype(float) + cells["eval_s"].fillna(0.0).astype(float)
    found = [
        f"{own.mean() / 60:.1f}" + f" ({device})" * is_told
        for device, own in seconds.dropna().groupby(_devices(cells), sort=True)
    ]
    return ", ".join(found) or NOTHING


def _mark_notes(rows: Sequence[Row], own: pd.DataFrame) -> Iterator[str]:
    marks = {mark for row in rows for mark in row.labels[1].rpartition(" ")[2]}
    if STAND_IN in marks:
        yield f"{STAND_IN} {'; '.join(made_up_inputs(own)[1])}."
    if PARTIAL in marks:
        yield f"{PARTIAL} {'; '.join(partial_copies(own))}"
    if FAILED in marks:
        yield (
            f"{FAILED} another repeat failed, or one of these when it was run again; what failed "
            "is not in the mean."
        )
    if STOPPED_ON_TEST in marks:
        yield f"{STOPPED_ON_TEST_NOTE} Not ranked."
