"""Rows and columns of a published table, with the published number at each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mmea_bench.reports.core.papers.layouts import Layout, RowName
from mmea_bench.reports.core.papers.stated_settings import with_known_settings
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.results.core.published_scoring import PrintedScoring

_SAME = 1e-9

Record = dict[str, Any]
"""One row of the published results."""


@dataclass(frozen=True)
class Line:
    """One row of a published table.

    Attributes:
        group: Number of its row group.
        label: Name of that group.
        row: Method and variant.
        records: Published number by column, None where the paper has a dash.
        words: Setting words: what the paper states about it, and what else is known.
        seed_ratio: Ratio of the row, None where the columns say it.
        measured_ratio: Ratio at which it is measured where the paper states none.
    """

    group: int
    label: str
    row: RowName
    records: tuple[Record | None, ...]
    words: frozenset[str]
    seed_ratio: float | None
    measured_ratio: float | None

    @property
    def name(self) -> str:
        """What stands in the table."""
        method, variant = self.row
        return f"{method}{variant}" if variant in ("", "-md") else variant

    @property
    def is_reproduced(self) -> bool:
        """Whether the authors of the table ran the method themselves."""
        notes = [str(record["note"]) for record in self.records if record is not None]
        return bool(notes) and all(note.startswith("reproduced") for note in notes)


@dataclass(frozen=True)
class Column:
    """One column of a published table.

    Attributes:
        dataset: Canonical dataset.
        seed_ratio: None where the table or the row says it.
        metric: Metric.
        dataset_name: Header word of the dataset.
        metric_name: Header word of the metric.
    """

    dataset: str
    seed_ratio: float | None
    metric: str
    dataset_name: str
    metric_name: str

    @property
    def words(self) -> tuple[str, ...]:
        """Header words, outermost first."""
        ratio = () if self.seed_ratio is None else (percent(self.seed_ratio),)
        return (self.dataset_name, *ratio, self.metric_name)


def columns_of(layout: Layout) -> tuple[Column, ...]:
    """The columns of a table from its first to its last."""
    ratios: Sequence[float | None] = layout.seed_ratios or (None,)
    return tuple(
        Column(dataset, ratio, metric, dataset_name, metric_name)
        for dataset, dataset_name in layout.datasets.items()
        for ratio in ratios
        for metric, metric_name in layout.metrics.items()
    )


def level_names(layout: Layout) -> tuple[str, ...]:
    """What each header level says."""
    return ("dataset", *(("seed ratio",) if layout.seed_ratios else ()), "metric")


def lines_of(
    layout: Layout, results: pd.DataFrame, scoring: Sequence[PrintedScoring] = ()
) -> tuple[Line, ...]:
    """The rows of a table with their published numbers.

    Args:
        layout: The table.
        results: ``Published.results``.
        scoring: ``Published.scoring``, for settings that the paper does not state itself.
    """
    own = results[(results["source"] == layout.source) & (results["table"] == layout.table)]
    by_name: dict[RowName, list[Record]] = {}
    for record in own.to_dict("records"):
        named = {str(key): value for key, value in record.items()}
        by_name.setdefault((named["method"], named["variant"]), []).append(named)
    columns = columns_of(layout)
    lines = []
    for number, group in enumerate(layout.groups):
        for row in group.rows:
            records = [
                record
                for record in by_name.get(row, [])
                if not group.setting or group.setting in str(record["setting"]).split(";")
            ]
            found = tuple(_at(column, records, group.seed_ratio) for column in columns)
            stated = {
                word
                for record in found
                if record
                for word in str(record["setting"]).split(";")
                if word
            }
            place = (layout.source, layout.table)
            words = with_known_settings(frozenset(stated), row[0], place, scoring)
            ratios = group.seed_ratio, group.measured_ratio
            lines.append(Line(number, group.label, row, found, words, *ratios))
    return tuple(lines)


def _at(column: Column, records: Sequence[Record], row_ratio: float | None) -> Record | None:
    ratio = row_ratio if column.seed_ratio is None else column.seed_ratio
    for record in records:
        is_there = record["dataset"] == column.dataset and record["metric"] == column.metric
        if is_there and (ratio is None or abs(record["seed_ratio"] - ratio) <= _SAME):
            return record
    return None


def wanted_ratio(line: Line, column: Column) -> float | None:
    """Seed ratio of a place; None where nothing says it."""
    if column.seed_ratio is not None:
        return column.seed_ratio
    if line.seed_ratio is not None:
        return line.seed_ratio
    printed = {float(record["seed_ratio"]) for record in line.records if record is not None}
    stated = {ratio for ratio in printed if not math.isnan(ratio)}
    return stated.pop() if len(stated) == 1 else line.measured_ratio
