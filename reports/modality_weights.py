"""Modality weights: how much each modality counts in the fusion of every method."""

from __future__ import annotations

from functools import partial
from itertools import cycle

import pandas as pd

from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.drawing import Axes, Canvas, Patch
from mmea_bench.reports.core.figures.heat_map import ink_over
from mmea_bench.reports.core.figures.lines import method_names
from mmea_bench.reports.core.figures.short_names import short_names
from mmea_bench.reports.core.figures.style import COLUMN_WIDTH_IN, put_title, text_width
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import mark_notes, repeat_cell, shown_numbers, slug_of
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.reports.core.rows.select import current_cells, dataset_labels, percent
from mmea_bench.reports.core.words import ordered_modalities
from mmea_bench.results.core.schema import WEIGHT
from mmea_bench.results.core.table import Tables

NAME = "modality_weights"
# Each modality has its own hue (Tol's muted colours, safe for the colour-blind) in every figure,
# and the one beside it another lightness: readable in grey, and on a dark page.
_COLOURS = {
    "structure": "#332288",
    "relation": "#DDCC77",
    "attribute": "#117733",
    "image": "#88CCEE",
    "text": "#882255",
    "name": "#CC6677",
}
_FURTHER_COLOURS = ("#44AA99", "#999933", "#AA4499", "#BBBBBB")
_PLACE = ["protocol", "dataset_label", "seed_ratio"]
_ROW_IN = 0.2
_SMALL_LETTER_IN = 0.044  # a letter of 5.5 pt
_SMALLEST_PRINTED = 0.07  # a number in a narrower bar would run into the next
_LEGEND_COLUMNS = 4


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One figure and one table per dataset, seed ratio and protocol."""
    numbers = shown_numbers(tables, options)
    numbers = numbers[numbers["metric"] == WEIGHT]
    if numbers.empty:
        return cannot_be_made(
            "No method told how much each modality counts in its fusion.", tables, options
        )
    labels = dataset_labels(numbers, options.names)
    pairs = zip(numbers["dataset"], numbers["dataset_version"], strict=True)
    numbers = numbers.assign(
        name=method_names(numbers, options.names),
        dataset_label=[labels.get(pair, pair[0]) for pair in pairs],
    )
    blocks: list[Block] = []
    for (protocol, dataset, ratio), own in numbers.groupby(_PLACE, sort=True):
        title = f"{dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol"
        blocks += [_figure(own, title, options.names), _table(own, title)]
    notes = (
        "Share of each modality in the fusion at the reported checkpoint; the shares of a method "
        "add up to 1. Where a method weighs every entity by itself, the mean over the entities of "
        "both KGs. Mean ± sample standard deviation over repeats.",
        "A weight tells what the fusion takes, not what the modality contributes: modalities with "
        "vectors that tell less apart can weigh more. Compare with the ablations.",
        *mark_notes(numbers),
        *lacking_notes(tables, options, numbers["key"], "weights of modalities"),
        *current_cells(tables).replaced_notes,
    )
    return Document(NAME, "Modality weights", tuple(blocks), notes)


def _table(numbers: pd.DataFrame, title: str) -> Table:
    modalities = ordered_modalities(numbers["modality"])
    rows = []
    for name, own in numbers.groupby("name", sort=True):
        by_modality = {
            str(modality): repeat_cell(values.groupby("repeat")["value"].mean())
            for modality, values in own.groupby("modality")
        }
        repeats = str(own["repeat"].nunique())
        rows.append(
            Row((str(name), repeats), tuple(by_modality.get(m, Cell()) for m in modalities))
        )
    columns = tuple(("weight", modality) for modality in modalities)
    return Table(title, ("method", "repeats"), ("group", "modality"), columns, tuple(rows))


def _figure(numbers: pd.DataFrame, title: str, names: Names) -> Figure:
    grid = numbers.pivot_table(index="name", columns="modality", values="value", aggfunc="mean")
    grid = grid[ordered_modalities(grid.columns)].sort_index()
    pairs = numbers.drop_duplicates("name").set_index("name")[["method", "variant"]]
    variants = {name: (str(pair[0]), str(pair[1])) for name, *pair in pairs.itertuples()}
    short = short_names(variants.values(), names)
    # The marks behind a name stay.
    grid.index = pd.Index(
        [
            short.texts[variants[name]] + name.removeprefix(names.of(*variants[name]))
            for name in grid.index
        ]
    )
    n_lines = -(-grid.shape[1] // _LEGEND_COLUMNS)
    height = 0.62 + 0.14 * n_lines + _ROW_IN * len(grid)
    draw = partial(_draw, grid=grid, title=title)
    return Figure(slug_of(title), title, draw, COLUMN_WIDTH_IN, height, short.notes)


def _draw(canvas: Canvas, grid: pd.DataFrame, title: str) -> None:
    axes = canvas.subplots()
    width, height = canvas.get_size_inches()
    n_lines = -(-grid.shape[1] // _LEGEND_COLUMNS)
    canvas.subplots_adjust(
        left=(0.12 + max(text_width(str(name)) for name in grid.index)) / width,
        right=0.965,
        top=put_title(canvas, title),
        bottom=(0.38 + 0.14 * n_lines) / height,
    )
    further = [name for name in grid.columns if name not in _COLOURS]
    known = _COLOURS | dict(zip(further, cycle(_FURTHER_COLOURS), strict=False))
    colours = [known[name] for name in grid.columns]
    start = pd.Series(0.0, index=grid.index)
    for modality, colour in zip(grid.columns, colours, strict=True):
        widths = grid[modality].fillna(0.0)
        axes.barh(
            range(len(grid)), widths, 0.72, start, color=colour, edgecolor="white", linewidth=0.6
        )
        ink = ink_over(colour)
        _print_shares(axes, str(modality), start, widths, ink)
        start = start + widths
    axes.set_yticks(range(len(grid)), list(grid.index))
    axes.set_ylim(len(grid) - 0.5, -0.5)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("Share of the fusion")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    # A legend is filled column by column; it is read line by line, in the order of the bars.
    n_columns = min(_LEGEND_COLUMNS, grid.shape[1])
    order = [
        place for column in range(n_columns) for place in range(column, len(colours), n_columns)
    ]
    canvas.legend(
        [Patch(facecolor=colours[place]) for place in order],
        [str(grid.columns[place]) for place in order],
        loc="lower center",
        ncols=n_columns,
        frameon=False,
        borderaxespad=0.1,
        handlelength=0.9,
        handletextpad=0.4,
        columnspacing=1.2,
    )


def _print_shares(
    axes: Axes, modality: str, start: pd.Series[float], widths: pd.Series[float], ink: str
) -> None:
    """Writes every share into its bar, with the modality where there is room."""
    width_in = COLUMN_WIDTH_IN * axes.get_position().width
    for place, (left, width) in enumerate(zip(start, widths, strict=True)):
        if width >= _SMALLEST_PRINTED:
            text = f"{width:.2f}".removeprefix("0")
            if width_in * width > _SMALL_LETTER_IN * len(f"{modality} {text} "):
                text = f"{modality} {text}"
            axes.text(
                left + width / 2,
                place,
                text,
                ha="center",
                va="center_baseline",
                color=ink,
                size=5.5,
            )
