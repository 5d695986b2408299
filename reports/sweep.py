"""Sweeps: a metric over one hyper-parameter, or over two as a heat map."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.comparison import (
    STOPPED_ON_TEST_NOTE,
    Comparison,
    comparisons,
    overrides_of,
    repeat_cell,
    shown_numbers,
)
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.lines import draw_lines, method_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.style import COLUMN_WIDTH_IN, put_title
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "sweep"
_HEIGHT_IN = 2.3
_MAP_IN = 2.6
_LOG_SPAN = 20.0
"""Values whose largest is this many times the smallest are spread evenly by a log axis."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """A table per swept parameter or pair of parameters, and its figure."""
    blocks: list[Block] = []
    for comparison in comparisons(shown_numbers(tables, options), options):
        blocks += _blocks(comparison)
    if not blocks:
        return Missing("No hyper-parameter was run with two or more values.")
    notes = ("Mean over repeats; bands are 95 % intervals.", STOPPED_ON_TEST_NOTE)
    return Document(NAME, "Hyper-parameter sweeps", tuple(blocks), notes)


def _blocks(comparison: Comparison) -> Iterator[Block]:
    metric = comparison.metrics[0]
    numbers = comparison.numbers[comparison.numbers["metric"] == metric]
    numbers = numbers.assign(point=numbers["overrides"].map(overrides_of))
    varied = _varied(numbers)
    if len(varied) == 2:
        first, second = varied
        both = numbers[[first in point and second in point for point in numbers["point"]]]
        if len({json.dumps(point, sort_keys=True) for point in both["point"]}) >= 4:
            for method, own in both.groupby("method", sort=True):
                yield from _map(comparison, own, (first, second), str(method))
            return
    for parameter in varied:
        others = [name for name in varied if name != parameter]
        own = numbers[
            [
                parameter in point and not any(name in point for name in others)
                for point in numbers["point"]
            ]
        ]
        if len(own):
            yield from _line(comparison, own, parameter)


def _varied(numbers: pd.DataFrame) -> list[str]:
    """Parameters with two or more values within one method."""
    found: dict[tuple[str, str], set[str]] = {}
    for method, point in zip(numbers["method"], numbers["point"], strict=True):
        for name, value in point.items():
            found.setdefault((str(method), name), set()).add(json.dumps(value))
    return sorted({name for (_, name), values in found.items() if len(values) >= 2})


def _line(comparison: Comparison, own: pd.DataFrame, parameter: str) -> Iterator[Block]:
    values = [point[parameter] for point in own["point"]]
    own = own.assign(x=values, variant=own["base"])
    own = own.assign(name=method_names(own))
    title = f"{parameter}: {comparison.title}"
    metric = comparison.metrics[0]
    if all(isinstance(value, (int, float)) for value in values):
        draw = partial(_draw_line, own=own, parameter=parameter, metric=metric, title=title)
        slug = f"{parameter.replace('_', '-')}-{comparison.slug}"
        yield Figure(slug, title, draw, COLUMN_WIDTH_IN, _HEIGHT_IN)
    ordered = sorted(set(map(str, values)), key=lambda text: (_number(text), text))
    rows = tuple(
        Row(
            (str(name),),
            tuple(_cell(group[group["x"].map(str) == value]) for value in ordered),
        )
        for name, group in own.groupby("name", sort=True)
    )
    columns = tuple((METRIC_NAMES[metric], f"{parameter}={value}") for value in ordered)
    yield Table(title, ("method",), ("metric", "value"), columns, rows)


def _draw_line(canvas: Canvas, own: pd.DataFrame, parameter: str, metric: str, title: str) -> None:
    low, high = float(own["x"].min()), float(own["x"].max())
    axes = draw_lines(canvas, own, title, log_x=low > 0 and high / low >= _LOG_SPAN)
    axes.set_xlabel(parameter)
    axes.set_ylabel(METRIC_NAMES[metric])


def _map(
    comparison: Comparison, own: pd.DataFrame, parameters: tuple[str, str], method: str
) -> Iterator[Block]:
    down, across = parameters
    own = own.assign(
        y=[point[down] for point in own["point"]], x=[point[across] for point in own["point"]]
    )
    grid = own.pivot_table(index="y", columns="x", values="value", aggfunc="mean")
    metric = comparison.metrics[0]
    title = f"{method}, {METRIC_NAMES[metric]}: {comparison.title}"
    draw = partial(_draw_map, grid=grid, parameters=parameters, title=title)
    yield Figure(f"{method}-{comparison.slug}", title, draw, COLUMN_WIDTH_IN, _MAP_IN)
    rows = tuple(
        Row(
            (f"{down}={y}",),
            tuple(_cell(own[(own["y"] == y) & (own["x"] == x)]) for x in grid.columns),
        )
        for y in grid.index
    )
    columns = tuple((METRIC_NAMES[metric], f"{across}={x}") for x in grid.columns)
    yield Table(title, ("value",), ("metric", "value"), columns, rows)


def _draw_map(canvas: Canvas, grid: pd.DataFrame, parameters: tuple[str, str], title: str) -> None:
    axes = canvas.subplots()
    height = canvas.get_figheight()
    top = put_title(canvas, title)
    canvas.subplots_adjust(left=0.15, right=0.97, top=top, bottom=0.36 / height)
    values = grid.to_numpy()
    axes.imshow(values, cmap="cividis", aspect="auto")
    # The figures' palette is bright where values are high: dark text there, light text below.
    middle = (values.max() + values.min()) / 2
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            colour = "#111111" if value > middle else "#ffffff"
            axes.text(
                column, row, f"{value:.3f}", ha="center", va="center", color=colour, fontsize=6
            )
    axes.set_xticks(range(grid.shape[1]), [str(x) for x in grid.columns])
    axes.set_yticks(range(grid.shape[0]), [str(y) for y in grid.index])
    axes.set_xlabel(parameters[1])
    axes.set_ylabel(parameters[0])


def _cell(rows: pd.DataFrame) -> Cell:
    return repeat_cell(rows.groupby("repeat")["value"].mean())


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
