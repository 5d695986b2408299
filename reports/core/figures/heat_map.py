"""A heat map of numbers over two parameters, readable without its colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from mmea_bench.reports.core.document import NumberStyle, format_number
from mmea_bench.reports.core.figures.style import COLUMN_WIDTH_IN, put_title, text_width

_CELL_IN = (0.24, 0.34)  # least height and width
_RIGHT_IN = 0.1
_BELOW_IN = 0.38
_ABOVE_IN = 0.42  # a title of two lines
COLOURS = "cividis"  # equal steps of lightness, so that it reads alike in grey


@dataclass(frozen=True)
class Grid:
    """Numbers over two parameters.

    Attributes:
        values: One row per value of the first parameter; None for no number.
        axis_names: Of the first parameter, drawn upwards, and of the second, drawn to the right.
        ticks: Texts of the values of both.
        style: How the numbers are printed; of ranks the smallest is best.
    """

    values: tuple[tuple[float | None, ...], ...]
    axis_names: tuple[str, str]
    ticks: tuple[tuple[str, ...], tuple[str, ...]]
    style: NumberStyle = "fraction"


def is_geometric(values: Sequence[float]) -> bool:
    """Whether three or more ascending values have equal ratios, to a tenth."""
    if len(values) < 3 or values[0] <= 0:
        return False
    steps = [math.log(after / before) for before, after in pairwise(values)]
    return max(steps) <= 1.1 * min(steps)


def map_size(grid: Grid) -> tuple[float, float]:
    """Width and height in inches; a column's width where the grid allows."""
    width = _left_in(grid) + len(grid.ticks[1]) * _cell_width(grid) + _RIGHT_IN
    height = _ABOVE_IN + _BELOW_IN + len(grid.ticks[0]) * _CELL_IN[0]
    return max(COLUMN_WIDTH_IN, width), height


def _left_in(grid: Grid) -> float:
    return 0.28 + max(text_width(text) for text in grid.ticks[0])


def _cell_width(grid: Grid) -> float:
    return max(_CELL_IN[1], 0.08 + max(text_width(text) for text in grid.ticks[1]))


def draw_map(canvas: Canvas, grid: Grid, title: str) -> None:
    """Draws each number in its cell; the best is framed and bold, cells without one are hatched.

    Args:
        canvas: Empty figure of ``map_size``.
        grid: What to draw.
        title: Printed above.
    """
    axes = canvas.subplots()
    width, height = canvas.get_size_inches()
    canvas.subplots_adjust(
        left=_left_in(grid) / width,
        right=1.0 - _RIGHT_IN / width,
        top=put_title(canvas, title),
        bottom=_BELOW_IN / height,
    )
    values = np.array(
        [[math.nan if value is None else value for value in line] for line in grid.values]
    )
    is_rank = grid.style == "rank"
    # Bright is good, in ranks too.
    colours = mpl.colormaps[f"{COLOURS}_r" if is_rank else COLOURS]
    low, high = np.nanmin(values), np.nanmax(values)
    paint(axes, values, (low, high), colours)
    best = low if is_rank else high
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if math.isnan(value):
                _draw_gap(axes, row, column)
                continue
            _draw_number(
                axes,
                (row, column),
                format_number(float(value), grid.style),
                ink_on(colours, float(value), (low, high)),
                is_best=value == best,
            )
    name_cells(axes, *grid.ticks)
    axes.set_ylabel(grid.axis_names[0], labelpad=2)
    axes.set_xlabel(grid.axis_names[1], labelpad=2)


def paint(
    axes: Axes, values: np.ndarray, limits: tuple[float, float], colours: Colormap | str = COLOURS
) -> None:
    """Fills the cells of a map; those without a number stay empty.

    Args:
        axes: Where the cell of row i and column j spans i to i + 1 and j to j + 1.
        values: [n_rows, n_columns], NaN for no number.
        limits: Numbers at both ends of the scale.
        colours: The scale.
    """
    # Quads instead of an image, which vector files would hold as pixels.
    axes.pcolormesh(
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        edgecolors="white",
        linewidth=0.6,
    )


def ink_on(colours: Colormap, value: float, limits: tuple[float, float]) -> str:
    """Colour in which a number can be read in its own cell."""
    low, high = limits
    red, green, blue, _ = colours((value - low) / (high - low) if high > low else 0.0)
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.45
    return "#111111" if is_bright else "#ffffff"


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Names rows and columns in the middle of their cells, without frame and tick marks."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, list(columns))
    axes.set_yticks(np.arange(len(rows)) + 0.5, list(rows))


def _draw_number(
    axes: Axes, place: tuple[int, int], text: str, colour: str, *, is_best: bool
) -> None:
    row, column = place
    weight = "bold" if is_best else "normal"
    axes.text(
        column + 0.5,
        row + 0.5,
        text,
        color=colour,
        ha="center",
        va="center",
        fontsize=6,
        weight=weight,
    )
    if is_best:
        frame = Rectangle(
            (column + 0.06, row + 0.09), 0.88, 0.82, fill=False, edgecolor=colour, linewidth=1.0
        )
        axes.add_patch(frame)


def _draw_gap(axes: Axes, row: int, column: int) -> None:
    axes.add_patch(
        Rectangle(
            (column + 0.03, row + 0.04),
            0.94,
            0.92,
            facecolor="#f4f4f4",
            edgecolor="#b0b0b0",
            hatch="////",
            linewidth=0.0,
        )
    )
