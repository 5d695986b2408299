"""Cost: time, memory and size of every method beside what it reaches."""

from __future__ import annotations

import pandas as pd

from mmea_bench.reports.core.comparison import comparisons, shown_numbers
from mmea_bench.reports.core.document import Cell, Document, Missing, Row, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.select import name_of
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "cost"
_COLUMNS = (
    ("time", "s per epoch"),
    ("time", "training, s"),
    ("time", "scoring, s"),
    ("epochs", "trained"),
    ("epochs", "best"),
    ("peak memory", "MiB"),
    ("peak memory", "GPU, MiB"),
    ("size", "parameters"),
)


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table per dataset, seed ratio and protocol; means over repeats."""
    cells = tables.cells.set_index("key")
    made = []
    for comparison in comparisons(shown_numbers(tables, options), options):
        metric = comparison.metrics[0]
        own = comparison.numbers[comparison.numbers["metric"] == metric]
        rows = tuple(
            _row(str(method), str(variant), group, cells.loc[sorted(set(group["key"]))])
            for (method, variant), group in own.groupby(["method", "variant"], sort=True)
        )
        columns = (*_COLUMNS, ("result", METRIC_NAMES[metric]))
        labels = ("method", "device")
        made.append(Table(comparison.title, labels, ("group", "number"), columns, rows))
    if not made:
        return Missing("No cell ended ok, so there are no costs to compare.")
    notes = (
        "Means over repeats. Training time is without scoring; peak memory is that of the whole "
        "process, data included. Times of cells that ran side by side are longer than alone.",
    )
    return Document(NAME, "Cost", tuple(made), notes)


def _row(method: str, variant: str, numbers: pd.DataFrame, cells: pd.DataFrame) -> Row:
    epochs = cells["epochs"].astype(float)
    fit = cells["fit_s"].astype(float)
    figures = [
        _text((fit / epochs).where(epochs > 0), ".3g"),
        _text(fit, ".4g"),
        _text(cells["eval_s"], ".3g"),
        _text(cells["epochs"], ",.0f"),
        _text(cells["best_epoch"], ",.0f"),
        _text(cells["peak_memory_mib"], ",.0f"),
        _text(cells["peak_gpu_memory_mib"], ",.0f"),
        _text(cells["n_parameters"], ",.0f"),
    ]
    devices = ", ".join(sorted({str(device) for device in cells["device"].dropna()}))
    labels = (name_of(method, variant), devices)
    return Row(labels, (*figures, Cell(float(numbers["value"].mean()), None, len(cells))))


def _text(values: pd.Series[float], form: str) -> Cell:
    known = pd.to_numeric(values, errors="coerce").dropna()
    return Cell(text=format(float(known.mean()), form)) if len(known) else Cell()
