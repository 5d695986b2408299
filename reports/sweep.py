"""Sweeps: a metric over one hyper-parameter, or over two as a heat map."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    lines_height,
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
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.gaps import cells_of, gap_notes, left_out
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.reports.core.swept_points import with_points, without_settings
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "sweep"
_HEIGHT_IN = 2.3
_MOST_LISTED = 6
_LOG_SPAN = 20.0
"""Values whose largest is this many times the smallest are spread evenly by a log axis."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """A table per swept parameter or pair of parameters, and its figure."""
    numbers = shown_numbers(tables, options)
    all_cells = current_cells(tables).tables.cells
    validated = best_validation_scores(tables)
    blocks: list[Block] = []
    shown, alone = [], set()
    for comparison in comparisons(numbers, options):
        is_first = comparison.numbers["metric"] == comparison.metrics[0]
        points = with_points(comparison.numbers[is_first])
        groups = _groups(points, with_points(cells_of(all_cells, comparison)))
        sweeps = [*_lines(comparison, groups, options.names), *_maps(comparison, groups, options)]
        chosen = chosen_table(comparison, validated, options.names) if sweeps else None
        blocks += [block for sweep in sweeps for block in _blocks(sweep)]
        blocks += [] if chosen is None else [chosen]
        shown += [sweep.rows for sweep in sweeps]
        alone |= _alone(points, sweeps)
    gaps = gap_notes(tables, options, numbers)
    if not blocks:
        reason = "No hyper-parameter was run with two or more values."
        return left_out(reason, gaps)
    notes = (
        "Mean over repeats. Lines: bands are 95 % intervals. Maps: the best value is framed, "
        "hatched cells have no number.",
        *_alone_notes(alone),
        *mark_notes(pd.concat(shown)),
        *gaps,
    )
    return Document(NAME, "Hyper-parameter sweeps", tuple(blocks), notes)


@dataclass(frozen=True, eq=False)
class _Group:
    """One variant's points that set the same settings, whatever their values.

    Attributes:
        rows: Numbers of the figures' metric; columns of ``with_points``.
        cells: All of its cells with the same columns, those without a number too.
    """

    rows: pd.DataFrame
    cells: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """Settings that all its points have."""
        return sorted(self.cells["point"].iloc[0])

    @property
    def moving(self) -> list[str]:
        """Settings that were run with two or more values; none where one point has numbers."""
        if self.rows["variant"].nunique() < 2:
            return []
        return [name for name in self.names if len(_values(self.cells, name)) >= 2]


@dataclass(frozen=True, eq=False)
class _Sweep:
    """Rows over the values of one parameter or of two.

    Attributes:
        comparison: Their place.
        parameters: What is swept: one for lines, two for a map.
        rows: Numbers of the figures' metric with the column ``point`` (setting to value).
        cells: All cells of the sweep with the same column, those without a number too.
        title: Says where, and which parameters are held.
        names: How methods are printed.
    """

    comparison: Comparison
    parameters: tuple[str, ...]
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
        return _values(self.cells, parameter)

    def cell(self, rows: pd.DataFrame) -> Cell:
        """Mean and deviation over repeats."""
        values = rows.groupby("repeat")["value"].mean()
        return with_certain(repeat_cell(values, metric_style(self.metric)), rows)


def _groups(points: pd.DataFrame, cells: pd.DataFrame) -> list[_Group]:
    """Points by method, variant and the settings they have: a default is a value of its own."""
    by = ["method", "base", "asked"]
    rows = dict(list(points.groupby(by)))
    swept = cells[cells["asked"] != ""].groupby(by, sort=True)
    return [_Group(rows.get(key, points.iloc[:0]), own) for key, own in swept]


def _lines(comparison: Comparison, groups: Sequence[_Group], names: Names) -> Iterator[_Sweep]:
    """A sweep for each parameter that moves alone, in a line for each set of other settings."""
    for parameter in sorted({group.moving[0] for group in groups if len(group.moving) == 1}):
        own = [
            group
            for group in groups
            if group.moving == [parameter] or (not group.moving and parameter in group.names)
        ]
        rows, cells = (pd.concat([getattr(g, part) for g in own]) for part in ("rows", "cells"))
        title = f"{parameter}: {comparison.title}"
        yield _Sweep(comparison, (parameter,), rows, cells, title, names)


def _maps(
    comparison: Comparison, groups: Sequence[_Group], options: ReportOptions
) -> Iterator[_Sweep]:
    """A sweep of two parameters for each combination of the others, and for each inference."""
    for group in groups:
        if len(group.moving) < 2:
            continue
        down, across = group.moving[:2]
        held = [name for name in group.names if name not in (down, across)]
        words = group.rows["point"].map(lambda point, held=held: _words(point, held))
        all_words = group.cells["point"].map(lambda point, held=held: _words(point, held))
        for (own_words, _), rows in group.rows.groupby([words, "inference"], sort=True):
            cells = group.cells[all_words == own_words]
            title = ", ".join(filter(None, (comparison.title, str(own_words))))
            yield _Sweep(comparison, (down, across), rows, cells, title, options.names)


def _blocks(sweep: _Sweep) -> Iterator[Block]:
    if len(sweep.parameters) == 1:
        return _line(sweep, sweep.parameters[0])
    return _map(sweep, *sweep.parameters)


def _alone(points: pd.DataFrame, sweeps: Sequence[_Sweep]) -> set[str]:
    """Printed names of the points with settings that are in no sweep."""
    keys = {key for sweep in sweeps for key in sweep.rows["key"]}
    return set(points.loc[(points["asked"] != "") & ~points["key"].isin(keys), "printed"])


def _alone_notes(alone: set[str]) -> Iterator[str]:
    if alone:
        listed = sorted(alone)
        more = f"; and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
        yield (
            "In no sweep, for nothing with a number gives other values to the same settings: "
            f"{'; '.join(listed[:_MOST_LISTED])}{more}."
        )


def _line(sweep: _Sweep, parameter: str) -> Iterator[Block]:
    rows = sweep.rows.assign(
        x=[point[parameter] for point in sweep.rows["point"]],
        variant=[without_settings(variant, [parameter]) for variant in sweep.rows["variant"]],
    )
    rows = rows.assign(name=method_names(rows, sweep.names), text=rows["x"].map(_text))
    values, title = sweep.values(parameter), sweep.title
    if all(_is_number(value) for value in values):
        own, cut = under_short_names(rows, sweep.names)
        draw = partial(_draw_line, own=own, parameter=parameter, metric=sweep.metric, title=title)
        size = lines_width(own["name"]), lines_height(own["name"], _HEIGHT_IN)
        yield Figure(slug_of(title), title, draw, *size, cut)
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


def _map(sweep: _Sweep, down: str, across: str) -> Iterator[Block]:
    first = sweep.rows.iloc[0]
    rows = sweep.rows.assign(
        y=[_text(point[down]) for point in sweep.rows["point"]],
        x=[_text(point[across]) for point in sweep.rows["point"]],
    )
    ys, xs = sweep.values(down), sweep.values(across)
    cells = [
        [sweep.cell(rows[(rows["y"] == _text(y)) & (rows["x"] == _text(x))]) for x in xs]
        for y in ys
    ]
    inference = f", {first['inference']}" if first["inference"] else ""
    name = sweep.names.of(first["method"], first["base"]) + inference + name_marks(rows)
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
    yield explained(Table(title, ("setting",), ("metric", "value"), columns, table_rows))


def _text_axis(parameter: str, values: Sequence[Any]) -> str:
    """Name of a map's axis; equal steps of a map are log steps where ratios are equal."""
    is_log = all(_is_number(value) for value in values) and is_geometric(values)
    return f"{parameter} (log scale)" if is_log else parameter


def _values(cells: pd.DataFrame, parameter: str) -> list[Any]:
    """Distinct values of a parameter, numbers in ascending order and first."""
    found = [point[parameter] for point in cells["point"] if parameter in point]
    return sorted({_text(value): value for value in found}.values(), key=_order)


def _words(point: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={_text(point[name])}" for name in sorted(names))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object) -> str:
    """A value as it was written; equal values have equal texts."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _order(value: Any) -> tuple[bool, float, str]:
    return not _is_number(value), float(value) if _is_number(value) else 0.0, _text(value)
