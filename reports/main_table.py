"""The main table: every method on every dataset and seed ratio, as papers print it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mmea_bench.reports.core.document import Block, Cell, Document, Missing, Row, Table, Text
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.outcomes import outcome_table
from mmea_bench.reports.core.select import (
    choose_csls,
    current_cells,
    dataset_labels,
    percent,
    with_setting_words,
)
from mmea_bench.reports.core.words import DIRECTION_NAMES, METRIC_NAMES
from mmea_bench.results.core.schema import RANK_METRICS
from mmea_bench.results.core.table import Tables

NAME = "main_table"
SIMULATED = "†"
STOPPED_ON_TEST = "‡"
PAIRS = "pairs"
"""Direction of numbers on predicted pairs, which are shown whatever direction is asked for."""

PARTIAL_COPY = "partial copy"
"""How a cell's note begins when its dataset lacks part of what was published."""

RowId = tuple[str, str, str, str]
"""Section (names or not, iterative or not), method, variant, and how the row was scored: the
similarity where one method was scored with several, and how pairs were predicted."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Mean and deviation over repeats, one table per protocol, scoring rules and dataset."""
    current = current_cells(tables)
    cells, results = current.tables.cells, current.tables.results
    if cells.empty:
        return Missing("No cell has been run yet. Run a suite first.")
    shown = results[
        results["direction"].isin((options.direction, PAIRS))
        & results["metric"].isin(options.metrics)
    ]
    shown = with_setting_words(shown)
    is_ranked = shown["inference"] == ""
    csls = choose_csls(set(shown.loc[is_ranked, "csls"]), options.csls)
    blocks: list[Block] = []
    if is_ranked.any() and csls is None:
        found = ", ".join(str(k) for k in sorted(set(shown.loc[is_ranked, "csls"])))
        return Missing(f"No result was scored with csls={options.csls}. There is csls={found}.")
    if shown.empty:
        blocks.append(Text(_nothing_to_show(cells, options)))
    shown = shown[~is_ranked | (shown["csls"] == csls)]
    for (protocol, rules), group in shown.groupby(["protocol", "rules"], sort=True):
        scored = f"csls={csls}, {DIRECTION_NAMES[options.direction]}"
        if (group["inference"] != "").all():
            scored = DIRECTION_NAMES[PAIRS]
        heading = f"{protocol} protocol, {scored}"
        blocks += [
            _table(_Group(numbers, cells, options, heading, str(rules)), str(dataset))
            for dataset, numbers in group.groupby("dataset", sort=True)
        ]
    outcomes = outcome_table(cells, set(shown["key"]), csls)
    if outcomes is not None:
        blocks.append(outcomes)
    notes = (*_document_notes(shown), *current.notes, *tables.problems)
    return Document(NAME, "Main results", tuple(blocks), notes)


@dataclass(frozen=True, eq=False)
class _Group:
    """Comparable numbers on one dataset."""

    numbers: pd.DataFrame
    cells: pd.DataFrame
    options: ReportOptions
    heading: str
    rules: str

    @property
    def is_pairs(self) -> bool:
        """Whether pairs were predicted, not links ranked."""
        return bool((self.numbers["inference"] != "").all())


def _table(group: _Group, dataset: str) -> Table:
    numbers = group.numbers.assign(row=_row_ids(group.numbers))
    labels = dataset_labels(numbers)
    metrics = [metric for metric in group.options.metrics if metric in set(numbers["metric"])]
    if group.is_pairs:
        # Pairs are predicted; that the best candidate is right (Hits@1) comes after.
        metrics.sort(key=RANK_METRICS.__contains__)
    places = sorted(
        {
            (dataset, version, ratio)
            for dataset, version, ratio in numbers[
                ["dataset", "dataset_version", "seed_ratio"]
            ].itertuples(index=False)
        }
    )
    columns = [(*place, metric) for place in places for metric in metrics]
    summary = _summaries(numbers)
    own_cells = group.cells[group.cells["key"].isin(set(numbers["key"]))]
    on_test = set(own_cells.loc[own_cells["stopped_on"] == "test", "key"])
    unranked = set(numbers.loc[numbers["key"].isin(on_test), "row"])
    sections = {row: (row in unranked, _section_order(row[0])) for row in set(numbers["row"])}
    row_ids = sorted(sections, key=lambda row: (sections[row], _row_order(row)))
    grid = {row: [summary.get((row, *column), Cell()) for column in columns] for row in row_ids}
    for section in {section for section in sections.values() if not section[0]}:
        ranked = [grid[row] for row in row_ids if sections[row] == section]
        for position, column in enumerate(columns):
            _mark_best(ranked, position, is_less_better=column[3] == "mean_rank")
    simulated = _simulated_by_row(numbers, own_cells)
    rows = [
        Row(
            (row[1], _variant_label(row), row[0], _repeats(grid[row])),
            tuple(grid[row]),
            (SIMULATED,) * (row in simulated) + (STOPPED_ON_TEST,) * (row in unranked),
            has_rule_above=above is not None and sections[row] != sections[above],
        )
        for above, row in zip((None, *row_ids), row_ids, strict=False)
    ]
    return Table(
        f"{dataset}: {group.heading}",
        ("method", "variant", "input", "repeats"),
        ("dataset", "seed ratio", "metric"),
        tuple(
            (labels[name, version], percent(ratio), METRIC_NAMES[metric])
            for name, version, ratio, metric in columns
        ),
        tuple(rows),
        tuple(_table_notes(group, labels, simulated, unranked)),
    )


