"""Selection audit: the same trainings scored by three ways to choose the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import Axes, Canvas, Line2D
from mmea_bench.reports.core.figures.short_names import short_names
from mmea_bench.reports.core.figures.style import (
    COLUMN_WIDTH_IN,
    LineStyle,
    grid_lines,
    line_styles,
    marker_look,
    put_title,
    text_width,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import SIMULATED, SIMULATED_NOTE, repeat_cell, slug_of
from mmea_bench.reports.core.rows.curves import chosen_points
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.reports.core.rows.select import (
    current_cells,
    dataset_labels,
    percent,
    with_sections,
)
from mmea_bench.reports.core.statistics.statistics import mean_interval
from mmea_bench.reports.core.words import DIRECTION_NAMES, METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "selection_audit"
FEW = "§"
FEW_EVALUATIONS = 5
"""With fewer there is hardly a choice to make."""

RULES = {"last": "last epoch", "valid": "validation-chosen", "test": "best on test"}
"""Ways to choose the epoch; the columns of one cell's scores."""

_PLACE = ["protocol", "dataset_label", "seed_ratio", "rules"]
_HONEST = ("valid", "last")
_ROW_IN = 0.17
_MOST_TICKS = 5  # numbers of five digits have room then
_COLUMNS = (
    *(("value", words) for words in RULES.values()),
    *((f"flatters over {RULES[rule]}", word) for rule in _HONEST for word in ("by", "from", "to")),
)
_NOTES = (
    "Flatters by: best on test minus the other choice, which is what a number gains when the epoch "
    "is chosen on the links it is reported on; it cannot be negative. Mean ± sample standard "
    "deviation over repeats; from and to: Student's 95 % interval of the mean, for two or more.",
    "All three choices are made among the same evaluations, by the same metric, direction and "
    "CSLS; the earliest epoch wins a tie. The protocol itself may choose by another metric.",
    "Chosen on: links that chose the reported checkpoint; under protocol paper, the practice of "
    "the method's released code. Early stopping ends a training soon after its best epoch, so that "
    "last epoch and best on test lie closer together than after all published epochs.",
)


class AuditedCell(NamedTuple):
    """One training scored by every way to choose its epoch.

    Attributes:
        n_evaluations: Evaluations on test links to choose among.
        last: Value at the last evaluation.
        valid: Value where the validation links score best; NaN without validation links.
        test: Best value of all.
    """

    n_evaluations: int
    last: float
    valid: float
    test: float


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table and one figure per dataset, seed ratio and protocol."""
    current = current_cells(tables)
    curves = current.tables.curves
    if curves.empty:
        return cannot_be_made(
            "No cell was scored while it trained, so no choice of an epoch can be told.",
            tables,
            options,
        )
    points = chosen_points(with_sections(curves), options)
    if points.empty or not (points["links"] == "test").any():
        return cannot_be_made(
            f"No curve of test links has the metric {options.curve_metric}.", tables, options
        )
    cells = _audited(points).merge(
        current.tables.cells[
            [
                *("key", "method", "variant", "dataset", "dataset_version", "seed_ratio"),
                *("repeat", "protocol", "stopped_on", "simulated_features"),
            ]
        ],
        on="key",
        validate="1:1",
    )
    labels = dataset_labels(cells, options.names)
    pairs = zip(cells["dataset"], cells["dataset_version"], strict=True)
    cells = cells.assign(dataset_label=[labels.get(pair, pair[0]) for pair in pairs])
    blocks: list[Block] = []
    n_rules = cells.groupby(_PLACE[:-1])["rules"].transform("nunique")
    for (protocol, dataset, ratio, rules), own in cells.groupby(_PLACE, sort=True):
        title = f"{dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol"
        # Equal titles would share one file name.
        if n_rules[own.index[0]] > 1:
            title = f"{title}, {rules}"
        blocks += [_figure(own, title, options.names), _table(own, title, options.names)]
    summary = _summary(cells, options.names)
    notes = (
        *_NOTES,
        _scored(points),
        *([_few_note()] if (cells["n_evaluations"] < FEW_EVALUATIONS).any() else []),
        *([SIMULATED_NOTE] if cells["simulated_features"].notna().any() else []),
        *lacking_notes(tables, options, cells["key"], "an evaluation while training"),
        *current.notes,
    )
    return Document(NAME, "Selection audit", (*summary, *blocks), notes)


def audit(test: pd.Series[float], valid: pd.Series[float]) -> AuditedCell:
    """One training by every way to choose its epoch; higher values are better.

    Args:
        test: Value of the test links by epoch, at least one.
        valid: Value of the validation links by epoch; only epochs that were scored on both kinds
            of links can be chosen.
    """
    test, valid = test.sort_index(), valid.sort_index()
    valid = valid[valid.index.isin(test.index)]
    # The first of equal values, hence the earliest epoch.
    chosen = float(test[valid.index[int(valid.argmax())]]) if len(valid) else np.nan
    return AuditedCell(len(test), float(test.iloc[-1]), chosen, float(test.max()))


def _audited(points: pd.DataFrame) -> pd.DataFrame:
    """One row per cell: ``key``, metric, rules and the fields of ``AuditedCell``."""
    rows = []
    for key, own in points.groupby("key", sort=True):
        by_links = {
            str(links): curve.set_index("epoch")["value"] for links, curve in own.groupby("links")
        }
        if "test" not in by_links:
            continue
        found = audit(by_links["test"], by_links.get("valid", by_links["test"].iloc[:0]))
        first = own.iloc[0]
        shared = {"key": key, "metric": first["metric"], "rules": first["rules"]}
        rows.append({**shared, **found._asdict()})
    return pd.DataFrame(rows)


def _by_method(cells: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Cells of each method and variant, the full method first."""
    groups = [((str(m), str(v)), own) for (m, v), own in cells.groupby(["method", "variant"])]
    return sorted(groups, key=lambda group: (group[0][0], group[0][1] != "full", group[0][1]))


