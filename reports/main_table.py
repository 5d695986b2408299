"""The main table: every method on every dataset and seed ratio, as papers print it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmea_bench.reports.core.certain import CERTAIN_NOTE, is_certain, marked_certain
from mmea_bench.reports.core.document import Block, Cell, Document, Missing, Row, Table, Text
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import metric_style
from mmea_bench.reports.core.rows.outcomes import outcome_table
from mmea_bench.reports.core.rows.remarks import early_checkpoints, early_notes, partial_copies
from mmea_bench.reports.core.rows.rivals import contest
from mmea_bench.reports.core.rows.select import (
    PAIRS,
    choose_csls,
    current_cells,
    dataset_labels,
    percent,
    scoring_heading,
    with_sections,
)
from mmea_bench.reports.core.statistics.ranking import (
    SIGNIFICANT,
    clear_winner,
    ranked,
    significance_note,
    with_winner,
)
from mmea_bench.reports.core.statistics.statistics import Values
from mmea_bench.reports.core.words import LESS_IS_BETTER, METRIC_NAMES
from mmea_bench.results.core.schema import PAIR_METRICS, RANK_METRICS
from mmea_bench.results.core.table import Tables

NAME = "main_table"
SIMULATED = "†"
STOPPED_ON_TEST = "‡"
_NONE: Values = np.array([], dtype=float)

RowId = tuple[str, str, str, str]
"""Section (names or not, iterative or not, decoder), method, variant, and how the row was scored:
the similarity where one method was scored with several, and how pairs were predicted."""


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Mean and deviation over repeats, one table per protocol, scoring rules and dataset."""
    current = current_cells(tables)
    cells, results = current.tables.cells, current.tables.in_own_similarity()
    if cells.empty:
        return Missing("No cell has been run yet. Run a suite first.")
    shown = results[
        results["direction"].isin((options.direction, PAIRS))
        & results["metric"].isin(options.metrics)
    ]
    shown = with_sections(shown)
    is_ranked = shown["is_ranked"]
    csls = choose_csls(set(shown.loc[is_ranked, "csls"]), options.csls)
    blocks: list[Block] = []
    if is_ranked.any() and csls is None:
        found = ", ".join(str(k) for k in sorted(set(shown.loc[is_ranked, "csls"])))
        return Missing(f"No result was scored with csls={options.csls}. There is csls={found}.")
    if shown.empty:
        blocks.append(Text(_nothing_to_show(cells, options)))
    shown = shown[~is_ranked | (shown["csls"] == csls)]
    for (protocol, rules), group in shown.groupby(["protocol", "rules"], sort=True):
        heading = f"{protocol} protocol, {scoring_heading(group, csls, options.direction)}"
        blocks += [
            _table(_Group(numbers, cells, options, heading, str(rules)), str(dataset))
            for dataset, numbers in group.groupby("dataset", sort=True)
        ]
    outcomes = outcome_table(current.tables, frozenset(shown["key"]), csls, options.names)
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
    labels = dataset_labels(numbers, group.options.names)
    metrics = [metric for metric in group.options.metrics if metric in set(numbers["metric"])]
    if set(metrics) & set(PAIR_METRICS):
        # Pairs are predicted; that the best candidate is right (Hits@1) comes after.
        metrics.sort(key=RANK_METRICS.__contains__)
    places = numbers[["dataset", "dataset_version", "seed_ratio"]].drop_duplicates()
    by_place = sorted(places.itertuples(index=False, name=None))
    columns = [(*place, metric) for place in by_place for metric in metrics]
    samples = _samples(numbers)
    own_cells = group.cells[group.cells["key"].isin(set(numbers["key"]))]
    on_test = set(own_cells.loc[own_cells["stopped_on"] == "test", "key"])
    unranked = set(numbers.loc[numbers["key"].isin(on_test), "row"])
    certain = {place for place, column in enumerate(columns) if _column_is_certain(numbers, column)}
    sections = {row: (row in unranked, _section_order(row[0])) for row in set(numbers["row"])}
    row_ids = sorted(sections, key=lambda row: (sections[row], _row_order(row)))
    grid = {row: [_cell(samples, row, column) for column in columns] for row in row_ids}
    for section in {section for section in sections.values() if not section[0]}:
        rivals = [row for row in row_ids if sections[row] == section]
        for position, column in enumerate(columns):
            values = [samples.get((row, *column), _NONE) for row in rivals]
            cells = [grid[row][position] for row in rivals]
            marked = _marked(rivals, cells, values, column[3], group.options)
            for row, cell in zip(rivals, marked, strict=True):
                grid[row][position] = cell
    grid = {row: _with_certain(cells, certain) for row, cells in grid.items()}
    simulated = _simulated_by_row(numbers, own_cells)
    rows = [
        Row(
            (*_labels(row, group.options.names), row[0], _repeats(grid[row])),
            tuple(grid[row]),
            (SIMULATED,) * (row in simulated) + (STOPPED_ON_TEST,) * (row in unranked),
            has_rule_above=above is not None and sections[row] != sections[above],
        )
        for above, row in zip((None, *row_ids), row_ids, strict=False)
    ]
    shown = sorted(set(labels.values()))
    return Table(
        f"{shown[0] if len(shown) == 1 else group.options.names.dataset(dataset)}: {group.heading}",
        ("method", "variant", "input", "repeats"),
        ("dataset", "seed ratio", "metric"),
        tuple(
            (labels[name, version], percent(ratio), METRIC_NAMES[metric])
            for name, version, ratio, metric in columns
        ),
        tuple(rows),
        (
            *_table_notes(group, labels, simulated, unranked),
            *((CERTAIN_NOTE,) if certain else ()),
            *_winner_notes(grid.values(), group.options),
        ),
    )


