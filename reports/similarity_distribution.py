"""Similarity distribution: cosine of the test entities to their nearest predicted counterparts."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.comparison import shown_numbers, slug_of
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.select import name_of, percent
from mmea_bench.reports.core.style import COLUMN_WIDTH_IN, put_title
from mmea_bench.results.core.table import Tables

NAME = "similarity_distribution"
METRIC = "cosine@"
JOINT = "joint"
_ROW_IN = 0.16
_PLACE = ["protocol", "dataset", "seed_ratio", "method"]


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One heat map per method, dataset and seed ratio (Figure 3 of MCLEA, COLING 2022)."""
    numbers = shown_numbers(tables, options)
    numbers = numbers[numbers["metric"].str.startswith(METRIC)]
    if numbers.empty:
        return Missing("No method exposed its vectors per modality.")
    numbers = numbers.assign(rank=numbers["metric"].str.removeprefix(METRIC).astype(int))
    blocks: list[Block] = []
    for (protocol, dataset, ratio, method), own in numbers.groupby(_PLACE, sort=True):
        title = f"{method}: {dataset}, {percent(float(str(ratio)))} seeds, {protocol} protocol"
        grid = _grid(own, str(method))
        slug = slug_of(title)
        height = 0.75 + _ROW_IN * len(grid)
        blocks.append(
            Figure(slug, title, partial(_draw, grid=grid, title=title), COLUMN_WIDTH_IN, height)
        )
        rows = tuple(
            Row((str(name),), tuple(Cell(float(value)) for value in values))
            for name, values in zip(grid.index, grid.to_numpy(), strict=True)
        )
        columns = tuple(("cosine to counterpart", str(rank)) for rank in grid.columns)
        blocks.append(Table(title, ("vectors",), ("what", "rank"), columns, rows))
    notes = (
        "Mean cosine of the test entities of the source KG to the candidates that the method ranks "
        "first to tenth, by the vectors of each modality; means over repeats.",
    )
    return Document(NAME, "Similarity distribution", tuple(blocks), notes)


def _grid(own: pd.DataFrame, method: str) -> pd.DataFrame:
    """Mean cosine by (vectors, variant) and rank; the joint vectors last, the full method first."""
    grid = own.pivot_table(
        index=["modality", "variant"], columns="rank", values="value", aggfunc="mean"
    )
    order = sorted(grid.index, key=lambda key: (key[0] == JOINT, key[0], key[1] != "full", key[1]))
    grid = grid.loc[order]
    grid.index = pd.Index(
        [
            modality if variant == "full" else f"{modality}, {name_of('', variant).strip()}"
            for modality, variant in grid.index
        ],
        name=method,
    )
    return grid


def _draw(canvas: Canvas, grid: pd.DataFrame, title: str) -> None:
    axes = canvas.subplots()
    height = canvas.get_figheight()
    longest = max(len(str(name)) for name in grid.index)
    left = min(0.6, 0.05 + 0.052 * longest / COLUMN_WIDTH_IN)
    canvas.subplots_adjust(
        left=left, right=0.98, top=put_title(canvas, title), bottom=0.36 / height
    )
    image = axes.imshow(grid.to_numpy(), cmap="cividis", aspect="auto")
    canvas.colorbar(image, ax=axes, label="cosine", fraction=0.06, pad=0.03)
    axes.set_xticks(range(grid.shape[1]), [str(rank) for rank in grid.columns])
    axes.set_yticks(range(grid.shape[0]), list(grid.index))
    axes.set_xlabel("Rank of the predicted counterpart")
