"""Lines with intervals over a numeric axis, labelled at their ends."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.comparison import FULL, STOPPED_ON_TEST
from mmea_bench.reports.core.select import name_of
from mmea_bench.reports.core.statistics import mean_interval
from mmea_bench.reports.core.style import (
    COLUMN_WIDTH_IN,
    LineEnd,
    label_ends,
    line_styles,
    marker_look,
    put_title,
)

_LETTER_IN = 0.052  # a letter of 6.5 pt


def method_names(numbers: pd.DataFrame) -> list[str]:
    """Printed name of each row: method, variant, for N-MMKG pairs the inference, and a mark."""
    return [
        name_of(method, variant)
        + (f", {inference}" if inference else "")
        + (STOPPED_ON_TEST if on_test else "")
        for method, variant, inference, on_test in zip(
            numbers["method"],
            numbers["variant"],
            numbers["inference"],
            numbers["on_test"],
            strict=True,
        )
    ]


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
    longest = max(len(str(name)) for name in points["name"])
    height = canvas.get_figheight()
    canvas.subplots_adjust(
        left=0.145,
        right=max(0.4, 0.97 - _LETTER_IN * (longest + 2) / COLUMN_WIDTH_IN),
        top=put_title(canvas, title),
        bottom=0.36 / height,
    )
    # Two inferences of one method are two lines; the look takes the second for a variant.
    plain = points["name"].str.removesuffix(STOPPED_ON_TEST) == points["method"]
    kinds = points["name"].where(~plain, FULL)
    points = points.assign(kind=kinds)
    looks = line_styles(zip(points["method"], points["kind"], strict=True))
    if log_x:
        axes.set_xscale("log")
        # The values that were run, as they were written, are the ticks.
        values = sorted(set(points["x"]))
        axes.set_xticks(values, [f"{value:g}" for value in values], minor=False)
        axes.minorticks_off()
    ends: dict[str, LineEnd] = {}
    for (method, name, kind), own in points.groupby(["method", "name", "kind"], sort=True):
        style = looks[str(method), str(kind)]
        means = own.groupby(["x", "repeat"])["value"].mean().groupby("x")
        xs = [float(str(x)) for x in means.groups]
        ys = [float(values.mean()) for _, values in means]
        bands = [
            mean_interval(values.to_numpy()) or (y, y)
            for (_, values), y in zip(means, ys, strict=True)
        ]
        axes.fill_between(
            xs,
            [low for low, _ in bands],
            [high for _, high in bands],
            color=style.colour,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(xs, ys, **marker_look(style))
        ends[str(name)] = LineEnd(xs[-1], ys[-1], style)
    axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.4)
    axes.set_axisbelow(True)
    label_ends(axes, ends)
    return axes
