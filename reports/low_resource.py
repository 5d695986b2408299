"""Low resource: a metric over the seed ratio, and the seeds that a value of it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import Canvas
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
    repeat_cell,
    shown_numbers,
)
from mmea_bench.reports.core.rows.gaps import gap_notes, left_out
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import RANK_METRICS
from mmea_bench.results.core.table import Tables

NAME = "low_resource"
_HEIGHT_IN = 2.4
_MOST_DIGITS = 4
_SHARES = tuple(metric for metric in RANK_METRICS if metric != "mean_rank")
"""Metrics that grow with the seeds and lie in [0, 1]."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """A figure and two tables per dataset and protocol that was run at several seed ratios."""
    numbers = shown_numbers(tables, options)
    cells = tables.cells.set_index("key")
    n_seeds = cells["n_train"].astype("Float64") + cells["n_valid"].astype("Float64").fillna(0)
    numbers = numbers.assign(n_seeds=numbers["key"].map(n_seeds))
    blocks: list[Block] = []
    shown = []
    for comparison in comparisons(numbers, options, all_ratios=True):
        if comparison.numbers["seed_ratio"].nunique() < 2:
            continue
        metric = comparison.metrics[0]
        own = comparison.numbers[comparison.numbers["metric"] == metric]
        own = own.assign(name=method_names(own, options.names))
        shown.append(own)
        has_price = metric in _SHARES or metric == "f1"
        reach = options.reach if has_price else None
        blocks.append(_figure(comparison, own, metric, reach, options.names))
        blocks.append(_table(comparison, own, metric))
        if has_price:
            blocks.append(_price_table(comparison, own, metric, options.reach))
    gaps = gap_notes(tables, options, numbers)
    if not blocks:
        return left_out("No dataset was run at two or more seed ratios.", gaps)
    notes = (
        "Lines: means; bands: 95 % intervals over repeats, none for a single one; dotted: across "
        "a seed ratio without a number.",
        *mark_notes(pd.concat(shown)),
        *gaps,
    )
    return Document(NAME, "Seed ratios", tuple(blocks), notes)


def _figure(
    comparison: Comparison, numbers: pd.DataFrame, metric: str, reach: float | None, names: Names
) -> Figure:
    points, cut = under_short_names(numbers, names)
    draw = partial(_draw, numbers=points, metric=metric, title=comparison.title, reach=reach)
    size = lines_width(points["name"]), lines_height(points["name"], _HEIGHT_IN)
    return Figure(comparison.slug, comparison.title, draw, *size, cut)


def _draw(
    canvas: Canvas, numbers: pd.DataFrame, metric: str, title: str, reach: float | None
) -> None:
    points = numbers.assign(x=100 * numbers["seed_ratio"])
    axes = draw_lines(canvas, points, title)
    axes.set_xlabel("Seed ratio in %")
    axes.set_ylabel(METRIC_NAMES[metric])
    low, high = axes.get_ylim()
    if reach is not None and low < reach < high:
        axes.axhline(reach, color="#777777", linewidth=0.7, linestyle=(0, (4, 3)), zorder=0.5)
        axes.annotate(
            f"value to reach: {reach:g}",
            (0.01, reach),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 1),
            textcoords="offset points",
            fontsize=5.5,
            color="#555555",
            va="bottom",
        )


def _table(comparison: Comparison, numbers: pd.DataFrame, metric: str) -> Table:
    ratios = sorted(set(numbers["seed_ratio"]))
    rows = []
    for name, own in numbers.groupby("name", sort=True):
        cells = []
        for ratio in ratios:
            there = own[own["seed_ratio"] == ratio]
            cell = repeat_cell(there.groupby("repeat")["value"].mean(), metric_style(metric))
            cells.append(with_certain(cell, there))
        rows.append(Row((str(name),), tuple(cells)))
    columns = tuple((METRIC_NAMES[metric], percent(ratio)) for ratio in ratios)
    return explained(
        Table(comparison.title, ("method",), ("metric", "seed ratio"), columns, tuple(rows))
    )


@dataclass(frozen=True)
class Price:
    """Seeds at which the mean of a method reaches a value.

    Attributes:
        measured: Smallest seed ratio that was run and reaches it.
        ratio: Seed ratio where the line between two measured ones reaches it first; ``measured``
            itself where the smallest ratio that was run reaches it already.
        n_seeds: Seed links at ``ratio``, None where their number was not recorded.
        is_bound: Whether fewer seeds may do, because the smallest ratio reaches it already.
    """

    measured: float
    ratio: float
    n_seeds: float | None
    is_bound: bool


def price_of(points: pd.DataFrame, reach: float) -> Price | None:
    """The first seeds at which the mean reaches a value; None if it never does.

    Args:
        points: One row per seed ratio, ascending: ``seed_ratio``, ``value``, ``n_seeds``.
        reach: The value.
    """
    rows = list(points[["seed_ratio", "value", "n_seeds"]].itertuples(index=False, name=None))
    ratio, value, n_seeds = rows[0]
    if value >= reach:
        return Price(ratio, ratio, None if pd.isna(n_seeds) else float(n_seeds), is_bound=True)
    for (ratio, value, n_seeds), (next_ratio, next_value, next_seeds) in pairwise(rows):
        if next_value >= reach:
            share = (reach - value) / (next_value - value)
            between = n_seeds + share * (next_seeds - n_seeds)
            return Price(
                next_ratio,
                ratio + share * (next_ratio - ratio),
                None if pd.isna(between) else float(between),
                is_bound=False,
            )
    return None


def _price_table(comparison: Comparison, numbers: pd.DataFrame, metric: str, reach: float) -> Table:
    rows, notes = [], []
    all_ratios = set(numbers["seed_ratio"])
    for name, own in numbers.groupby("name", sort=True):
        by_repeat = own.groupby(["seed_ratio", "repeat"])[["value", "n_seeds"]].mean()
        points = by_repeat.groupby("seed_ratio").mean().reset_index()
        price = price_of(points, reach)
        if price is None:
            cells = (Cell(), Cell(), Cell())
            highest = percent(float(points["seed_ratio"].max()))
            notes.append(f"{name}: not reached up to {highest}.")
        else:
            cells = (
                Cell(price.measured, style="percent", digits=_digits(price.measured)),
                Cell(price.ratio, style="percent", digits=_digits(price.measured)),
                Cell(price.n_seeds, style="count"),
            )
            if price.is_bound:
                notes.append(
                    f"{name}: reached at {percent(price.measured)} already, the smallest ratio run."
                )
            skipped = _skipped(set(points["seed_ratio"]), price, all_ratios)
            if skipped:
                listed = ", ".join(map(percent, skipped))
                notes.append(f"{name}: interpolated across {listed}, where it has no number.")
        rows.append(Row((str(name),), cells))
    columns = (
        ("seed ratio", "smallest run"),
        ("seed ratio", "interpolated"),
        ("seed links", "interpolated"),
    )
    notes += list(_price_rules(numbers))
    title = f"Seeds to reach {METRIC_NAMES[metric]} {reach:g}: {comparison.title}"
    return Table(title, ("method",), ("group", "number"), columns, tuple(rows), tuple(notes))


def _digits(ratio: float) -> int:
    """Digits behind the point of a percentage that show a ratio as it was run, one at least."""
    behind = percent(ratio).removesuffix(" %").partition(".")[2]
    return min(max(1, len(behind)), _MOST_DIGITS)


def _skipped(own: set[float], price: Price, all_ratios: set[float]) -> list[float]:
    """Ratios that others have and that a price is interpolated across, sorted."""
    before = max((ratio for ratio in own if ratio < price.measured), default=price.measured)
    return sorted(ratio for ratio in all_ratios - own if before < ratio < price.measured)


def _price_rules(numbers: pd.DataFrame) -> Iterator[str]:
    yield "Interpolated: linear between the means of neighbouring seed ratios."
    if numbers["n_seeds"].notna().any():
        yield "Seed links: those trained on and those held out for validation."
    else:
        yield "The number of seed links was not recorded."
