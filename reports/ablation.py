"""Ablation: what each variant of a method loses against the full one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
from mmea_bench.reports.core.document import Block, Cell, Document, Figure, Missing, Row, Table
from mmea_bench.reports.core.figures.drop_bars import Panel, bars_size, draw_bars
from mmea_bench.reports.core.figures.style import line_styles
from mmea_bench.reports.core.names import FULL, Names, in_words
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    Comparison,
    bracket,
    comparisons,
    mark_notes,
    metric_style,
    name_marks,
    repeat_cell,
    shown_numbers,
    slug_of,
)
from mmea_bench.reports.core.rows.gaps import cells_of, gap_notes, left_out
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "ablation"

Variant = tuple[str, str]
"""Name of the variant and, for N-MMKG pairs, its inference."""

Study = tuple[str, str, tuple[str, ...], str, str]
"""Conditions, rules, metrics, method and overrides: what the columns of one table share."""


@dataclass(frozen=True, eq=False)
class _Place:
    """One dataset and seed ratio of a study.

    Attributes:
        comparison: The place.
        variants: Rows of each variant that was run there; empty where no cell has a number.
    """

    comparison: Comparison
    variants: Mapping[Variant, pd.DataFrame]

    def rows(self, variant: Variant, metric: str) -> pd.DataFrame:
        """Numbers behind one value of a table."""
        own = self.variants.get(variant, self.comparison.numbers.iloc[:0])
        return own[own["metric"] == metric]

    def values(self, variant: Variant, metric: str) -> pd.Series[float]:
        """Value per repeat; empty for none."""
        own = self.variants.get(variant)
        if own is None or own.empty:
            return pd.Series(dtype=float)
        return self.comparison.values(own, metric)

    def drop(self, reference: Variant, variant: Variant, metric: str) -> pd.Series[float]:
        """Full minus variant, by the repeats that both have."""
        return (self.values(reference, metric) - self.values(variant, metric)).dropna()


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table and one figure per method that was run in full and in a variant."""
    numbers = shown_numbers(tables, options)
    all_cells = current_cells(tables).tables.cells
    studies: dict[Study, list[_Place]] = {}
    for comparison in comparisons(numbers, options):
        found = comparison.numbers
        cells = cells_of(all_cells, comparison)
        for (method, overrides), rows in found.groupby(
            [found["method"], found["variant"].map(bracket)], sort=True
        ):
            of_method = cells[
                (cells["method"] == method) & (cells["variant"].map(bracket) == overrides)
            ]
            variants = _variants(rows, of_method)
            if any(name != FULL for name, _ in variants):
                place = (comparison.conditions, comparison.rules, comparison.metrics)
                key = (*place, str(method), str(overrides))
                studies.setdefault(key, []).append(_Place(comparison, variants))
    blocks: list[Block] = []
    shown = []
    for study, places in studies.items():
        made = list(_blocks(study, places, options.names))
        if made:
            blocks += made
            shown += [rows for place in places for rows in place.variants.values()]
    gaps = gap_notes(tables, options, numbers)
    if not blocks:
        reason = "No method was run both in full and in a variant on the same split."
        return left_out(reason, gaps)
    notes = (
        "Drop: the full method minus the variant, paired by repeat (both share split and seed); "
        "whiskers are 95 % intervals of the mean drop over repeats, none for a single one.",
        *mark_notes(pd.concat(shown)),
        *gaps,
    )
    return Document(NAME, "Ablation", tuple(blocks), notes)


def _variants(rows: pd.DataFrame, cells: pd.DataFrame) -> dict[Variant, pd.DataFrame]:
    """Rows by variant; those that were run without success have none."""
    found = {
        (str(base), str(inference)): own
        for (base, inference), own in rows.groupby(["base", "inference"], sort=True)
    }
    with_numbers = {base for base, _ in found}
    for base in sorted(set(cells["base"]) - with_numbers):
        found[base, ""] = rows.iloc[:0]
    return found


def _order(variant: Variant) -> tuple[bool, bool, str, bool]:
    """The full method first; of several inferences the one with two thresholds."""
    name, inference = variant
    return name != FULL, not inference.startswith("two"), name, inference != ""


def _blocks(study: Study, places: Sequence[_Place], names: Names) -> Iterator[Block]:
    variants = sorted({variant for place in places for variant in place.variants}, key=_order)
    reference = variants[0]
    others = [variant for variant in variants if variant != reference]
    metric = study[2][0]
    has_drop = any(
        len(place.drop(reference, other, metric)) for place in places for other in others
    )
    if reference[0] != FULL or not has_drop:
        return
    conditions, _, metrics, method, overrides = study
    rows = pd.concat([rows for place in places for rows in place.variants.values()])
    name = _printed(names, method, overrides) + name_marks(rows)
    single = places[0].comparison if len(places) == 1 else None
    title = f"{name}: {single.title}" if single else f"{name}: {conditions}"
    labels = {variant: _label(variant, names, method) for variant in variants}
    yield _table(places, labels, metrics, title)
    panels = [
        Panel(
            "" if single else place.comparison.place_lines,
            {labels[other]: place.drop(reference, other, metric).to_numpy() for other in others},
            metric_style(metric),
        )
        for place in places
    ]
    draw = partial(
        draw_bars,
        panels=panels,
        colour=line_styles([(method, FULL)])[method, FULL].colour,
        axis_title=f"Drop in {METRIC_NAMES[metric]}",
        title=title.replace(": ", ", ", 1),
    )
    yield Figure(slug_of(title), title, draw, *bars_size(panels))


def _table(
    places: Sequence[_Place],
    labels: Mapping[Variant, str],
    metrics: Sequence[str],
    title: str,
) -> Table:
    reference = next(iter(labels))
    rows = []
    for variant, label in labels.items():
        cells = []
        for place in places:
            for metric in metrics:
                drop = place.drop(reference, variant, metric)
                style = metric_style(metric)
                own = place.rows(variant, metric)
                value = repeat_cell(place.values(variant, metric), style)
                against = Cell() if variant == reference else repeat_cell(drop, style)
                cells += [with_certain(value, own), with_certain(against, own)]
        rows.append(Row((label, _repeats(cells)), tuple(cells)))
    columns = [
        (place.comparison.place, METRIC_NAMES[metric], what)
        for place in places
        for metric in metrics
        for what in ("value", "drop")
    ]
    levels = ("place", "metric", "what")
    first = 1 if len(places) == 1 else 0  # the title says a single place
    return explained(
        Table(
            title,
            ("variant", "repeats"),
            levels[first:],
            tuple(column[first:] for column in columns),
            tuple(rows),
        )
    )


def _repeats(cells: Sequence[Cell]) -> str:
    counts = sorted({cell.n for cell in cells[::2]})  # of the values, not of the drops
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _printed(names: Names, method: str, overrides: str) -> str:
    """Name of a study: the method, and the settings that all its rows share."""
    if not overrides:
        return names.method(method)
    settings = in_words(f"{FULL}[{overrides}]") if names.in_words else f"[{overrides}]"
    return f"{names.method(method)} {f'({settings})' if names.in_words else settings}"


def _label(variant: Variant, names: Names, method: str) -> str:
    return ", ".join(filter(None, (names.variant(method, variant[0]), variant[1])))
