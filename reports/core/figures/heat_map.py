"""A heat map of numbers over two parameters, readable without its colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmea_bench.reports.core.document import NumberStyle, format_number
from mmea_bench.reports.core.drawing import Axes, Canvas, Colormap, Rectangle, Text, mpl, to_rgb
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
    best = np.nanmin(values) if is_rank else np.nanmax(values)
    texts = draw_cells(axes, values, grid.ticks, partial(format_number, style=grid.style), colours)
    axes.invert_yaxis()  # the first parameter grows upwards
    for (row, column), text in texts.items():
        if values[row, column] == best:
            text.set_fontweight("bold")
            _frame(axes, (row, column), str(text.get_color()))
    for row, column in np.argwhere(np.isnan(values)):
        _draw_gap(axes, row, column)
    axes.set_ylabel(grid.axis_names[0], labelpad=2)
    axes.set_xlabel(grid.axis_names[1], labelpad=2)


def draw_cells(
    axes: Axes,
    values: NDArray[np.float64],
    names: tuple[Sequence[str], Sequence[str]],
    printed: Callable[[float], str],
    colours: Colormap = mpl.colormaps[COLOURS],
    limits: tuple[float, float] | None = None,
    size: float = 6.0,
) -> dict[tuple[int, int], Text]:
    """Draws numbers in cells, the first row on top; those without a number stay empty.

    Args:
        axes: Where the cell of row i and column j spans i to i + 1 and j to j + 1.
        values: [n_rows, n_columns], NaN for no number.
        names: Of rows and of columns.
        printed: Text of a number.
        colours: The scale.
        limits: Numbers at both ends of the scale, None for the smallest and the largest.
        size: Points of the numbers.

    Returns:
        The text of each cell that has a number.
    """
    import seaborn  # which imports matplotlib: after it was imported for the reports

    low, high = limits or (np.nanmin(values), np.nanmax(values))
    # Quads, not an image, which vector files would hold as pixels.
    seaborn.heatmap(
        values,
        ax=axes,
        vmin=low,
        vmax=high,
        cmap=colours,
        cbar=False,
        linewidths=0.6,
        yticklabels=list(names[0]),
        xticklabels=list(names[1]),
        annot=np.vectorize(printed, otypes=[object])(values),
        fmt="",
        annot_kws={"fontsize": size, "va": "center_baseline"},
    )
    axes.tick_params(length=0, rotation=0)  # figures are wide enough for their names
    for label in axes.get_yticklabels():
        label.set_verticalalignment("center_baseline")
    places = [(row, column) for row, column in np.argwhere(~np.isnan(values)).tolist()]
    texts = dict(zip(places, axes.texts, strict=True))
    for place, text in texts.items():
        text.set_color(ink_on(colours, float(values[place]), (low, high)))
    return texts


def ink_on(colours: Colormap, value: float, limits: tuple[float, float]) -> str:
    """Colour in which a number can be read in its own cell."""
    low, high = limits
    return ink_over(colours((value - low) / (high - low) if high > low else 0.0))


def ink_over(colour: str | tuple[float, float, float, float]) -> str:
    """Colour in which a number can be read on this one."""
    red, green, blue = to_rgb(colour)
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.45
    return "#111111" if is_bright else "#ffffff"


def _frame(axes: Axes, place: tuple[int, int], colour: str) -> None:
    row, column = place
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
