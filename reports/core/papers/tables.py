"""Published tables as the papers print them, with or without measured numbers beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import pandas as pd

from mmea_bench.reports.core.document import Cell, Row, Table
from mmea_bench.reports.core.papers.layouts import Layout, RowName
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.reports.core.statistics.ranking import ranked

REPRODUCED = "*"
REPRODUCED_NOTE = f"{REPRODUCED} reproduced by the authors of the table."
_LETTERS = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_SAME = 1e-9
_PRINTED_AS = "printed as "

Record = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One row of a published table.

    Attributes:
        group: Number of its row group.
        label: Name of that group.
        row: Method and variant.
        records: Published number by column, None where the paper has a dash.
        seed_ratio: Ratio of the row, None where the columns say it.
        words: Setting words that the paper states about it.
    """

    group: int
    label: str
    row: RowName
    records: tuple[Record | None, ...]
    seed_ratio: float | None
    words: frozenset[str]

    @property
    def name(self) -> str:
        """What stands in the table."""
        method, variant = self.row
        return f"{method}{variant}" if variant in ("", "-md") else variant

    @property
    def is_reproduced(self) -> bool:
        """Whether the authors of the table ran the method themselves."""
        notes = [str(record["note"]) for record in self.records if record is not None]
        return bool(notes) and all(note.startswith("reproduced") for note in notes)


@dataclass(frozen=True)
class Column:
    """One column of a published table.

    Attributes:
        dataset: Canonical dataset.
        seed_ratio: None where the table or the row says it.
        metric: Metric.
        dataset_name: Header word of the dataset.
        metric_name: Header word of the metric.
    """

    dataset: str
    seed_ratio: float | None
    metric: str
    dataset_name: str
    metric_name: str

    @property
    def words(self) -> tuple[str, ...]:
        """Header words, outermost first."""
        ratio = () if self.seed_ratio is None else (percent(self.seed_ratio),)
        return (self.dataset_name, *ratio, self.metric_name)


