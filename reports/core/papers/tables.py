"""Published tables as the papers print them, with or without measured numbers beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import pandas as pd

from mmea_bench.reports.core.document import Cell, Row, Table
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.places import Line, Record, columns_of, level_names, lines_of
from mmea_bench.reports.core.statistics.ranking import ranked

REPRODUCED = "*"
REPRODUCED_NOTE = f"{REPRODUCED} reproduced by the authors of the table."
_LETTERS = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_PRINTED_AS = "printed as "


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
