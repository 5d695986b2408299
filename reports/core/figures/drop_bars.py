"""Bars of what each variant loses, one small panel per place, with intervals and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from mmea_bench.reports.core.document import NumberStyle, format_number
from mmea_bench.reports.core.drawing import Axes, Canvas
from mmea_bench.reports.core.figures.style import (
    COLUMN_WIDTH_IN,
    LABEL_SIZE,
    grid_lines,
    put_title,
    text_width,
)
from mmea_bench.reports.core.statistics.statistics import Values, mean_interval

_BAR_IN = 0.17
_PANEL_IN = 0.95  # narrowest panel
_GAP_IN = 0.14  # between panels, and at the right edge
_BELOW_IN = 0.36
_NUMBER_IN = 0.27  # a number of 6 pt and its distance from the bar
_MOST_COLUMNS = 2
_DARK = "#222222"


@dataclass(frozen=True, eq=False)
class Panel:
    """One place.

    Attributes:
        title: Printed above in two lines; empty for none.
        drops: Variant to its drop in each repeat; empty for no number.
        style: How the drops are printed.
    """

    title: str
    drops: Mapping[str, Values]
    style: NumberStyle = "fraction"


def bars_size(panels: Sequence[Panel]) -> tuple[float, float]:
    """Width and height in inches; a column's width where names allow."""
    n_columns = min(len(panels), _MOST_COLUMNS)
    titles = (line for panel in panels for line in panel.title.splitlines())
    widest = max((text_width(line) for line in titles), default=0.0)
    needed = _left_in(panels) + n_columns * (max(_PANEL_IN, widest) + _GAP_IN)
    return max(COLUMN_WIDTH_IN, needed), _top_in(panels) + _BELOW_IN + _rows_in(panels)


def _names(panels: Sequence[Panel]) -> list[str]:
    return list(dict.fromkeys(name for panel in panels for name in panel.drops))


def _left_in(panels: Sequence[Panel]) -> float:
    return 0.12 + max(text_width(name) for name in _names(panels))


def _top_in(panels: Sequence[Panel]) -> float:
    """Room for a title of two lines and the titles of panels."""
    return 0.4 + _panel_title_in(panels)


def _panel_title_in(panels: Sequence[Panel]) -> float:
    return 0.24 if any(panel.title for panel in panels) else 0.0


def _rows_in(panels: Sequence[Panel]) -> float:
    n_rows = math.ceil(len(panels) / _MOST_COLUMNS)
    bars = _BAR_IN * (len(_names(panels)) + 0.4)
    return n_rows * bars + (n_rows - 1) * (_panel_title_in(panels) + 0.08)


def draw_bars(
    canvas: Canvas, panels: Sequence[Panel], colour: str, axis_title: str, title: str
) -> None:
    """Draws all panels on one scale, so that bars of different places compare.

    Args:
        canvas: Empty figure of ``bars_size``.
        panels: Places in reading order.
        colour: Of the method.
        axis_title: What the bars measure.
        title: Printed above.
    """
    names = _names(panels)
    n_columns = min(len(panels), _MOST_COLUMNS)
    n_rows = math.ceil(len(panels) / n_columns)
    width, height = canvas.get_size_inches()
    grid = canvas.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panel_in = (width - _left_in(panels) - n_columns * _GAP_IN) / n_columns
    bars_in = _BAR_IN * (len(names) + 0.4)
    canvas.subplots_adjust(
        left=_left_in(panels) / width,
        right=1.0 - _GAP_IN / width,
        top=put_title(canvas, title) - _panel_title_in(panels) / height,
        bottom=_BELOW_IN / height,
        wspace=_GAP_IN / panel_in,
        hspace=(_panel_title_in(panels) + 0.08) / bars_in,
    )
    ends = [
        _extent(values, panel.style)
        for panel in panels
        for values in panel.drops.values()
        if len(values)
    ]
    low = min(0.0, *(end[0] for end in ends))
    high = max(0.0, *(end[1] for end in ends))
    span = max(high - low, 1e-3) / (1.0 - _NUMBER_IN / panel_in)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, panel, names, colour)
        _say_what_lacks(axes, panel, names, is_left=-low > high)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid.flat[len(panels) - n_columns : len(panels)]:
        axes.tick_params(labelbottom=True)  # the lowest panel of its column, in any row
    grid[0, 0].set_xlim(low - 0.02 * span, low + 1.02 * span)
    grid[0, 0].set_ylim(len(names) - 0.3, -0.7)
    grid[0, 0].locator_params(axis="x", nbins=3)
    centre = (_left_in(panels) + (width - _GAP_IN)) / 2 / width
    canvas.text(centre, 0.04 / height, axis_title, ha="center", va="bottom")


def _draw_panel(axes: Axes, panel: Panel, names: Sequence[str], colour: str) -> None:
    import seaborn  # which imports matplotlib: after it was imported for the reports

    drops = [(name, drop) for name, values in panel.drops.items() for drop in values]
    seaborn.barplot(
        pd.DataFrame(drops, columns=["variant", "drop"]),
        x="drop",
        y="variant",
        order=list(names),
        ax=axes,
        errorbar=partial(_extent, style=panel.style),
        width=0.62,
        color=colour,
        saturation=1,
        alpha=0.85,
        capsize=0.24,
        err_kws={"color": _DARK, "linewidth": 0.8},
    )
    axes.set(xlabel="", ylabel="")
    for position, name in enumerate(names):
        values = panel.drops.get(name)
        if values is None or not len(values):
            continue
        axes.annotate(
            format_number(float(values.mean()), panel.style),
            (max(_extent(values, panel.style)[1], 0.0), position),
            xytext=(2.5, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
        )
    axes.axvline(0.0, color=_DARK, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)  # the line at zero stands in its place
    grid_lines(axes, "x")
    if panel.title:
        axes.set_title(panel.title, loc="left", fontsize=LABEL_SIZE, pad=2.5, linespacing=1.1)


def _say_what_lacks(axes: Axes, panel: Panel, names: Sequence[str], *, is_left: bool) -> None:
    """Words in place of a bar, on the side of the zero line where there is more room."""
    for position, name in enumerate(names):
        if not len(panel.drops.get(name, ())):
            axes.annotate(
                "no number",
                (0.0, position),
                xytext=(-2.5 if is_left else 2.5, 0),
                textcoords="offset points",
                ha="right" if is_left else "left",
                va="center",
                fontsize=6,
                color="#555555",
            )


def _extent(values: Values, style: NumberStyle) -> tuple[float, float]:
    """Ends of the mean's interval, or the mean alone, within what a drop can be."""
    mean = float(values.mean())
    low, high = mean_interval(values) or (mean, mean)
    return (max(low, -1.0), min(high, 1.0)) if style == "fraction" else (low, high)
