"""Similarity distribution: cosine of the test entities to their nearest predicted counterparts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from mmea_bench.reports.core.document import (
    Block,
    Cell,
    Document,
    Figure,
    Missing,
    Row,
    Table,
    format_number,
)
from mmea_bench.reports.core.drawing import Canvas
from mmea_bench.reports.core.figures.heat_map import draw_cells
from mmea_bench.reports.core.figures.short_names import short_names
from mmea_bench.reports.core.figures.style import COLUMN_WIDTH_IN, put_title, text_width
from mmea_bench.reports.core.names import FULL, Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    SIMULATED,
    STOPPED_ON_TEST,
    mark_notes,
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.lacking import cannot_be_made, lacking_notes
from mmea_bench.reports.core.rows.select import current_cells, dataset_labels, percent
from mmea_bench.reports.core.words import ordered_modalities
from mmea_bench.results.core.table import Tables

NAME = "similarity_distribution"
METRIC = "cosine@"
JOINT = "joint"
_ROW_IN = 0.17
_COLUMN_IN = 0.2
_RIGHT_IN = 0.06
_AROUND_IN = 0.8  # title above, ranks below

_PLACE = ["protocol", "dataset_label", "seed_ratio", "method"]

VectorSet = tuple[str, str]
"""Modality (or ``joint``) and variant."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One heat map per method, dataset and seed ratio (Figure 3 of MCLEA, COLING 2022)."""
    numbers = shown_numbers(tables, options)
    numbers = numbers[numbers["metric"].str.startswith(METRIC)]
    if numbers.empty:
        return cannot_be_made("No method exposed its vectors per modality.", tables, options)
    labels = dataset_labels(numbers, options.names)
    pairs = zip(numbers["dataset"], numbers["dataset_version"], strict=True)
    numbers = numbers.assign(
        rank=numbers["metric"].str.removeprefix(METRIC).astype(int),
        dataset_label=[labels.get(pair, pair[0]) for pair in pairs],
    )
    means = numbers.groupby([*_PLACE, "modality", "variant", "rank"])["value"].mean()
    limits = (float(means.min()), float(means.max()))
    blocks: list[Block] = []
    for (protocol, dataset, ratio, method), own in numbers.groupby(_PLACE, sort=True):
        place = f"{dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol"
        title = f"{options.names.method(str(method))}: {place}"
        variants = sorted(set(own["variant"]))
        full = {
            name: "" if name == FULL else _variant_name((str(method), name), options.names)
            for name in variants
        }
        blocks += [_figure(own, title, limits, options.names), _table(own, title, full)]
    notes = (
        "Mean cosine of the test entities of the source KG to the first ten candidates; every set "
        "of vectors ranks the candidates by itself. A method tells entities apart where the first "
        "is near and the others are far. Mean ± sample standard deviation over repeats; figures "
        "show means, all by one scale.",
        *mark_notes(numbers),
        *lacking_notes(tables, options, numbers["key"], "vectors by modality"),
        *current_cells(tables).replaced_notes,
    )
    return Document(NAME, "Similarity distribution", tuple(blocks), notes)


def _variant_name(variant: tuple[str, str], names: Names) -> str:
    """What stands behind the name of the method."""
    return names.of(*variant).removeprefix(names.method(variant[0])).strip()


def _figure(own: pd.DataFrame, title: str, limits: tuple[float, float], names: Names) -> Figure:
    """The numbers of a method with names that fit."""
    short = short_names(zip(own["method"], own["variant"], strict=True), names)
    words = {
        variant: ""
        if short.looks[method, variant][1] == FULL
        else text.removeprefix(names.method(method)).strip()
        for (method, variant), text in short.texts.items()
    }
    table = _table(own, title, words)
    width = max(COLUMN_WIDTH_IN, _left_in(table) + _COLUMN_IN * len(table.columns) + _RIGHT_IN)
    height = _AROUND_IN + _ROW_IN * len(table.rows)
    draw = partial(_draw, table=table, limits=limits)
    return Figure(slug_of(title), title, draw, width, height, short.notes)


def _table(own: pd.DataFrame, title: str, words: Mapping[str, str]) -> Table:
    """Cosine by set of vectors and rank.

    Args:
        own: Numbers of one method in one place.
        title: Caption.
        words: Variant to what stands behind the modality, empty for nothing.
    """
    ranks = sorted(set(own["rank"]))
    groups = {
        (str(modality), str(variant)): rows
        for (modality, variant), rows in own.groupby(["modality", "variant"])
    }
    rows = []
    for vectors in _in_order(list(groups)):
        found = groups[vectors]
        by_rank = {
            int(str(rank)): repeat_cell(_repeats(cos)) for rank, cos in found.groupby("rank")
        }
        marks = (SIMULATED,) * bool(found["simulated"].any())
        marks += (STOPPED_ON_TEST,) * bool(found["on_test"].any())
        cells = tuple(by_rank.get(rank, Cell()) for rank in ranks)
        label = ", ".join(filter(None, (vectors[0], words[vectors[1]])))
        rows.append(Row((label,), cells, marks))
    columns = tuple(("cosine to counterpart", str(rank)) for rank in ranks)
    return Table(title, ("vectors",), ("what", "rank"), columns, tuple(rows))


def _repeats(rows: pd.DataFrame) -> pd.Series[float]:
    return rows.groupby("repeat")["value"].mean()


def _in_order(found: list[VectorSet]) -> list[VectorSet]:
    """Modalities in printing order, the joint vectors last; the full method before variants."""
    modalities = ordered_modalities({modality for modality, _ in found} - {JOINT})
    place = {name: position for position, name in enumerate([*modalities, JOINT])}
    return sorted(found, key=lambda vectors: (place[vectors[0]], vectors[1] != FULL, vectors[1]))


def _row_names(table: Table) -> list[str]:
    return ["".join((*row.labels, *row.marks)) for row in table.rows]


def _left_in(table: Table) -> float:
    return 0.12 + max(text_width(name) for name in _row_names(table))


def _draw(canvas: Canvas, table: Table, limits: tuple[float, float]) -> None:
    axes = canvas.subplots()
    width, height = canvas.get_size_inches()
    canvas.subplots_adjust(
        left=_left_in(table) / width,
        right=1.0 - _RIGHT_IN / width,
        top=put_title(canvas, table.title),
        bottom=0.38 / height,
    )
    values = np.array(
        [[np.nan if cell.mean is None else cell.mean for cell in row.cells] for row in table.rows]
    )
    names = _row_names(table), [words[-1] for words in table.columns]
    printed = partial(format_number, style="fraction", digits=2)
    draw_cells(axes, values, names, printed, limits=limits, size=5.0)
    axes.set_xlabel("Rank of the predicted counterpart", labelpad=2)