def _row_ids(numbers: pd.DataFrame) -> pd.Series[Any]:
    per_variant = numbers.groupby(["method", "variant"])["similarity"].transform("nunique")
    similarity = numbers["similarity"].where(per_variant > 1, "")
    scoring = [
        ", ".join(filter(None, words))
        for words in zip(similarity, numbers["inference"], strict=True)
    ]
    rows = list(
        zip(numbers["section"], numbers["method"], numbers["variant"], scoring, strict=True)
    )
    return pd.Series(rows, index=numbers.index, dtype=object)


def _section_order(section: str) -> tuple[bool, bool]:
    words = section.split(", ")
    return "names" in words, "iterative" in words


def _row_order(row: RowId) -> tuple[str, bool, str, str]:
    _, method, variant, scoring = row
    return method, variant != "full", variant, scoring


def _variant_label(row: RowId) -> str:
    return f"{row[2]}, {row[3]}" if row[3] else row[2]


def _repeats(cells: Sequence[Cell]) -> str:
    counts = sorted({cell.n for cell in cells if cell.mean is not None})
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _summaries(numbers: pd.DataFrame) -> dict[tuple[object, ...], Cell]:
    by = ["row", "dataset", "dataset_version", "seed_ratio", "metric"]
    found = {}
    for key, values in numbers.groupby(by, sort=True)["value"]:
        n = len(values)
        found[tuple(key)] = Cell(
            float(values.mean()),
            float(values.std(ddof=1)) if n >= 2 else None,
            n,
            style="rank" if key[-1] == "mean_rank" else "fraction",
        )
    return found


def _mark_best(rows: list[list[Cell]], position: int, *, is_less_better: bool) -> None:
    """Marks best and second in place; numbers that print alike share a place."""
    values = {
        float(row[position].mean_text) for row in rows if row[position].mean is not None
    }  # a set, so that equal printed numbers are one value
    n_ranked = sum(row[position].mean is not None for row in rows)
    order = sorted(values, reverse=not is_less_better)
    for row in rows:
        cell = row[position]
        # One row alone is no winner, and of two the second is the last.
        if cell.mean is not None and n_ranked >= 2 and len(order) >= 2:
            place = order.index(float(cell.mean_text))
            row[position] = replace(
                cell, is_best=place == 0, is_second=place == 1 and n_ranked >= 3
            )


def _simulated_by_row(numbers: pd.DataFrame, cells: pd.DataFrame) -> dict[RowId, set[str]]:
    by_key = dict(zip(cells["key"], cells["simulated_features"].fillna(""), strict=True))
    found: dict[RowId, set[str]] = {}
    for row, key in set(zip(numbers["row"], numbers["key"], strict=True)):
        if by_key.get(key):
            found.setdefault(row, set()).update(str(by_key[key]).replace(",", " ").split())
    return found


def _partial_copies(cells: pd.DataFrame) -> set[str]:
    """What the cells' notes say about copies that lack part of the published dataset."""
    notes = {note for text in cells["notes"].dropna() for note in str(text).split("; ")}
    return {f"P{note[1:]}." for note in notes if note.startswith(PARTIAL_COPY)}


def _table_notes(
    group: _Group,
    labels: dict[tuple[str, str], str],
    simulated: dict[RowId, set[str]],
    unranked: set[RowId],
) -> Iterable[str]:
    yield f"Scored with {group.rules}; best in bold, second of three or more underlined."
    if group.is_pairs:
        yield (
            "A pair is predicted where its score reaches a threshold that the validation pairs "
            "chose: one for all pairs, or two, for pairs of equal and of different modality."
        )
    if group.numbers["section"].nunique() > 1:
        yield (
            "Methods that read entity names, or learn from pseudo-labels (iterative), are ranked "
            "among themselves."
        )
    if len(labels) > len({dataset for dataset, _ in labels}):
        yield (
            "The dataset was used in several versions (after the @); numbers on different "
            "versions are not comparable and stand in separate columns."
        )
    own = group.cells[group.cells["key"].isin(set(group.numbers["key"]))]
    yield from sorted(_partial_copies(own))
    if simulated:
        kinds = sorted({kind for kinds in simulated.values() for kind in kinds})
        yield f"{SIMULATED} with simulated {' and '.join(kinds)} features, not measured ones."
    if unranked:
        yield (
            f"{STOPPED_ON_TEST} the checkpoint was chosen on the test links, as in the released "
            "code of the method; not ranked with the others."
        )


def _document_notes(shown: pd.DataFrame) -> Iterable[str]:
    if shown.empty:
        return
    if shown["repeat"].nunique() > 1:
        yield (
            "Mean ± sample standard deviation over repeats; column 'repeats' says how many. "
            "A number without ± comes from one repeat."
        )
    else:
        yield "One repeat each, so no spread can be given."


def _nothing_to_show(cells: pd.DataFrame, options: ReportOptions) -> str:
    n_ok = int((cells["status"] == "ok").sum())
    if not n_ok:
        return f"None of the {len(cells)} cells ended ok, so there are no numbers."
    return (
        f"{n_ok} cells ended ok, but none has {', '.join(options.metrics)} in direction "
        f"{options.direction}."
    )
