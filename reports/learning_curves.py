"""Learning curves: a metric and the loss over the epochs, one figure per dataset and ratio."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from mmea_bench.reports.core.document import Document, Figure, Missing
from mmea_bench.reports.core.figures.lines import lines_width, range_line
from mmea_bench.reports.core.figures.short_names import shared_looks, short_names
from mmea_bench.reports.core.figures.style import (
    LineEnd,
    grid_lines,
    label_ends,
    line_styles,
    text_width,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import SIMULATED, SIMULATED_NOTE
from mmea_bench.reports.core.rows.curves import chosen_points
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.reports.core.rows.select import (
    current_cells,
    dataset_labels,
    percent,
    with_sections,
)
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "learning_curves"
_LEGEND_WORDS = "—  validation"
"""The widest line of the legend, which stands below the labels."""

_LEFT_IN = 0.49
_BESIDE_IN = 0.28  # the marker before a label, and the air around both
_DASHES: Mapping[str, Literal["-", "--"]] = {"valid": "-", "test": "--"}
_PLACE = ["protocol", "dataset_label", "seed_ratio"]
_LOG_FROM = 100.0
_HEIGHT_IN = 3.0
_TITLE_LETTERS = 50
_N_LABELS = 12  # as many labels fit beside the upper panel at that height


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One figure per protocol, dataset and seed ratio, with all methods in it."""
    current = current_cells(tables)
    curves = current.tables.curves
    if curves.empty:
        return cannot_be_made(
            "No cell was scored while it trained, so there are no curves to draw.", tables, options
        )
    curves = chosen_points(with_sections(curves), options)
    if curves.empty:
        return cannot_be_made(
            f"No curve has the metric {options.curve_metric}"
            + (f" with csls={options.csls}." if options.csls is not None else "."),
            tables,
            options,
        )
    curves = curves.merge(
        current.tables.cells[["key", "protocol", "dataset_version", "simulated_features"]],
        on="key",
        validate="m:1",
    )
    labels = dataset_labels(curves, options.names)
    pairs = zip(curves["dataset"], curves["dataset_version"], strict=True)
    curves = curves.assign(dataset_label=[labels.get(pair, pair[0]) for pair in pairs])
    figures = [
        _figure(
            points,
            f"{dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol",
            options.names,
        )
        for (protocol, dataset, ratio), points in curves.groupby(_PLACE, sort=True)
    ]
    notes = (
        *_notes(curves),
        *((SIMULATED_NOTE,) if curves["simulated_features"].notna().any() else ()),
        *lacking_notes(tables, options, curves["key"], "an evaluation while training"),
        *current.notes,
    )
    return Document(NAME, "Learning curves", tuple(figures), notes)


def _figure(points: pd.DataFrame, title: str, names: Names) -> Figure:
    draw = partial(_draw, points=points, title=textwrap.fill(title, _TITLE_LETTERS), names=names)
    n_lines = len(points[["method", "variant"]].drop_duplicates())
    height = max(_HEIGHT_IN, _HEIGHT_IN * n_lines / _N_LABELS)
    labels = _labels(points, names)
    # The words of the legend stand in the place of the labels, too.
    width = lines_width([*labels.values(), _LEGEND_WORDS])
    notes = short_names(labels, names).notes
    return Figure(_slug(points), title, draw, width, height, notes)


def _slug(points: pd.DataFrame) -> str:
    """Dataset, seed ratio and protocol as part of a file name."""
    place = points.iloc[0]
    words = f"{place['dataset_label']} {100 * place['seed_ratio']:.10g} {place['protocol']}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _labels(points: pd.DataFrame, names: Names) -> dict[tuple[str, str], str]:
    """Method and variant to the name in the figure, with the mark of made-up features."""
    pairs = sorted(set(zip(points["method"], points["variant"], strict=True)))
    simulated = points.loc[points["simulated_features"].notna(), ["method", "variant"]]
    is_marked = set(simulated.itertuples(index=False, name=None))
    texts = short_names(pairs, names).texts
    return {pair: texts[pair] + SIMULATED * (pair in is_marked) for pair in pairs}


