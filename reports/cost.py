"""Cost: time, memory and size of every method beside what it reaches."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import (
    Axes,
    Canvas,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)
from mmea_bench.reports.core.figures.lines import left_inches, lines_width, method_names
from mmea_bench.reports.core.figures.short_names import short_names
from mmea_bench.reports.core.figures.style import (
    LineEnd,
    grid_lines,
    label_ends,
    line_styles,
    marker_look,
    put_title,
    text_width,
)
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    Comparison,
    comparisons,
    mark_notes,
    metric_style,
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "cost"
BESIDE = "§"
_UNKNOWN = ""
_CPU = "cpu"
_PANEL_IN = 1.55
_LEFT_IN = 0.49
_BESIDE_IN = 0.28  # the marker before a label, and the air around both
_LABEL_IN = 0.125
_TOLERANCE_S = 1.0
"""Times are recorded in whole seconds, so that cells one after the other can seem to touch."""

_COLUMNS = {
    ("time", "s per epoch"): "epoch_s",
    ("time", "training, s"): "fit_s",
    ("time", "to best, s"): "best_s",
    ("time", "scoring, s"): "eval_s",
    ("epochs", "trained"): "epochs",
    ("epochs", "to best"): "best_epoch",
    ("peak memory", "MiB"): "peak_memory_mib",
    ("peak memory", "GPU, MiB"): "peak_gpu_memory_mib",
    ("size", "parameters"): "n_parameters",
}
"""Printed columns with those of the cells."""

_ENERGY = {("energy", "Wh"): "energy_wh", ("energy", "mg CO2e"): "co2_mg"}
"""The same, printed where a cell of the table has them."""

_ENERGY_NOTE = (
    "Energy is estimated by codecarbon for the cell's process, from loading the data to the last "
    "score; CO2e by the mean electricity of the country that the run named."
)

_DECIMALS = ("epoch_s", "fit_s", "best_s", "eval_s", *_ENERGY.values())


_GAP_IN = 0.5  # for the ticks and the name of the upper panel's axis
_NARROW_DECADES = 0.5
_WIDEST_TICK_IN = 0.45
_STEPS = {2.8: (1.0, 1.5, 2.0, 3.0, 5.0), 1.25: (1.0, 2.0, 5.0), 0.75: (1.0, 3.0)}
"""Ticks of each decade for which there is room, by the inches that a decade needs for them."""


class _Axis(NamedTuple):
    """What a panel shows across: a column of the cells and its name."""

    column: str
    label: str


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table per dataset, seed ratio and protocol, and a figure for each device in it."""
    cells = _priced(tables.cells)
    numbers = shown_numbers(tables, options)
    blocks: list[Block] = []
    shown = []
    for comparison in comparisons(numbers, options):
        metric = comparison.metrics[0]
        own = comparison.numbers[comparison.numbers["metric"] == metric]
        own = own.assign(name=method_names(own, options.names)).join(cells, on="key")
        shown.append(own)
        blocks.append(_table(comparison, own, metric))
        for device, points in own.groupby("device", sort=True):
            blocks += _figure(comparison, points, metric, str(device), options.names)
    if not shown:
        return cannot_be_made(
            "No cell ended ok, so there are no costs to compare.", tables, options
        )
    rows = pd.concat(shown)
    notes = (
        "Means over repeats. Seconds per epoch are those of the epochs after the first; in a row "
        "with a record that lacks them, the training time over its epochs. Training time is "
        "without scoring; to best is the same without the epochs after that of the reported "
        "checkpoint (of records without an epoch's seconds, in proportion to the epochs); peak "
        "memory is that of the whole process, data included. Devices are never averaged: each has "
        "rows and figures of its own.",
        *(_beside_note() for _ in range(bool(rows["is_beside"].any()))),
        *(_ENERGY_NOTE for _ in range(bool(rows["energy_wh"].notna().any()))),
        *mark_notes(rows),
        *lacking_notes(tables, options, rows["key"], "a number to compare"),
    )
    return Document(NAME, "Cost", tuple(blocks), notes)


def beside(cells: pd.DataFrame) -> pd.Series[bool]:
    """Whether each cell ran while another cell of the folder did, by ``key``.

    Args:
        cells: Rows of cells.csv; those without times are taken to have run alone.
    """
    spans = pd.DataFrame(
        {
            name: pd.to_datetime(cells[f"{name}_at"], format="ISO8601", utc=True, errors="coerce")
            for name in ("started", "finished")
        }
    ).set_index(cells["key"])
    known = spans.dropna().sort_values(["started", "finished"], kind="stable")
    gap = pd.Timedelta(seconds=_TOLERANCE_S)
    # Of the cells before, the one that ends last is the one to meet; of those after, the next.
    before = known["finished"].cummax().shift() - known["started"] > gap
    after = known["finished"] - known["started"].shift(-1) > gap
    return (before | after).reindex(spans.index, fill_value=False)