def _with_certain(cells: Sequence[Cell], places: set[int]) -> list[Cell]:
    """The cells with a mark on those that no method can miss; they have no best one."""
    return [
        marked_certain(cell) if place in places and cell.mean is not None else cell
        for place, cell in enumerate(cells)
    ]


def _column_is_certain(numbers: pd.DataFrame, column: tuple[object, ...]) -> bool:
    """Whether a Hits@k was measured among no more than k candidates, the entities of its links."""
    dataset, version, ratio, metric = column
    own = numbers[
        (numbers["dataset"] == dataset)
        & (numbers["dataset_version"] == version)
        & (numbers["seed_ratio"] == ratio)
        & (numbers["metric"] == metric)
    ]
    return is_certain(own)


def _marked(
    rows: Sequence[RowId],
    cells: Sequence[Cell],
    values: Sequence[Values],
    metric: str,
    options: ReportOptions,
) -> list[Cell]:
    """The cells of one column and section with the best and second best marked."""
    is_less_better = metric in LESS_IS_BETTER
    marked = ranked(cells, is_less_better=is_less_better)
    if not options.significance:
        return marked
    pairs = [(row[1], row[2]) for row in rows]
    competing = contest(pairs, values, is_less_better=is_less_better)
    winner = clear_winner(competing, options.correction, is_less_better=is_less_better)
    return with_winner(marked, winner)


def _winner_notes(grid: Iterable[Sequence[Cell]], options: ReportOptions) -> Iterable[str]:
    if any(SIGNIFICANT in cell.marks for cells in grid for cell in cells):
        yield significance_note(options.correction)


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


def _labels(row: RowId, names: Names) -> tuple[str, str]:
    """Method and variant as they are printed."""
    _, method, variant, scoring = row
    return names.method(method), ", ".join(filter(None, (names.variant(method, variant), scoring)))


def _repeats(cells: Sequence[Cell]) -> str:
    counts = sorted({cell.n for cell in cells if cell.mean is not None})
    return "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _samples(numbers: pd.DataFrame) -> dict[tuple[object, ...], Values]:
    """Values over repeats by row, dataset, version, seed ratio and metric."""
    by = ["row", "dataset", "dataset_version", "seed_ratio", "metric"]
    groups = numbers.groupby(by, sort=True)["value"]
    return {tuple(key): values.to_numpy(dtype=float) for key, values in groups}


def _cell(
    samples: Mapping[tuple[object, ...], Values], row: RowId, column: tuple[object, ...]
) -> Cell:
    values = samples.get((row, *column), _NONE)
    if not len(values):
        return Cell()
    return Cell(
        float(values.mean()),
        float(values.std(ddof=1)) if len(values) >= 2 else None,
        len(values),
        style=metric_style(str(column[-1])),
    )


def _simulated_by_row(numbers: pd.DataFrame, cells: pd.DataFrame) -> dict[RowId, set[str]]:
    by_key = dict(zip(cells["key"], cells["simulated_features"].fillna(""), strict=True))
    found: dict[RowId, set[str]] = {}
    for row, key in set(zip(numbers["row"], numbers["key"], strict=True)):
        if by_key.get(key):
            found.setdefault(row, set()).update(str(by_key[key]).replace(",", " ").split())
    return found


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
    yield from partial_copies(own)
    if simulated:
        kinds = sorted({kind for kinds in simulated.values() for kind in kinds})
        yield f"{SIMULATED} with simulated {' and '.join(kinds)} features, not measured ones."
    yield from early_notes(_printed(group))
    if unranked:
        yield (
            f"{STOPPED_ON_TEST} the checkpoint was chosen on the test links, as in the released "
            "code of the method; not ranked with the others."
        )


def _printed(group: _Group) -> pd.DataFrame:
    """The numbers with what ``early_notes`` reads."""
    numbers, names = group.numbers, group.options.names
    pairs = zip(numbers["method"], numbers["variant"], strict=True)
    return numbers.assign(
        is_early=numbers["key"].isin(early_checkpoints(group.cells)),
        printed=[names.of(method, variant) for method, variant in pairs],
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
