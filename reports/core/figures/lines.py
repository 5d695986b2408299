"""Lines with intervals over a numeric axis, labelled at their ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mmea_bench.reports.core.drawing import Axes, Canvas
from mmea_bench.reports.core.figures.short_names import shared_looks, short_names
from mmea_bench.reports.core.figures.style import (
    COLUMN_WIDTH_IN,
    LABEL_IN,
    LineEnd,
    LineStyle,
    grid_lines,
    label_ends,
    line_styles,
    marker_look,
    put_title,
    text_width,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.rows.comparison import SIMULATED, STOPPED_ON_TEST
from mmea_bench.reports.core.statistics.statistics import CONFIDENCE, Values, mean_interval

_AXIS_NAME_IN = 0.3  # the turned name of the y axis, its ticks and the air between
_LEFT_IN = 0.55
_TICK_GAP_IN = 0.03
_MARKER_IN = 0.24  # the marker before a label, and some air behind it
_NARROWEST_PANEL_IN = 1.2
_AROUND_IN = 0.86  # a title of three lines above, the axis below
_BAND = 0.15  # how much of a band covers what lies below
_N_MARKERS = 6
_NAME_COLUMNS = ("method", "variant", "inference", "simulated", "on_test")


def method_names(numbers: pd.DataFrame, names: Names) -> list[str]:
    """Printed name of each row: method, variant, for N-MMKG pairs the inference, and marks."""
    return _marked(numbers, names.of)


def under_short_names(numbers: pd.DataFrame, names: Names) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows with a column ``name`` that fits into a figure, and a sentence for each that was cut."""
    short = short_names(zip(numbers["method"], numbers["variant"], strict=True), names)
    texts = _marked(numbers, lambda method, variant: short.texts[method, variant])
    return numbers.assign(name=texts), short.notes


def _marked(numbers: pd.DataFrame, text_of: Callable[[str, str], str]) -> list[str]:
    return [
        text_of(method, variant)
        + (f", {inference}" if inference else "")
        + SIMULATED * simulated
        + STOPPED_ON_TEST * on_test
        for method, variant, inference, simulated, on_test in zip(
            *(numbers[column] for column in _NAME_COLUMNS), strict=True
        )
    ]


def name_styles(numbers: pd.DataFrame) -> dict[str, LineStyle]:
    """Look of each printed name.

    Args:
        numbers: Columns ``method``, ``variant``, ``inference`` and ``name``.
    """
    shared = shared_looks(zip(numbers["method"], numbers["variant"], strict=True))
    own = [shared[pair][1] for pair in zip(numbers["method"], numbers["variant"], strict=True)]
    # Two inferences of one method are two lines; the look takes the second for a variant.
    of_inference = ", " + numbers["inference"]
    kinds = pd.Series(own, numbers.index) + of_inference.where(numbers["inference"] != "", "")
    looks = line_styles(zip(numbers["method"], kinds, strict=True))
    rows = zip(numbers["name"], numbers["method"], kinds, strict=True)
    return {str(name): looks[str(method), str(kind)] for name, method, kind in rows}


def lines_width(names: Iterable[str]) -> float:
    """Width in inches of a figure of lines: a column, or more where names are long."""
    return max(COLUMN_WIDTH_IN, _LEFT_IN + _NARROWEST_PANEL_IN + _labels_in(names))


def lines_height(names: Iterable[str], least: float) -> float:
    """Height in inches of a figure of lines: the least, or more where so many labels need it."""
    return max(least, _AROUND_IN + LABEL_IN * len(set(map(str, names))))


def _labels_in(names: Iterable[str]) -> float:
    """Inches for the labels beside the panel, with the markers before them."""
    return _MARKER_IN + max(text_width(name) for name in set(map(str, names)))


def draw_lines(canvas: Canvas, points: pd.DataFrame, title: str, *, log_x: bool = False) -> Axes:
    """Mean and 95 % interval over repeats of every method.

    Args:
        canvas: Empty figure.
        points: Columns ``method``, ``variant``, ``name``, ``x``, ``value``, ``repeat``.
        title: Printed above.
        log_x: Whether the axis is logarithmic.

    Returns:
        The panel, for its labels.
    """
    axes = canvas.subplots()
    width, height = canvas.get_size_inches()
    canvas.subplots_adjust(
        right=1.0 - _labels_in(points["name"]) / width,
        top=put_title(canvas, title),
        bottom=0.36 / height,
    )
    looks = name_styles(points)
    interval = partial(interval_within, limits=limits_of(points["value"]))
    if log_x:
        axes.set_xscale("log")
    ends = {
        str(name): _draw_line(axes, own, sorted(set(points["x"])), looks[str(name)], interval)
        for name, own in points.groupby("name", sort=True)
    }
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0.0), high)
    axes.locator_params(axis="y", nbins=6)
    canvas.subplots_adjust(left=_beside_in(axes) / width)
    _ticks_where_run(axes, sorted(set(points["x"])))
    grid_lines(axes, "y")
    label_ends(axes, ends)
    return axes