def _priced(cells: pd.DataFrame) -> pd.DataFrame:
    """What cells cost, by key.

    Returns:
        The columns of the table as floats (``epoch_s`` where it was recorded), ``device``,
        ``is_beside``, and ``trained_s``: the time of cells that trained for an epoch or more.
    """
    priced = cells.assign(
        best_s=_best_s(cells),
        energy_wh=1000.0 * cells["energy_kwh"].astype(float),
        co2_mg=1e6 * cells["co2_kg"].astype(float),
    )
    prices = priced[["key", *_COLUMNS.values(), *_ENERGY.values()]].set_index("key").astype(float)
    devices = cells.set_index("key")["device"].fillna(_UNKNOWN)
    trained_s = prices["fit_s"].where(prices["epochs"] > 0)
    return prices.assign(device=devices, is_beside=beside(cells), trained_s=trained_s)


def _best_s(cells: pd.DataFrame) -> pd.Series[float]:
    """Training time without the epochs after the reported checkpoint: set-up counts in full.

    Where a record does not tell an epoch's seconds, set-up is taken to be spread over them.
    """
    fit_s, epoch_s, best = (
        cells[name].astype(float) for name in ("fit_s", "epoch_s", "best_epoch")
    )
    epochs = _trained(cells)
    # Epochs before the checkpoint may be faster than the mean; no time is below none.
    return (fit_s - (epochs - best) * epoch_s.fillna(fit_s / epochs)).clip(lower=0.0)


def _epoch_s(costs: pd.DataFrame) -> pd.Series[float]:
    """Seconds per epoch of the cells of a row, by one rule for all of them.

    An epoch's own seconds leave out the set-up, its share of the training does not: a mean over
    both would be neither.
    """
    epochs = _trained(costs)
    is_known = costs["epoch_s"].notna() | epochs.isna()
    return costs["epoch_s"] if is_known.all() else costs["fit_s"] / epochs


def _trained(cells: pd.DataFrame) -> pd.Series[float]:
    """Epochs; of what trains none, nothing, for it has no time per epoch."""
    epochs = cells["epochs"].astype(float)
    return epochs.where(epochs > 0)


def _beside_note() -> str:
    return f"{BESIDE} ran while other cells of this folder ran, so its times are longer than alone."


def _table(comparison: Comparison, numbers: pd.DataFrame, metric: str) -> Table:
    rows: list[Row] = []
    above = None
    priced = _COLUMNS | (_ENERGY if numbers["energy_wh"].notna().any() else {})
    for (device, name), own in numbers.groupby(["device", "name"], sort=True):
        costs = own.drop_duplicates("key")
        costs = costs.assign(epoch_s=_epoch_s(costs))
        cells = [_cost_cell(costs[column], column) for column in priced.values()]
        reached = repeat_cell(own.groupby("repeat")["value"].mean(), metric_style(metric))
        result = with_certain(reached, own)
        labels = (str(name), str(device), str(own["repeat"].nunique()))
        is_new = above not in (None, device)
        marks = (BESIDE,) * bool(own["is_beside"].any())
        rows.append(Row(labels, (*cells, result), marks, has_rule_above=is_new))
        above = device
    columns = (*priced, ("result", METRIC_NAMES[metric]))
    labels = ("method", "device", "repeats")
    return explained(Table(comparison.title, labels, ("group", "number"), columns, tuple(rows)))


def _cost_cell(values: pd.Series[float], column: str) -> Cell:
    known = values.dropna()
    if known.empty:
        return Cell()
    mean = float(known.mean())
    if column not in _DECIMALS:
        return Cell(mean, None, len(known), style="count")
    return Cell(mean, None, len(known), style="decimal", digits=_digits(mean))


def _digits(value: float) -> int:
    """Digits behind the point that make three significant ones, as far as those are needed."""
    return 3 if value < 1e-3 else max(0, 2 - math.floor(math.log10(value)))


