"""Low resource: a metric over the seed ratio, one line per method."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.comparison import (
    STOPPED_ON_TEST_NOTE,
    Comparison,
    comparisons,
    repeat_cell,
    shown_numbers,
)
from mmea_bench.reports.core.document import Block, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.lines import draw_lines, method_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.select import percent
from mmea_bench.reports.core.style import COLUMN_WIDTH_IN
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "low_resource"
_HEIGHT_IN = 2.4


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One figure and one table per dataset and protocol that was run at several seed ratios."""
    blocks: list[Block] = []
    for comparison in comparisons(shown_numbers(tables, options), options, all_ratios=True):
        if comparison.numbers["seed_ratio"].nunique() < 2:
            continue
        metric = comparison.metrics[0]
        numbers = comparison.numbers[comparison.numbers["metric"] == metric]
        blocks += [_figure(comparison, numbers, metric), _table(comparison, numbers, metric)]
    if not blocks:
        return Missing("No dataset was run at two or more seed ratios.")
    notes = ("Bands: 95 % intervals over repeats.", STOPPED_ON_TEST_NOTE)
    return Document(NAME, "Seed ratios", tuple(blocks), notes)


def _figure(comparison: Comparison, numbers: pd.DataFrame, metric: str) -> Figure:
    draw = partial(
        _draw,
        numbers=numbers.assign(name=method_names(numbers)),
        metric=metric,
        comparison=comparison,
    )
    return Figure(comparison.slug, comparison.title, draw, COLUMN_WIDTH_IN, _HEIGHT_IN)


def _draw(canvas: Canvas, numbers: pd.DataFrame, metric: str, comparison: Comparison) -> None:
    points = numbers.assign(x=100 * numbers["seed_ratio"])
    axes = draw_lines(canvas, points, comparison.title)
    axes.set_xlabel("Seed ratio in %")
    axes.set_ylabel(METRIC_NAMES[metric])


def _table(comparison: Comparison, numbers: pd.DataFrame, metric: str) -> Table:
    ratios = sorted(set(numbers["seed_ratio"]))
    rows = []
    for name, own in numbers.assign(name=method_names(numbers)).groupby("name", sort=True):
        cells = []
        for ratio in ratios:
            values = own[own["seed_ratio"] == ratio].groupby("repeat")["value"].mean()
            cells.append(repeat_cell(values))
        rows.append(Row((str(name),), tuple(cells)))
    columns = tuple((METRIC_NAMES[metric], percent(ratio)) for ratio in ratios)
    return Table(comparison.title, ("method",), ("metric", "seed ratio"), columns, tuple(rows))