def _notes(curves: pd.DataFrame) -> Iterable[str]:
    ranked = curves[curves["is_ranked"]]
    lines = "Solid: validation, dashed: test links."
    if len(ranked):
        csls, direction = ranked["csls"].iloc[0], ranked["direction"].iloc[0]
        yield f"Scored with csls={csls}, direction {direction}. {lines}"
    if len(ranked) < len(curves):
        yield (
            "F1 of predicted pairs with two thresholds; on validation pairs it is the value "
            f"expected from them, which chose the thresholds. {lines}"
        )
    if curves["repeat"].nunique() > 1:
        yield (
            "Lines are means over repeats, up to the last epoch that all repeats of the method "
            "reached; bands span the smallest to the largest repeat."
        )


def _draw(canvas: Canvas, points: pd.DataFrame, title: str, names: Names) -> None:
    top, bottom = canvas.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1], "hspace": 0.12}
    )
    labels = _labels(points, names)
    looks = shared_looks(labels)
    styles = line_styles(looks.values())
    width = canvas.get_figwidth()
    beside = _BESIDE_IN + max(text_width(name) for name in (*labels.values(), _LEGEND_WORDS))
    canvas.subplots_adjust(
        left=_LEFT_IN / width,
        right=1.0 - beside / width,
        top=1.0 - (0.24 + 0.13 * title.count("\n")) / canvas.get_figheight(),
        bottom=0.125,
    )
    ends: dict[str, LineEnd] = {}
    for identity in labels:
        style = styles[looks[identity]]
        own = points[(points["method"] == identity[0]) & (points["variant"] == identity[1])]
        for links in ("test", "valid"):  # validation last, so that it lies on top
            shown = own[own["links"] == links]
            end = range_line(top, shown, "value", style, dashes=_DASHES[links])
            if end is not None:
                ends[labels[identity]] = end
        range_line(bottom, own.drop_duplicates(["key", "epoch"]), "loss", style)
    _finish(top, bottom, points, str(points["metric"].iloc[0]))
    top.set_title(title, loc="left")
    label_ends(top, ends)


def _finish(top: Axes, bottom: Axes, points: pd.DataFrame, metric: str) -> None:
    top.set_ylabel(METRIC_NAMES[metric])
    if metric != "mean_rank":
        top.set_ylim(bottom=0.0)
    bottom.set_ylabel("Loss")
    bottom.set_xlabel("Epoch")
    _scale_loss(bottom, points)
    first, last = float(points["epoch"].min()), float(points["epoch"].max())
    margin = 0.02 * (last - first) or 0.5
    bottom.set_xlim(first - margin, last + margin)
    if points["loss"].notna().sum() == 0:
        bottom.text(0.5, 0.5, "no loss recorded", transform=bottom.transAxes, ha="center")
    for axes in (top, bottom):
        grid_lines(axes, "y")
    bottom.figure.align_ylabels([top, bottom])
    kinds = [links for links in _DASHES if links in set(points["links"])]
    words = {"valid": "validation", "test": "test"}
    handles = [Line2D([], [], color="#555555", linestyle=_DASHES[links]) for links in kinds]
    # Beside the panels, where no line can run through it.
    bottom.legend(
        handles,
        [words[links] for links in kinds],
        title="links",
        title_fontsize=6.5,
        alignment="left",
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        borderaxespad=0.0,
        frameon=False,
    )


def _scale_loss(axes: Axes, points: pd.DataFrame) -> None:
    """Losses of different methods can lie powers of ten apart: such are shown on a log axis."""
    largest = points["loss"].abs().groupby([points["method"], points["variant"]]).max()
    largest = largest[largest > 0]
    if len(largest) < 2 or largest.max() < _LOG_FROM * largest.min():
        axes.locator_params(axis="y", nbins=3)
        return
    if (points["loss"].dropna() > 0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
    else:
        # Linear up to the losses of the method with the smallest ones.
        linear = 10.0 ** round(math.log10(float(largest.min())))
        axes.set_yscale("symlog", linthresh=linear)
        power = 10.0 ** math.floor(math.log10(float(largest.max())))
        axes.yaxis.set_major_locator(FixedLocator([-power, 0.0, power]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