def _figure(
    comparison: Comparison, points: pd.DataFrame, metric: str, device: str, names: Names
) -> list[Figure]:
    """The result over time and over memory; nothing for fewer than two methods with costs."""
    # Costs are those of the training, whatever inference follows: one point for each cell.
    inference = str(points["inference"].max())
    points = points[points["inference"] == inference]
    memory = _Axis("peak_memory_mib", "Peak memory in MiB")
    if device not in (_CPU, _UNKNOWN) and points["peak_gpu_memory_mib"].notna().any():
        memory = _Axis("peak_gpu_memory_mib", "Peak GPU memory in MiB")
    panels = [
        axis
        for axis in (_Axis("trained_s", "Training time in s"), memory)
        if points.loc[points[axis.column] > 0, "name"].nunique() >= 2
    ]
    if not panels:
        return []
    title = f"{comparison.title}, {device}" if device else comparison.title
    points = _with_labels(points, names)
    height = 0.25 + len(panels) * _panel_height(points["label"].nunique())
    reached = ", ".join(filter(None, (METRIC_NAMES[metric], inference)))
    draw = partial(_draw, points=points, panels=panels, reached=reached, title=title)
    notes = short_names(zip(points["method"], points["variant"], strict=True), names).notes
    notes += (_beside_note(),) * bool(points["is_beside"].any())
    return [Figure(slug_of(title), title, draw, lines_width(points["label"]), height, notes)]


def _with_labels(points: pd.DataFrame, names: Names) -> pd.DataFrame:
    """The points with ``label``, their short name with all marks, and ``look``, its variant."""
    short = short_names(zip(points["method"], points["variant"], strict=True), names)
    is_beside = points.groupby("name")["is_beside"].transform("any")
    variants = list(zip(points["method"], points["variant"], strict=True))
    inference = f", {points['inference'].iloc[0]}"  # the same for all points; the axis says it
    labels = [
        short.texts[variant]
        + name.removeprefix(names.of(*variant)).removeprefix(inference)
        + BESIDE * beside_others
        for variant, name, beside_others in zip(variants, points["name"], is_beside, strict=True)
    ]
    return points.assign(label=labels, look=[short.looks[variant][1] for variant in variants])


def _panel_height(n_methods: int) -> float:
    return max(_PANEL_IN, 0.5 + _LABEL_IN * n_methods)


def _draw(
    canvas: Canvas, points: pd.DataFrame, panels: list[_Axis], reached: str, title: str
) -> None:
    width, height = canvas.get_size_inches()
    longest = max(text_width(str(label)) for label in points["label"])
    found = canvas.subplots(len(panels), 1, squeeze=False)
    top, bottom = put_title(canvas, title), 0.36 / height
    panel_in = (height * (top - bottom) - _GAP_IN * (len(panels) - 1)) / len(panels)
    canvas.subplots_adjust(
        left=_LEFT_IN / width,
        right=1.0 - (longest + _BESIDE_IN) / width,
        top=top,
        bottom=bottom,
        hspace=_GAP_IN / panel_in,
    )
    for axes, axis in zip(found[:, 0], panels, strict=True):
        ends = _scatter(axes, points, axis, reached, width * axes.get_position().width)
        label_ends(axes, ends)
    canvas.subplots_adjust(left=left_inches(*found[:, 0]) / width)


def _scatter(
    axes: Axes, points: pd.DataFrame, axis: _Axis, reached: str, width_in: float
) -> dict[str, LineEnd]:
    """Draws the points and returns where their labels belong."""
    points = points[points[axis.column] > 0]
    looks = line_styles(zip(points["method"], points["look"], strict=True))
    axes.set_xscale("log")
    ends: dict[str, LineEnd] = {}
    for (method, variant, label), own in points.groupby(["method", "look", "label"], sort=True):
        look = looks[str(method), str(variant)]
        x, y = float(own[axis.column].mean()), float(own["value"].mean())
        axes.plot([x], [y], linestyle="none", **marker_look(look), zorder=3, clip_on=False)
        ends[str(label)] = LineEnd(x, y, look)
    axes.margins(x=0.08)
    _tick(axes, width_in)
    axes.set_ylim(bottom=0.0, top=1.12 * max(end.y for end in ends.values()) or 1.0)
    axes.set_xlabel(axis.label)
    axes.set_ylabel(reached)
    grid_lines(axes)
    return ends


def _tick(axes: Axes, width_in: float) -> None:
    """Ticks of the logarithmic axis of this width as plain numbers."""
    low, high = axes.get_xlim()
    n_decades = math.log10(high / low)
    steps = next((ok for least, ok in _STEPS.items() if width_in / n_decades >= least), (1.0,))
    n_ticks = max(2, int(width_in / _WIDEST_TICK_IN)) if steps == (1.0,) else None
    # Between two powers of ten there may be no step at all.
    is_narrow = n_decades < _NARROW_DECADES
    axes.xaxis.set_major_locator(
        MaxNLocator(4) if is_narrow else LogLocator(10.0, steps, numticks=n_ticks)
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,g}"))
    axes.xaxis.set_minor_locator(NullLocator())
