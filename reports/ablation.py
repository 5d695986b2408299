"""Ablation: what each variant of a method loses against the full one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from mmea_bench.reports.core.comparison import (
    FULL,
    Comparison,
    bracket,
    comparisons,
    repeat_cell,
    shown_numbers,
)
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.statistics import mean_interval
from mmea_bench.reports.core.style import COLUMN_WIDTH_IN, line_styles, put_title
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "ablation"
_BAR_IN = 0.17
_MARGIN_IN = 0.85

Variant = tuple[str, str]
"""Name of the variant and, for N-MMKG pairs, its inference."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table and one figure per method, dataset and seed ratio with at least one variant."""
    blocks: list[Block] = []
    for comparison in comparisons(shown_numbers(tables, options), options):
        brackets = comparison.numbers["variant"].map(bracket)
        for (method, overrides), rows in comparison.numbers.groupby(
            [comparison.numbers["method"], brackets], sort=True
        ):
            blocks += _blocks(comparison, rows, str(method), str(overrides))
    if not blocks:
        return Missing("No method was run both in full and in a variant on the same split.")
    notes = (
        "Drop: the full method minus the variant, paired by repeat (both share split and seed); "
        "whiskers are 95 % intervals of the mean drop over repeats.",
    )
    return Document(NAME, "Ablation", tuple(blocks), notes)


def _blocks(
    comparison: Comparison, rows: pd.DataFrame, method: str, overrides: str
) -> Iterator[Block]:
    variants = _variants(rows)
    reference = next((variant for variant in variants if variant[0] == FULL), None)
    if reference is None or len(variants) < 2:
        return
    name = f"{method} [{overrides}]" if overrides else method
    drops = {
        variant: {
            metric: _drop(comparison, variants[reference], own, metric)
            for metric in comparison.metrics
        }
        for variant, own in variants.items()
        if variant != reference
    }
    yield _table(comparison, variants, drops, name)
    metric = comparison.metrics[0]
    draw = partial(
        _draw,
        drops={_label(variant): found[metric] for variant, found in drops.items()},
        colour=line_styles([(method, FULL)])[method, FULL].colour,
        metric=metric,
        title=f"{name}, {comparison.title}",
    )
    slug = f"{method}-{comparison.slug}"
    height = _MARGIN_IN + _BAR_IN * len(drops)
    yield Figure(slug, f"{name}: {comparison.title}", draw, COLUMN_WIDTH_IN, height)


def _variants(rows: pd.DataFrame) -> dict[Variant, pd.DataFrame]:
    """Rows by variant, the full method first; of several inferences the one with two thresholds."""
    found = {
        (str(base), str(inference)): own
        for (base, inference), own in rows.groupby(["base", "inference"], sort=True)
    }
    order = sorted(found, key=lambda variant: (variant[0] != FULL, variant[0], variant[1] != ""))
    order.sort(key=lambda variant: (variant[0] != FULL, not variant[1].startswith("two")))
    return {variant: found[variant] for variant in order}


def _drop(
    comparison: Comparison, full: pd.DataFrame, own: pd.DataFrame, metric: str
) -> pd.Series[float]:
    return (comparison.values(full, metric) - comparison.values(own, metric)).dropna()


def _table(
    comparison: Comparison,
    variants: dict[Variant, pd.DataFrame],
    drops: dict[Variant, dict[str, pd.Series[float]]],
    name: str,
) -> Table:
    rows = []
    for variant, own in variants.items():
        cells = []
        for metric in comparison.metrics:
            cells.append(repeat_cell(comparison.values(own, metric)))
            cells.append(repeat_cell(drops[variant][metric]) if variant in drops else Cell())
        n_repeats = own["repeat"].nunique()
        rows.append(Row((_label(variant), str(n_repeats)), tuple(cells)))
    columns = tuple(
        (METRIC_NAMES[metric], what) for metric in comparison.metrics for what in ("value", "drop")
    )
    title = f"{name}: {comparison.title}"
    return Table(title, ("variant", "repeats"), ("metric", "what"), columns, tuple(rows))


def _label(variant: Variant) -> str:
    return f"{variant[0]}, {variant[1]}" if variant[1] else variant[0]


def _draw(
    canvas: Canvas, drops: dict[str, pd.Series[float]], colour: str, metric: str, title: str
) -> None:
    axes = canvas.subplots()
    longest = max(len(name) for name in drops)
    canvas.subplots_adjust(
        left=min(0.6, 0.06 + 0.052 * longest / COLUMN_WIDTH_IN),
        right=0.97,
        top=put_title(canvas, title),
        bottom=0.36 / canvas.get_figheight(),
    )
    places = np.arange(len(drops))[::-1]
    means = [float(values.mean()) if len(values) else 0.0 for values in drops.values()]
    axes.barh(places, means, height=0.62, color=colour, alpha=0.85)
    for place, values in zip(places, drops.values(), strict=True):
        interval = mean_interval(values.to_numpy())
        if interval is not None:
            axes.plot(interval, [place, place], color="#222222", linewidth=0.8)
    axes.axvline(0.0, color="#222222", linewidth=0.6)
    axes.set_yticks(places, list(drops))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"Drop in {METRIC_NAMES[metric]}")
    axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.4)
    axes.set_axisbelow(True)