def band_line(
    axes: Axes,
    points: pd.DataFrame,
    style: LineStyle,
    interval: Callable[[Any], tuple[float, float] | None] | tuple[str, float],
    **look: Any,
) -> None:
    """A line of means over repeats with a band around it.

    Args:
        axes: Panel; the names of its axes are left empty.
        points: Columns ``x`` and ``y``, a row per repeat; a place with one row has no band.
        style: Look of the method.
        interval: Of the repeats at a place, as seaborn takes it.
        look: Further keyword arguments of ``Axes.plot``.
    """
    import seaborn  # which imports matplotlib: after it was imported for the reports

    seaborn.lineplot(
        points,
        x="x",
        y="y",
        ax=axes,
        errorbar=interval,
        err_kws={"alpha": _BAND, "linewidth": 0},
        legend=False,
        markeredgecolor=style.colour,  # seaborn's is white
        **marker_look(style),
        **look,
    )
    axes.set(xlabel="", ylabel="")


def epoch_line(
    axes: Axes,
    points: pd.DataFrame,
    column: str,
    style: LineStyle,
    *,
    dashes: str = "-",
    limits: tuple[float, float] | None = None,
) -> LineEnd | None:
    """A line of means over repeats with a band of Student's 95 % intervals.

    For trainings of many epochs, where ``band_line`` takes sixty times as long
    (``tests/benchmarks/curve_drawing.py``).

    Args:
        axes: Panel.
        points: Columns ``epoch``, ``repeat`` and the one to draw.
        column: What to draw. Epochs that only some repeats reached are a thin dotted line.
        style: Look of the method.
        dashes: Line style.
        limits: Ends of what is possible, beyond which no band reaches; None for no band.

    Returns:
        Where the solid or dashed line ends, None for no line.
    """
    whole = points.pivot_table(index="epoch", columns="repeat", values=column)
    table = whole.dropna()
    if table.empty:
        return None
    means = table.mean(axis=1)
    epochs = table.index.to_numpy(dtype=float)
    if limits is not None and table.shape[1] > 1:
        factor = stats.t.ppf((1 + CONFIDENCE) / 2, table.shape[1] - 1)
        half = factor * table.sem(axis=1)
        low, high = (means - half).clip(*limits), (means + half).clip(*limits)
        axes.fill_between(
            epochs, low.to_numpy(), high.to_numpy(), color=style.colour, alpha=_BAND, linewidth=0
        )
    every = max(1, -(-len(epochs) // _N_MARKERS))
    axes.plot(epochs, means.to_numpy(), linestyle=dashes, **marker_look(style), markevery=every)
    rest = whole.loc[table.index[-1] :].mean(axis=1)
    if len(rest) > 1:
        rest.iloc[0] = means.iloc[-1]
        axes.plot(
            rest.index.to_numpy(dtype=float),
            rest.to_numpy(),
            color=style.colour,
            linestyle=":",
            linewidth=0.7,
        )
    return LineEnd(float(epochs[-1]), float(means.iloc[-1]), style)


def left_inches(*panels: Axes) -> float:
    """Inches for the labels of the y axes of panels above each other, from their final limits."""
    return max(_beside_in(axes) for axes in panels)


def _beside_in(axes: Axes) -> float:
    """Inches for the labels of the y axis, from its final limits."""
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    texts = axes.yaxis.get_major_formatter().format_ticks(ticks)
    return _AXIS_NAME_IN + max((text_width(text) for text in texts), default=0.0)


def _ticks_where_run(axes: Axes, values: list[float]) -> None:
    """Ticks at the values that were run, as they were written; labels where there is room."""
    axes.get_xlim()  # brings the limits up to date, on which the places below depend
    texts = []
    end = -np.inf
    for value in values:
        text = f"{value:g}"
        centre = axes.transData.transform((value, 0.0))[0] / axes.figure.dpi
        half = text_width(text) / 2
        has_room = centre - half > end + _TICK_GAP_IN
        texts.append(text if has_room else "")
        end = centre + half if has_room else end
    axes.set_xticks(values, texts, minor=False)
    axes.minorticks_off()


def limits_of(values: pd.Series[float]) -> tuple[float, float]:
    """What such values can be: fractions lie between 0 and 1, ranks above 0."""
    return (0.0, 1.0) if values.max() <= 1.0 else (0.0, math.inf)


def interval_within(values: Values, limits: tuple[float, float]) -> tuple[float, float] | None:
    """The interval of a mean as far as it is possible: that of two repeats may pass below 0."""
    found = mean_interval(values)
    if found is None:
        return None
    low, high = limits
    return max(found[0], low), min(found[1], high)


def _draw_line(
    axes: Axes,
    own: pd.DataFrame,
    all_x: list[float],
    style: LineStyle,
    interval: Callable[[Any], tuple[float, float] | None],
) -> LineEnd:
    """Mean and interval of one method; dotted where it lacks a value that others have."""
    by_repeat = own.groupby(["x", "repeat"])["value"].mean().reset_index(name="y")
    means = by_repeat.groupby("x")["y"].mean()
    # A run of values without a gap is one line with its band.
    run = (by_repeat["x"].map(all_x.index).diff() > 1).cumsum()
    for _, values in by_repeat.groupby(run):
        band_line(axes, values, style, interval)
    gaps = [by_repeat["x"][run == number] for number in sorted(set(run))]
    for before, after in pairwise(gaps):
        ends = [before.iloc[-1], after.iloc[0]]
        axes.plot(ends, means[ends], color=style.colour, linestyle=":", linewidth=0.9)
    return LineEnd(float(means.index[-1]), float(means.iloc[-1]), style)
