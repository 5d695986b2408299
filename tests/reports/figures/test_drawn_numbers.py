"""What figures draw: means, intervals and numbers at their places, and nothing of the caller's."""

from __future__ import annotations

import math
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy import stats

from mmea_bench.reports.core.figures.drop_bars import Panel, draw_bars
from mmea_bench.reports.core.figures.heat_map import COLOURS, draw_cells
from mmea_bench.reports.core.figures.lines import draw_lines

REPEATS = {5.0: [0.1, 0.2, 0.4], 10.0: [0.3, 0.5], 20.0: [0.6], 30.0: [0.7, 0.8]}


def points(method: str, repeats: dict[float, list[float]]) -> pd.DataFrame:
    rows = [
        {"x": x, "value": value, "repeat": repeat}
        for x, values in repeats.items()
        for repeat, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(method=method, variant="full", inference="", name=method)


def interval_by_hand(values: list[float]) -> tuple[float, float]:
    """Student's 95 % interval of a mean."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def lines_of(axes: Axes, dashes: str) -> list[np.ndarray]:
    """Corners [n, 2] of the lines over the axis, without the markers of the labels."""
    return [
        np.asarray(line.get_xydata())
        for line in axes.lines
        if line.get_linestyle() == dashes and line.get_transform() == axes.transData
    ]


def band_ends(axes: Axes) -> dict[float, tuple[float, float]]:
    """Lower and upper end of the band at each place that has one."""
    corners = np.concatenate([p.vertices for band in axes.collections for p in band.get_paths()])
    ends: dict[float, tuple[float, float]] = {}
    for x in sorted(set(corners[:, 0])):
        heights = corners[corners[:, 0] == x, 1]
        ends[float(x)] = (float(heights.min()), float(heights.max()))
    return ends


def test_lines_are_means_and_bands_are_students_intervals() -> None:
    axes = draw_lines(Canvas(), points("eva", REPEATS), "title")
    (line,) = lines_of(axes, "-")
    np.testing.assert_allclose(line, [(5, 0.7 / 3), (10, 0.4), (20, 0.6), (30, 0.75)])
    ends = band_ends(axes)
    assert set(ends) == {5, 10, 30}  # one repeat says nothing of the spread
    for x, found in ends.items():
        low, high = interval_by_hand(REPEATS[x])
        assert found == pytest.approx((max(low, 0.0), min(high, 1.0)))  # what is possible


def test_a_line_is_dotted_where_its_method_lacks_a_value_that_others_have() -> None:
    lacking = {x: values for x, values in REPEATS.items() if x != 10}
    axes = draw_lines(Canvas(), pd.concat([points("eva", REPEATS), points("poe", lacking)]), "")
    (dotted,) = lines_of(axes, ":")
    np.testing.assert_allclose(dotted, [(5, 0.7 / 3), (20, 0.6)])


def test_bars_are_mean_drops_with_whiskers_that_end_at_their_interval() -> None:
    canvas = Canvas()
    drops = {"w/o image": np.array([0.1, 0.2, 0.15]), "w/o name": np.array([-0.05])}
    draw_bars(canvas, [Panel("", drops)], "#0072B2", "Drop", "title")
    (axes,) = canvas.axes
    widths = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in axes.patches}  # type: ignore[attr-defined]
    assert widths == {0: pytest.approx(0.15), 1: pytest.approx(-0.05)}
    assert [label.get_text() for label in axes.get_yticklabels()] == list(drops)
    drawn = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    known = [xs[np.isfinite(xs)] for xs in drawn]  # NaN lifts the pen
    (ends,) = [(xs.min(), xs.max()) for xs in known if len(xs) and np.ptp(xs) > 0]
    assert ends == pytest.approx(interval_by_hand([0.1, 0.2, 0.15]))


def test_cells_hold_their_numbers_and_gaps_hold_none() -> None:
    axes = Canvas().subplots()
    values = np.array([[0.25, math.nan], [0.5, 0.75]])
    texts = draw_cells(axes, values, (("a", "b"), ("c", "d")), lambda value: f"<{value}>")
    assert {place: text.get_text() for place, text in texts.items()} == {
        (0, 0): "<0.25>",
        (1, 0): "<0.5>",
        (1, 1): "<0.75>",
    }
    for (row, column), text in texts.items():
        assert text.get_position() == (column + 0.5, row + 0.5)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.get_ylim() == (2, 0)


def test_numbers_can_be_read_in_their_cells() -> None:
    """Contrast of at least 3 to 1 (WCAG 2.1, 1.4.11) all over the scale."""
    values = np.linspace(0.0, 1.0, 101)[np.newaxis]
    axes = Canvas().subplots()
    texts = draw_cells(axes, values, ("a", [""] * 101), str)
    cells = mpl.colormaps[COLOURS](values[0])
    contrast = [
        _contrast(mpl.colors.to_rgb(text.get_color()), cells[column][:3])
        for (_, column), text in texts.items()
    ]
    assert min(contrast) > 3.0


def _contrast(one: tuple[float, ...], other: np.ndarray) -> float:
    dark, bright = sorted((_luminance(np.array(one)), _luminance(np.array(other))))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(rgb: np.ndarray) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


DRAWINGS: dict[str, Callable[[], object]] = {
    "lines": lambda: draw_lines(Canvas(), points("eva", REPEATS), ""),
    "bars": lambda: draw_bars(
        Canvas(), [Panel("", {"w/o image": np.array([0.1, 0.2])})], "#0072B2", "Drop", ""
    ),
    "cells": lambda: draw_cells(Canvas().subplots(), np.eye(2), ("ab", "cd"), str),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawing_changes_no_setting_and_opens_no_figure_of_the_caller(name: str) -> None:
    def settings() -> dict[str, object]:
        return dict(dict.items(mpl.rcParams))  # as they lie there: to ask for a backend sets one

    before = settings()
    DRAWINGS[name]()
    assert settings() == before
    assert plt.get_fignums() == []
