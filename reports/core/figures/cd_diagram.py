"""The critical-difference diagram of average ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mmea_bench.reports.core.drawing import Axes, Canvas
from mmea_bench.reports.core.figures.style import (
    COLUMN_WIDTH_IN,
    LineStyle,
    marker_look,
    put_title,
    text_width,
)
from mmea_bench.reports.core.statistics.rank_tests import RankTests, cliques

_ROW_IN = 0.15
_CLIQUE_IN = 0.07
_NARROWEST_AXIS_IN = 1.1
_RANK_IN = 0.16  # a digit of the axis and the air beside it
_AXIS_IN = 0.38  # from the top of the panel to the line of ranks
_DARK = "#222222"


def diagram_size(tests: RankTests, title: str) -> tuple[float, float]:
    """Width and height in inches that the diagram needs; a column's width where names allow."""
    axis = max(_NARROWEST_AXIS_IN, _RANK_IN * len(tests.ranks))
    width = max(COLUMN_WIDTH_IN, axis + sum(_sides_in(tests)))
    n_rows = _n_left(list(tests.ranks))
    n_cliques = len(cliques(tests.ranks, tests.critical_difference))
    title_in = 0.14 + 0.12 * math.ceil(len(title) / 55)
    return width, title_in + 0.62 + _CLIQUE_IN * n_cliques + _ROW_IN * n_rows


def _sides_in(tests: RankTests) -> tuple[float, float]:
    """Inches beside the axis for the names with their ranks, at either side."""
    names = list(tests.ranks)
    n_left = _n_left(names)
    left, right = (
        0.12 + max(text_width(f"{name} 10.00") for name in side)
        for side in (names[:n_left], names[n_left:])
    )
    return left, right


def _n_left(names: Sequence[str]) -> int:
    """How many of the methods, the better ones, stand at the left."""
    return math.ceil(len(names) / 2)


def draw_diagram(
    canvas: Canvas, tests: RankTests, styles: Mapping[str, LineStyle], title: str
) -> None:
    """Methods on a line of average ranks, best at the left; a bar joins those that do not differ.

    Args:
        canvas: Empty figure of ``diagram_size``.
        tests: What to draw.
        styles: Look of each method.
        title: Printed above.

    Source: Demsar 2006, JMLR 7, Figure 1.
    """
    axes = canvas.subplots()
    left, right = (side / canvas.get_figwidth() for side in _sides_in(tests))
    top = put_title(canvas, title)
    canvas.subplots_adjust(left=left, right=1.0 - right, top=top, bottom=0.02)
    # Inches below the top of the panel, so that rows keep their height whatever their number.
    height = (top - 0.02) * canvas.get_figheight()
    axes.set_ylim(height, 0.0)
    n_methods = len(tests.ranks)
    # A critical difference may exceed all ranks; its bar stands above the axis all the same.
    axes.set_xlim(0.9, max(n_methods, 1.0 + min(tests.critical_difference, n_methods)) + 0.1)
    axes.set_axis_off()
    _rank_axis(axes, n_methods, tests.critical_difference)
    below = _cliques(axes, tests)
    _labels(axes, tests.ranks, styles, below)


def _rank_axis(axes: Axes, n_methods: int, difference: float) -> None:
    axes.plot([1, n_methods], [_AXIS_IN, _AXIS_IN], color=_DARK, linewidth=0.7)
    for rank in range(1, n_methods + 1):
        axes.plot([rank, rank], [_AXIS_IN - 0.035, _AXIS_IN], color=_DARK, linewidth=0.6)
        axes.text(rank, _AXIS_IN - 0.05, str(rank), ha="center", va="bottom", fontsize=6.5)
    end = 1 + difference
    axes.plot([1, end], [0.14, 0.14], color=_DARK, linewidth=0.9, clip_on=False)
    for x in (1, end):
        axes.plot([x, x], [0.115, 0.165], color=_DARK, linewidth=0.9, clip_on=False)
    axes.text(1, 0.09, f"CD = {difference:.2f}", ha="left", va="bottom", fontsize=6.5)


def _cliques(axes: Axes, tests: RankTests) -> float:
    """Draws the bars of methods that do not differ and returns where the labels may begin."""
    y = _AXIS_IN + 0.09
    for group in cliques(tests.ranks, tests.critical_difference):
        ends = [tests.ranks[group[0]] - 0.04, tests.ranks[group[-1]] + 0.04]
        axes.plot(ends, [y, y], color=_DARK, linewidth=2.2, solid_capstyle="butt", zorder=3)
        y += _CLIQUE_IN
    return y + 0.04


def _labels(
    axes: Axes, ranks: Mapping[str, float], styles: Mapping[str, LineStyle], below: float
) -> None:
    """The better half at the left, the other at the right, none over another."""
    names = list(ranks)
    n_left = _n_left(names)
    low, high = axes.get_xlim()
    for position, name in enumerate(names):
        is_left = position < n_left
        row = position if is_left else len(names) - 1 - position
        y = below + _ROW_IN * (row + 0.5)
        edge = low if is_left else high
        x = ranks[name]
        axes.plot([x, x, edge], [_AXIS_IN, y, y], color="#888888", linewidth=0.6, zorder=1)
        axes.plot([x], [_AXIS_IN], clip_on=False, zorder=4, **marker_look(styles[name]))
        text = f"{name} {x:.2f}" if is_left else f"{x:.2f} {name}"
        axes.annotate(
            text,
            (edge, y),
            xytext=(-2 if is_left else 2, 0),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="center",
            fontsize=6.5,
            annotation_clip=False,
        )
