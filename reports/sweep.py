"""Sweeps: a metric over one hyper-parameter, or over two as a heat map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import Canvas
from mmea_bench.reports.core.figures.chosen_by_validation import (
    best_validation_scores,
    chosen_table,
)
from mmea_bench.reports.core.figures.heat_map import Grid, draw_map, is_geometric, map_size
from mmea_bench.reports.core.figures.lines import (
    draw_lines,
    lines_width,
    method_names,
    under_short_names,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    Comparison,
    comparisons,
    mark_notes,
    metric_style,
    name_marks,
    overrides_of,
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.gaps import cells_of, gap_notes, left_out
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "sweep"
_HEIGHT_IN = 2.3
_LOG_SPAN = 20.0
"""Values whose largest is this many times the smallest are spread evenly by a log axis."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """A table per swept parameter or pair of parameters, and its figure."""
    numbers = shown_numbers(tables, options)
    all_cells = current_cells(tables).tables.cells
    validated = best_validation_scores(tables)
    blocks: list[Block] = []
    shown = []
    for comparison in comparisons(numbers, options):
        made = list(_blocks(comparison, cells_of(all_cells, comparison), options.names))
        chosen = chosen_table(comparison, validated, options.names) if made else None
        blocks += made if chosen is None else [*made, chosen]
        # Cells without overrides are in no sweep.
        is_swept = comparison.numbers["overrides"] != "{}"
        shown += [comparison.numbers[is_swept]] if made else []
    gaps = gap_notes(tables, options, numbers)
    if not blocks:
        reason = "No hyper-parameter was run with two or more values."
        return left_out(reason, gaps)
    notes = (
        "Mean over repeats. Lines: bands are 95 % intervals. Maps: the best value is framed, "
        "hatched cells have no number.",
        *mark_notes(pd.concat(shown)),
        *gaps,
    )
    return Document(NAME, "Hyper-parameter sweeps", tuple(blocks), notes)


@dataclass(frozen=True, eq=False)
class _Sweep:
    """Rows that differ in some parameters.

    Attributes:
        comparison: Their place.
        rows: Numbers of the figures' metric with the column ``point`` (parameter to value).
        cells: All cells of the place with the same column, those without a number too.
        title: Says what is swept, where, and which parameters are held.
        names: How methods are printed.
    """

    comparison: Comparison
    rows: pd.DataFrame
    cells: pd.DataFrame
    title: str
    names: Names

    @property
    def metric(self) -> str:
        """What is shown."""
        return self.comparison.metrics[0]

    def values(self, parameter: str) -> list[Any]:
        """Every value that was asked for, numbers in ascending order and first."""
        found = [point[parameter] for point in self.cells["point"] if parameter in point]
        return sorted({_text(value): value for value in found}.values(), key=_order)

    def cell(self, rows: pd.DataFrame) -> Cell:
        """Mean and deviation over repeats."""
        values = rows.groupby("repeat")["value"].mean()
        return with_certain(repeat_cell(values, metric_style(self.metric)), rows)


def _blocks(comparison: Comparison, cells: pd.DataFrame, names: Names) -> Iterator[Block]:
    numbers = comparison.numbers[comparison.numbers["metric"] == comparison.metrics[0]]
    numbers = numbers.assign(point=numbers["overrides"].map(overrides_of))
    cells = cells.assign(point=cells["overrides"].map(overrides_of))
    varied = _varied(numbers)
    patterns = numbers["point"].map(lambda point: tuple(name for name in varied if name in point))
    for pattern in sorted(set(patterns) - {()}, key=lambda names: (len(names), names)):
        own = numbers[patterns == pattern]
        is_alike = cells["point"].map(
            lambda point, names=pattern: tuple(name for name in varied if name in point) == names
        )
        sweep = _Sweep(comparison, own, cells[is_alike], comparison.title, names)
        if len(pattern) == 1:
            yield from _line(sweep, pattern[0])
            continue
        for (method, base), group in own.groupby(["method", "base"], sort=True):
            alike = sweep.cells
            of_method = alike[(alike["method"] == method) & (alike["base"] == base)]
            part = replace(sweep, rows=group, cells=of_method)
            yield from _several(part, list(pattern))


def _varied(numbers: pd.DataFrame) -> list[str]:
    """Parameters with two or more values within one method."""
    found: dict[tuple[str, str], set[str]] = {}
    for method, point in zip(numbers["method"], numbers["point"], strict=True):
        for name, value in point.items():
            found.setdefault((str(method), name), set()).add(_text(value))
    return sorted({name for (_, name), values in found.items() if len(values) >= 2})


def _several(sweep: _Sweep, pattern: Sequence[str]) -> Iterator[Block]:
    """A map of two parameters for each combination of the others; a line where one varies."""
    moving = [name for name in pattern if len(sweep.values(name)) >= 2]
    held = moving[2:] + [name for name in pattern if name not in moving]
    combinations = sweep.rows["point"].map(lambda point: _words(point, held))
    for words in sorted(set(combinations)):
        is_alike = sweep.cells["point"].map(lambda point: _words(point, held)) == words
        title = ", ".join(filter(None, (sweep.comparison.title, words)))
        rows, cells = sweep.rows[combinations == words], sweep.cells[is_alike]
        part = replace(sweep, rows=rows, cells=cells, title=title)
        if len(moving) >= 2:
            yield from _map(part, (moving[0], moving[1]))
        elif moving:
            yield from _line(part, moving[0])


def _line(sweep: _Sweep, parameter: str) -> Iterator[Block]:
    rows = sweep.rows.assign(
        x=[point[parameter] for point in sweep.rows["point"]], variant=sweep.rows["base"]
    )
    rows = rows.assign(name=method_names(rows, sweep.names), text=rows["x"].map(_text))
    values = sweep.values(parameter)
    title = f"{parameter}: {sweep.title}"
    if all(_is_number(value) for value in values):
        own, cut = under_short_names(rows, sweep.names)
        draw = partial(_draw_line, own=own, parameter=parameter, metric=sweep.metric, title=title)
        yield Figure(slug_of(title), title, draw, lines_width(own["name"]), _HEIGHT_IN, cut)
    table_rows = tuple(
        Row(
            (str(name),),
            tuple(sweep.cell(group[group["text"] == _text(value)]) for value in values),
        )
        for name, group in rows.groupby("name", sort=True)
    )
    columns = tuple((METRIC_NAMES[sweep.metric], f"{parameter}={_text(value)}") for value in values)
    yield explained(Table(title, ("method",), ("metric", "value"), columns, table_rows))


def _draw_line(canvas: Canvas, own: pd.DataFrame, parameter: str, metric: str, title: str) -> None:
    low, high = float(own["x"].min()), float(own["x"].max())
    is_log = low > 0 and (high / low >= _LOG_SPAN or is_geometric(sorted(set(own["x"]))))
    axes = draw_lines(canvas, own, title, log_x=is_log)
    axes.set_xlabel(f"{parameter} (log scale)" if is_log else parameter)
    axes.set_ylabel(METRIC_NAMES[metric])


def _map(sweep: _Sweep, parameters: tuple[str, str]) -> Iterator[Block]:
    down, across = parameters
    method, base = str(sweep.rows["method"].iloc[0]), str(sweep.rows["base"].iloc[0])
    rows = sweep.rows.assign(
        y=[_text(point[down]) for point in sweep.rows["point"]],
        x=[_text(point[across]) for point in sweep.rows["point"]],
    )
    ys, xs = sweep.values(down), sweep.values(across)
    cells = [
        [sweep.cell(rows[(rows["y"] == _text(y)) & (rows["x"] == _text(x))]) for x in xs]
        for y in ys
    ]
    name = sweep.names.of(method, base) + name_marks(rows)
    title = f"{name}, {METRIC_NAMES[sweep.metric]}: {sweep.title}"
    grid = Grid(
        tuple(tuple(cell.mean for cell in line) for line in cells),
        (_text_axis(down, ys), _text_axis(across, xs)),
        (tuple(map(_text, ys)), tuple(map(_text, xs))),
        metric_style(sweep.metric),
    )
    draw = partial(draw_map, grid=grid, title=title)
    yield Figure(slug_of(f"{down} {across} {title}"), title, draw, *map_size(grid))
    table_rows = tuple(
        Row((f"{down}={_text(y)}",), tuple(line)) for y, line in zip(ys, cells, strict=True)
    )
    columns = tuple((METRIC_NAMES[sweep.metric], f"{across}={_text(x)}") for x in xs)
    yield explained(Table(title, ("value",), ("metric", "value"), columns, table_rows))


def _text_axis(parameter: str, values: Sequence[Any]) -> str:
    """Name of a map's axis; equal steps of a map are log steps where ratios are equal."""
    is_log = all(_is_number(value) for value in values) and is_geometric(values)
    return f"{parameter} (log scale)" if is_log else parameter


def _words(point: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={_text(point[name])}" for name in sorted(names))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object) -> str:
    """A value as it was written; equal values have equal texts."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _order(value: Any) -> tuple[bool, float, str]:
    return not _is_number(value), float(value) if _is_number(value) else 0.0, _text(value)
