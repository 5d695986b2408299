"""Seconds to draw learning curves: our pivot table against seaborn's aggregation of each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.figures.lines import band_line, epoch_line
from mmea_bench.reports.core.figures.style import RC_PARAMS, LineStyle, line_styles

N_METHODS, N_REPEATS = 16, 3
Draw = Callable[[Axes, pd.DataFrame, LineStyle], None]


def seconds(draw: Draw, curves: list[pd.DataFrame]) -> float:
    """Of drawing one panel, a line per method."""
    styles = line_styles((f"method_{number}", "full") for number in range(len(curves)))
    with mpl.rc_context(dict(RC_PARAMS)):
        axes = Canvas().subplots()
        started = time.perf_counter()
        for curve, style in zip(curves, styles.values(), strict=True):
            draw(axes, curve, style)
        return time.perf_counter() - started


def main() -> None:
    """Prints both for short and long trainings."""
    rng = np.random.default_rng(0)
    for n_epochs in (100, 1000):
        place = {"epoch": np.repeat(np.arange(n_epochs), N_REPEATS)}
        place["repeat"] = np.tile(np.arange(N_REPEATS), n_epochs)
        curves = [
            pd.DataFrame({**place, "value": rng.random(n_epochs * N_REPEATS)})
            for _ in range(N_METHODS)
        ]
        named = [curve.rename(columns={"epoch": "x", "value": "y"}) for curve in curves]
        print(
            f"{N_METHODS} methods, {n_epochs} evaluations: "
            f"ours {seconds(_ours, curves):.2f} s, seaborn {seconds(_seaborn, named):.2f} s"
        )


def _ours(axes: Axes, curve: pd.DataFrame, style: LineStyle) -> None:
    epoch_line(axes, curve, "value", style)


def _seaborn(axes: Axes, curve: pd.DataFrame, style: LineStyle) -> None:
    band_line(axes, curve, style, ("pi", 100))


if __name__ == "__main__":
    main()