def _table(cells: pd.DataFrame, title: str, names: Names) -> Table:
    metric = METRIC_NAMES[str(cells["metric"].iloc[0])]
    columns = tuple((metric if group == "value" else group, word) for group, word in _COLUMNS)
    rows = tuple(_row(names.of(*name), own) for name, own in _by_method(cells))
    labels = ("method", "chosen on", "repeats", "evaluations")
    return Table(title, labels, ("group", "epoch"), columns, rows)


def _row(name: str, cells: pd.DataFrame) -> Row:
    by_repeat = cells.set_index("repeat")
    values = [repeat_cell(by_repeat[rule].dropna()) for rule in RULES]
    gains: list[Cell] = []
    for rule in _HONEST:
        gain = (by_repeat["test"] - by_repeat[rule]).dropna()
        interval = mean_interval(gain.to_numpy(dtype=float)) or (None, None)
        gains += [repeat_cell(gain), *(Cell(end, None, len(gain)) for end in interval)]
    evaluations = sorted(set(cells["n_evaluations"]))
    chosen_on = ", ".join(sorted(set(cells["stopped_on"].dropna())))
    span = "–".join(str(n) for n in dict.fromkeys((evaluations[0], evaluations[-1])))
    labels = (name, chosen_on, str(len(cells)), span)
    return Row(labels, (*values, *gains), _marks(cells))


def _marks(cells: pd.DataFrame) -> tuple[str, ...]:
    """Signs behind the name of a method."""
    is_simulated = bool(cells["simulated_features"].notna().any())
    is_few = bool((cells["n_evaluations"] < FEW_EVALUATIONS).any())
    return (SIMULATED,) * is_simulated + (FEW,) * is_few


def _summary(cells: pd.DataFrame, names: Names) -> list[Table]:
    """Gains by method over all places, where there are several."""
    gains = cells.assign(**{rule: cells["test"] - cells[rule] for rule in _HONEST})
    tables = []
    for (protocol, metric), own in gains.groupby(["protocol", "metric"], sort=True):
        places = own.groupby(["method", "variant", *_PLACE])[list(_HONEST)].mean().reset_index()
        if len(places[_PLACE].drop_duplicates()) < 2:
            continue
        rows = []
        for name, found in _by_method(places):
            numbers = [
                Cell(float(value), None, len(known)) if len(known) else Cell()
                for known in (found[rule].dropna() for rule in _HONEST)
                for value in (known.mean(), known.max())
            ]
            rows.append(Row((names.of(*name), str(len(found))), tuple(numbers)))
        columns = tuple(
            (f"flatters over {RULES[rule]}", word) for rule in _HONEST for word in ("mean", "most")
        )
        title = (
            f"All datasets and seed ratios: {METRIC_NAMES[str(metric)]} that best on test gains, "
            f"{protocol} protocol"
        )
        tables.append(Table(title, ("method", "places"), ("group", "epoch"), columns, tuple(rows)))
    return tables


