"""Learning curves: a metric and the loss over the epochs, one figure per dataset and ratio."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal

import pandas as pd

from mmea_bench.reports.core.document import Document, Figure, Missing
from mmea_bench.reports.core.drawing import Axes, Canvas, Line2D
from mmea_bench.reports.core.figures.lines import epoch_line, left_inches, limits_of, lines_width
from mmea_bench.reports.core.figures.short_names import shared_looks, short_names
from mmea_bench.reports.core.figures.style import (
    LineEnd,
    LineStyle,
    grid_lines,
    label_ends,
    line_styles,
    text_width,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import SIMULATED, SIMULATED_NOTE, slug_of
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
_LEGEND_WORDS = "—  chosen epoch"
"""The widest line of the legend, which stands below the labels."""

_STAR: Mapping[str, Any] = {
    "linestyle": "none",
    "marker": "*",
    "markersize": 5.5,
    "markeredgewidth": 0.7,
    "zorder": 4,
}
_BESIDE_IN = 0.28  # the marker before a label, and the air around both
_DASHES: Mapping[str, Literal["-", "--"]] = {"valid": "-", "test": "--"}
_PLACE = ["protocol", "dataset_label", "seed_ratio", "rules"]
_OF_CELLS = (
    *("key", "protocol", "dataset_version", "simulated_features", "best_epoch", "stopped_on"),
)
_HEIGHT_IN = 3.0
_TITLE_LETTERS = 50
_MOST_BANDS = 6
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
        current.tables.cells[list(_OF_CELLS)],
        on="key",
        validate="m:1",
    )
    labels = dataset_labels(curves, options.names)
    pairs = zip(curves["dataset"], curves["dataset_version"], strict=True)
    curves = curves.assign(dataset_label=[labels.get(pair, pair[0]) for pair in pairs])
    n_rules = curves.groupby(_PLACE[:-1])["rules"].transform("nunique")
    figures = []
    for (protocol, dataset, ratio, rules), points in curves.groupby(_PLACE, sort=True):
        title = f"{dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol"
        # Among other candidates a number says something else.
        told = str(rules) if n_rules[points.index[0]] > 1 else ""
        figures.append(_figure(points, title, told, options.names))
    notes = (
        *_notes(curves),
        *((SIMULATED_NOTE,) if curves["simulated_features"].notna().any() else ()),
        *lacking_notes(tables, options, curves["key"], "an evaluation while training"),
        *current.notes,
    )
    return Document(NAME, "Learning curves", tuple(figures), notes)


def _figure(points: pd.DataFrame, title: str, rules: str, names: Names) -> Figure:
    title = ", ".join(filter(None, (title, rules)))
    draw = partial(_draw, points=points, title=textwrap.fill(title, _TITLE_LETTERS), names=names)
    n_lines = len(points[["method", "variant"]].drop_duplicates())
    height = max(_HEIGHT_IN, _HEIGHT_IN * n_lines / _N_LABELS)
    labels = _labels(points, names)
    # The words of the legend stand in the place of the labels, too.
    width = lines_width([*labels.values(), _LEGEND_WORDS])
    notes = short_names(labels, names).notes
    return Figure(_slug(points, rules), title, draw, width, height, notes)


def _slug(points: pd.DataFrame, rules: str) -> str:
    """Dataset, seed ratio, protocol and rules as part of a file name."""
    place = points.iloc[0]
    words = f"{place['dataset_label']} {100 * place['seed_ratio']:.10g} {place['protocol']}"
    return slug_of(f"{words} {rules}")


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
    yield "Stars: epochs that were chosen and reported, on the links that chose them."
    yield (
        "Losses of different methods measure different things, so each is drawn from its largest "
        "value (1) to its smallest (0) where a figure shows several."
    )
    if curves["repeat"].nunique() > 1:
        yield (
            "Lines are means over repeats; bands are Student's 95 % intervals of the validation "
            f"lines (of the test lines where there are no others), in figures of {_MOST_BANDS} "
            "methods at most; dotted: epochs that only some repeats reached, the mean of those."
        )


def _draw(canvas: Canvas, points: pd.DataFrame, title: str, names: Names) -> None:
    top, bottom = canvas.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1], "hspace": 0.12}
    )
    labels = _labels(points, names)
    looks = shared_looks(labels)
    styles = line_styles(looks.values())
    limits = limits_of(points["value"])
    n_lines = len(labels)
    banded = _banded_links(points, n_lines)
    ends: dict[str, LineEnd] = {}
    for identity in labels:
        style = styles[looks[identity]]
        own = points[(points["method"] == identity[0]) & (points["variant"] == identity[1])]
        for links in ("test", "valid"):  # validation last, so that it lies on top
            shown = own[own["links"] == links]
            dashes = _DASHES[links]
            band = limits if links == banded else None
            end = epoch_line(top, shown, "value", style, dashes=dashes, limits=band)
            if end is not None:
                ends[labels[identity]] = end
            _mark_chosen(top, shown, links, style)
        losses = own.drop_duplicates(["key", "epoch"])
        if n_lines > 1:
            losses = losses.assign(loss=_own_scale(losses["loss"]))
        epoch_line(bottom, losses, "loss", style)
    _finish(top, bottom, points, n_lines)
    top.set_title(title, loc="left")
    width = canvas.get_figwidth()
    beside = _BESIDE_IN + max(text_width(name) for name in (*labels.values(), _LEGEND_WORDS))
    canvas.subplots_adjust(
        left=left_inches(top, bottom) / width,
        right=1.0 - beside / width,
        top=1.0 - (0.24 + 0.13 * title.count("\n")) / canvas.get_figheight(),
        bottom=0.125,
    )
    label_ends(top, ends)


def _banded_links(points: pd.DataFrame, n_lines: int) -> str:
    """Links whose lines have bands; none where bands would hide what they surround."""
    if n_lines > _MOST_BANDS:
        return ""
    return "valid" if (points["links"] == "valid").any() else "test"


def _mark_chosen(axes: Axes, points: pd.DataFrame, links: str, style: LineStyle) -> None:
    """Stars on the line of means where repeats chose their epoch on these links."""
    is_chosen = (points["epoch"] == points["best_epoch"]) & (points["stopped_on"] == links)
    epochs = sorted(set(points.loc[is_chosen, "epoch"]))
    heights = points.groupby("epoch")["value"].mean()[epochs]
    axes.plot(epochs, heights, color=style.colour, markerfacecolor="white", **_STAR)


def _own_scale(losses: pd.Series[float]) -> pd.Series[float]:
    """Losses between their smallest, 0, and their largest, 1."""
    low, high = losses.min(), losses.max()
    return (losses - low) / (high - low) if high > low else 0.0 * losses


def _finish(top: Axes, bottom: Axes, points: pd.DataFrame, n_lines: int) -> None:
    metric = str(points["metric"].iloc[0])
    top.set_ylabel(METRIC_NAMES[metric])
    if metric != "mean_rank":
        top.set_ylim(bottom=0.0, top=1.04 * top.get_ylim()[1])  # no mark on the upper edge
    bottom.set_ylabel("Loss")
    if n_lines > 1:
        bottom.set_ylabel("Loss, scaled")
        bottom.set_yticks([0.0, 1.0])
    else:
        bottom.locator_params(axis="y", nbins=3)
    bottom.set_xlabel("Epoch")
    first, last = float(points["epoch"].min()), float(points["epoch"].max())
    margin = 0.02 * (last - first) or 0.5
    bottom.set_xlim(first - margin, last + margin)
    if points["loss"].notna().sum() == 0:
        bottom.text(0.5, 0.5, "no loss recorded", transform=bottom.transAxes, ha="center")
    for axes in (top, bottom):
        grid_lines(axes, "y")
    bottom.figure.align_ylabels([top, bottom])
    _explain(bottom, points)


def _explain(axes: Axes, points: pd.DataFrame) -> None:
    """What dashes and stars mean, beside the panel, where no line can run through it."""
    line = partial(Line2D, [], [], color="#555555")
    words = {"valid": "validation", "test": "test links"}
    found = set(points["links"])
    shown = {words[links]: line(linestyle=_DASHES[links]) for links in _DASHES if links in found}
    if (
        (points["epoch"] == points["best_epoch"]) & (points["stopped_on"] == points["links"])
    ).any():
        shown["chosen epoch"] = line(markerfacecolor="white", **_STAR)
    n_repeats = points.groupby(["method", "variant", "links", "epoch"])["repeat"].nunique()
    if (n_repeats < n_repeats.groupby(["method", "variant", "links"]).transform("max")).any():
        shown["some repeats"] = line(linestyle=":", linewidth=0.7)
    axes.legend(
        list(shown.values()),
        list(shown),
        alignment="left",
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        borderaxespad=0.0,
        labelspacing=0.25,
        frameon=False,
    )