@dataclass
class Footnotes:
    """Sentences below a table, each with its letter; grows while the table is made."""

    letters: dict[str, str] = field(default_factory=dict)

    def mark(self, sentence: str) -> str:
        """The letter of a sentence; equal sentences share one."""
        return self.letters.setdefault(sentence, _letter(len(self.letters)))

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences with their letters in front."""
        return tuple(f"{letter} {sentence}" for sentence, letter in self.letters.items())


def _letter(number: int) -> str:
    rounds, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] * (rounds + 1)


def columns_of(layout: Layout) -> tuple[Column, ...]:
    """The columns of a table from its first to its last."""
    ratios: Sequence[float | None] = layout.seed_ratios or (None,)
    return tuple(
        Column(dataset, ratio, metric, dataset_name, metric_name)
        for dataset, dataset_name in layout.datasets.items()
        for ratio in ratios
        for metric, metric_name in layout.metrics.items()
    )


def level_names(layout: Layout) -> tuple[str, ...]:
    """What each header level says."""
    return ("dataset", *(("seed ratio",) if layout.seed_ratios else ()), "metric")


def lines_of(layout: Layout, results: pd.DataFrame) -> tuple[Line, ...]:
    """The rows of a table with their published numbers.

    Args:
        layout: The table.
        results: ``Published.results``.
    """
    own = results[(results["source"] == layout.source) & (results["table"] == layout.table)]
    by_name: dict[RowName, list[Record]] = {}
    for record in own.to_dict("records"):
        named = {str(key): value for key, value in record.items()}
        by_name.setdefault((named["method"], named["variant"]), []).append(named)
    columns = columns_of(layout)
    lines = []
    for number, group in enumerate(layout.groups):
        for row in group.rows:
            records = [
                record
                for record in by_name.get(row, [])
                if not group.setting or group.setting in str(record["setting"]).split(";")
            ]
            found = tuple(_at(column, records, group.seed_ratio) for column in columns)
            words = [set(str(record["setting"]).split(";")) for record in found if record]
            lines.append(
                Line(
                    number,
                    group.label,
                    row,
                    found,
                    group.seed_ratio,
                    frozenset(set.union(*words) - {""} if words else ()),
                )
            )
    return tuple(lines)


def _at(column: Column, records: Sequence[Record], row_ratio: float | None) -> Record | None:
    ratio = row_ratio if column.seed_ratio is None else column.seed_ratio
    for record in records:
        is_there = record["dataset"] == column.dataset and record["metric"] == column.metric
        if is_there and (ratio is None or abs(record["seed_ratio"] - ratio) <= _SAME):
            return record
    return None


def published_cells(
    layout: Layout, lines: Sequence[Line], footnotes: Footnotes
) -> list[list[Cell]]:
    """The published numbers, ranked; one list per line."""
    grid = [
        [_published_cell(layout, record, footnotes) for record in line.records] for line in lines
    ]
    is_ranked = [
        [record is not None and record["trust"] != "avoid" for record in line.records]
        for line in lines
    ]
    return rank_columns(layout, lines, grid, is_ranked)


def rank_columns(
    layout: Layout,
    lines: Sequence[Line],
    grid: list[list[Cell]],
    is_ranked: Sequence[Sequence[bool]],
) -> list[list[Cell]]:
    """The same cells with the best and second best of each column marked, as the paper ranks."""
    made = [list(cells) for cells in grid]
    for places in ranking_groups(layout, lines):
        for column in range(len(grid[0])):
            chosen = [place for place in places if is_ranked[place][column]]
            marked = ranked([grid[place][column] for place in chosen])
            for place, cell in zip(chosen, marked, strict=True):
                made[place][column] = cell
    return made


def ranking_groups(layout: Layout, lines: Sequence[Line]) -> list[list[int]]:
    """Numbers of the lines that compete with each other."""
    places = list(range(len(lines)))
    if not layout.ranks_groups_apart:
        return [places]
    return [list(same) for _, same in groupby(places, key=lambda place: lines[place].group)]


def _published_cell(layout: Layout, record: Record | None, footnotes: Footnotes) -> Cell:
    if record is None:
        return Cell(style=layout.style)
    why = str(record["why"])
    is_avoided = record["trust"] == "avoid"
    if is_avoided:
        why = f"not ranked: {why[:1].lower()}{why[1:]}"
    is_corrected = float(record["use_value"]) != float(record["value"])
    return Cell(
        float(record["value"]),
        n=1,
        style=layout.style,
        digits=len(str(record["printed"]).partition(".")[2]),
        marks=(footnotes.mark(why),) if is_avoided or is_corrected else (),
    )


def published_table(layout: Layout, results: pd.DataFrame) -> Table:
    """A table from the published numbers alone."""
    lines = lines_of(layout, results)
    footnotes = Footnotes()
    cells = published_cells(layout, lines, footnotes)
    is_reproduced = [line.is_reproduced for line in lines]
    scope = "column and group" if layout.ranks_groups_apart else "column"
    notes = [f"Best number of each {scope} in bold, second best underlined."]
    notes += [REPRODUCED_NOTE] if any(is_reproduced) else []
    if names := list(dict.fromkeys(printed_names(lines))):
        notes.append(f"The paper itself prints {', '.join(names)}.")
    table = Table(
        layout.title,
        label_names(layout),
        level_names(layout),
        tuple(column.words for column in columns_of(layout)),
        tuple(
            Row(labels_of(layout, line), tuple(own), (REPRODUCED,) * star)
            for line, own, star in zip(lines, cells, is_reproduced, strict=True)
        ),
        (*notes, *footnotes.notes),
        is_grouped=bool(layout.group_name),
    )
    return with_group_rules(table, [line.group for line in lines])


def label_names(layout: Layout) -> tuple[str, ...]:
    """Headers of the label columns."""
    return (*filter(None, (layout.group_name,)), layout.row_name)


def labels_of(layout: Layout, line: Line) -> tuple[str, ...]:
    """Texts of the label columns."""
    return (line.label, line.name) if layout.group_name else (line.name,)


def with_group_rules(table: Table, groups: Sequence[int]) -> Table:
    """The table with a line above every group of rows but the first."""
    rows = [
        replace(row, has_rule_above=place > 0 and groups[place] != groups[place - 1])
        for place, row in enumerate(table.rows)
    ]
    return replace(table, rows=tuple(rows))


def wanted_ratio(layout: Layout, line: Line, column: Column) -> float | None:
    """Seed ratio of a place; None where nothing says it."""
    if column.seed_ratio is not None:
        return column.seed_ratio
    if line.seed_ratio is not None:
        return line.seed_ratio
    printed = {float(record["seed_ratio"]) for record in line.records if record is not None}
    stated = {ratio for ratio in printed if not math.isnan(ratio)}
    return stated.pop() if len(stated) == 1 else layout.measured_ratio


def printed_names(lines: Sequence[Line]) -> Iterator[str]:
    """What the paper calls rows whose names differ here, such as ``“POE” for PoE``."""
    for line in lines:
        for note in {str(record["note"]) for record in line.records if record is not None}:
            for part in note.split("; "):
                if part.startswith(_PRINTED_AS):
                    name = part.removeprefix(_PRINTED_AS).partition(" (")[0].strip('"')
                    yield f"“{name}” for {line.name}"


def repeated_runs_table(layout: Layout, runs: pd.DataFrame) -> Table:
    """Repeated runs as a paper prints them: a column per run.

    Args:
        layout: Title, metrics and number style; its rows are those of ``runs``.
        runs: Rows of ``Published.significance`` of one table.
    """
    numbers = sorted(set(runs["run"]))
    metrics = [metric for metric in layout.metrics if metric in set(runs["metric"])]
    values = runs.set_index(["method", "metric", "run"])["value"]
    rows = [
        Row(
            (str(method),),
            tuple(
                Cell(float(values[method, metric, run]), n=1, style=layout.style)
                for metric in metrics
                for run in numbers
            ),
        )
        for method in dict.fromkeys(runs["method"])
    ]
    columns = tuple((layout.metrics[metric], str(run)) for metric in metrics for run in numbers)
    return Table(layout.title, label_names(layout), ("metric", "run"), columns, tuple(rows))