def _scored(points: pd.DataFrame) -> str:
    ranked = points[points["is_ranked"]]
    if ranked.empty:
        return "F1 of predicted pairs with two thresholds, chosen anew at every evaluation."
    csls, direction = ranked["csls"].iloc[0], str(ranked["direction"].iloc[0])
    return f"Scored with csls={csls}, {DIRECTION_NAMES[direction]}."


def _few_note() -> str:
    return (
        f"{FEW} fewer than {FEW_EVALUATIONS} evaluations in a training: too few to choose among, "
        "so that what choosing gains is told too small. Evaluate more often (eval_every)."
    )


def _figure(cells: pd.DataFrame, title: str, names: Names) -> Figure:
    found = [name for name, _ in _by_method(cells)]
    height = 0.85 + _ROW_IN * max(2, len(found))
    draw = partial(_draw, cells=cells, title=title, names=names)
    notes = short_names(found, names).notes
    return Figure(slug_of(title), title, draw, COLUMN_WIDTH_IN, height, notes)


def _draw(canvas: Canvas, cells: pd.DataFrame, title: str, names: Names) -> None:
    axes = canvas.subplots()
    groups = _by_method(cells)
    short = short_names((name for name, _ in groups), names)
    looks = line_styles(short.looks.values())
    labels = [short.texts[name] + "".join(_marks(own)) for name, own in groups]
    width, height = canvas.get_size_inches()
    left = 0.12 + max(text_width(label) for label in labels)
    top, bottom = put_title(canvas, title), 0.52 / height
    canvas.subplots_adjust(left=left / width, right=0.97, top=top, bottom=bottom)
    for place, (name, own) in enumerate(groups):
        values = [float(own[rule].mean()) for rule in RULES]
        _dumbbell(axes, place, values, looks[short.looks[name]])
    axes.set_yticks(range(len(groups)), labels)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=_MOST_TICKS)
    axes.set_xlabel(METRIC_NAMES[str(cells["metric"].iloc[0])] + " of the test links")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    grid_lines(axes, "x")
    _explain_marks(canvas, has_valid=bool(cells["valid"].notna().any()))


def _dumbbell(axes: Axes, place: int, values: Sequence[float], look: LineStyle) -> None:
    """A line from the last epoch to the best on test; NaN leaves a mark out."""
    last, valid, test = values
    known = [value for value in values if not np.isnan(value)]
    axes.plot([min(known), max(known)], [place, place], color=look.colour, linewidth=1.0, zorder=1)
    shape = marker_look(look) | {"linestyle": "none"}
    axes.plot([last], [place], **{**shape, "markerfacecolor": "white"}, markersize=4.5)
    axes.plot([valid], [place], **{**shape, "markerfacecolor": look.colour}, markersize=3.5)
    axes.plot([test], [place], color=look.colour, marker="|", markersize=8, markeredgewidth=1.4)


def _explain_marks(canvas: Canvas, *, has_valid: bool) -> None:
    handle = partial(Line2D, [], [], color="#444444", linestyle="none")
    handles = [
        handle(marker="o", markerfacecolor="white", markersize=4.5),
        handle(marker="o", markersize=3.5),
        handle(marker="|", markersize=8, markeredgewidth=1.4),
    ]
    shown = list(zip(handles, RULES.values(), strict=True))
    if not has_valid:
        del shown[1]
    canvas.legend(
        [look for look, _ in shown],
        [words for _, words in shown],
        loc="lower center",
        ncols=len(shown),
        frameon=False,
        borderaxespad=0.1,
        handletextpad=0.2,
        columnspacing=1.4,
    )
