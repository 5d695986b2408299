"""Published tables filled with measured numbers, with the printed ones beside them on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmea_bench.reports.core.certain import explained, marked_certain
from mmea_bench.reports.core.document import Cell, Row, Table
from mmea_bench.reports.core.names import FULL
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.papers.layouts import Layout, RowName
from mmea_bench.reports.core.papers.measured_names import (
    Found,
    MeasuredNumbers,
    Wanted,
)
from mmea_bench.reports.core.papers.places import (
    Column,
    Line,
    columns_of,
    level_names,
    lines_of,
    wanted_ratio,
)
from mmea_bench.reports.core.papers.tables import (
    REPRODUCED,
    Footnotes,
    label_names,
    labels_of,
    published_cells,
    rank_columns,
    ranking_groups,
    with_group_rules,
)
from mmea_bench.reports.core.rows.comparison import STOPPED_ON_TEST, STOPPED_ON_TEST_NOTE
from mmea_bench.reports.core.rows.remarks import partial_copies, simulated_features, stopped_on_test
from mmea_bench.reports.core.rows.rivals import contest
from mmea_bench.reports.core.statistics.ranking import (
    SIGNIFICANT,
    clear_winner,
    significance_note,
    with_winner,
)
from mmea_bench.reports.core.statistics.statistics import Values
from mmea_bench.results.core.published import Published

SIMULATED = "†"
_MEASURED = "measured"
_PUBLISHED = "published"
_NONE: Values = np.array([], dtype=float)


@dataclass(frozen=True, eq=False)
class _Side:
    """The measured numbers of one published table.

    Attributes:
        layout: The table.
        lines: Its rows.
        columns: Its columns.
        found: Measured number by line and column, None where there is none.
        measured: Where they come from.
    """

    layout: Layout
    lines: Sequence[Line]
    columns: Sequence[Column]
    found: Sequence[Sequence[Found | None]]
    measured: MeasuredNumbers

    def keys(self, line: int) -> set[str]:
        """Cells behind a row."""
        return {key for found in self.found[line] if found is not None for key in found.keys}

    def is_measured(self, line: int) -> bool:
        """Whether anything of a row was measured."""
        return any(found is not None for found in self.found[line])

    def remarks(self, line: int) -> list[str]:
        """How a row was measured, where that is not what its name says."""
        own = [found for found in self.found[line] if found is not None]
        changed = sorted({found.variant.partition("[")[2].removesuffix("]") for found in own})
        others = sorted({found.dataset for found in own} - set(self.layout.datasets))
        return [
            *(f"measured with {words}." for words in changed if words),
            *(f"measured on {name}, which stands in for unreleased data." for name in others),
        ]

    def is_on_test(self, line: int) -> bool:
        """Whether a row is kept out of the ranking for its choice of the checkpoint."""
        return self.is_measured(line) and stopped_on_test(self.measured.cells, self.keys(line))

    def simulated(self, line: int) -> set[str]:
        """Made-up inputs of a row."""
        if not self.is_measured(line):
            return set()
        return simulated_features(self.measured.cells, self.keys(line))


def measured_table(
    layout: Layout, published: Published, measured: MeasuredNumbers, options: ReportOptions
) -> Table | None:
    """A published table with measured numbers; None where none of its rows was measured.

    Args:
        layout: The table.
        published: The printed numbers and what is known of them.
        measured: What was measured.
        options: With ``published`` the printed numbers stand beside, and all rows remain.
    """
    lines = lines_of(layout, published.results, published.scoring)
    columns = columns_of(layout)
    found = [[_find(line, column, measured) for column in columns] for line in lines]
    side = _Side(layout, lines, columns, found, measured)
    shown = [place for place in range(len(lines)) if options.published or side.is_measured(place)]
    if not any(side.is_measured(place) for place in shown):
        return None
    footnotes = Footnotes()
    marks = [
        _row_marks(side, place, footnotes, with_published=options.published)
        for place in range(len(lines))
    ]
    own = _measured_cells(side, options)
    is_used = [any(cells[place].mean is not None for cells in own) for place in range(len(columns))]
    levels = level_names(layout)
    if options.published:
        printed = published_cells(layout, lines, footnotes)
        grid = [_beside(*pair, is_used) for pair in zip(own, printed, strict=True)]
        header = list(_headers_beside(columns, is_used))
        levels = (*levels, "numbers")
    else:
        grid = [[cell for cell, used in zip(cells, is_used, strict=True) if used] for cells in own]
        header = [column.words for column, used in zip(columns, is_used, strict=True) if used]
    table = Table(
        f"{layout.title}; measured: {measured.heading}",
        (*label_names(layout), "repeats"),
        levels,
        tuple(header),
        tuple(
            Row((*labels_of(layout, lines[place]), _repeats(own[place])), tuple(grid[place]), mark)
            for place, mark in enumerate(marks)
            if place in shown
        ),
        (*_notes(side, own, options), *footnotes.notes),
        is_grouped=bool(layout.group_name),
    )
    return with_group_rules(explained(table), [lines[place].group for place in shown])


def _beside(own: Sequence[Cell], printed: Sequence[Cell], is_used: Sequence[bool]) -> list[Cell]:
    """Measured and printed cells in turn; columns without any measured number are left out."""
    return [
        cell
        for mine, theirs, used in zip(own, printed, is_used, strict=True)
        for cell in ((mine, theirs) if used else (theirs,))
    ]


def _headers_beside(
    columns: Sequence[Column], is_used: Sequence[bool]
) -> Iterator[tuple[str, ...]]:
    for column, used in zip(columns, is_used, strict=True):
        if used:
            yield (*column.words, _MEASURED)
        yield (*column.words, _PUBLISHED)


def _row_marks(
    side: _Side, place: int, footnotes: Footnotes, *, with_published: bool
) -> tuple[str, ...]:
    is_reproduced = with_published and side.lines[place].is_reproduced
    return (
        *(REPRODUCED,) * is_reproduced,
        *(SIMULATED,) * bool(side.simulated(place)),
        *(STOPPED_ON_TEST,) * side.is_on_test(place),
        *(footnotes.mark(sentence) for sentence in side.remarks(place)),
    )


def _repeats(cells: Sequence[Cell]) -> str:
    counts = sorted({cell.n for cell in cells if cell.mean is not None})
    return "–".join(str(n) for n in dict.fromkeys(counts[:1] + counts[-1:]))


def _notes(side: _Side, own: Sequence[Sequence[Cell]], options: ReportOptions) -> Iterator[str]:
    places = range(len(side.lines))
    yield (
        f"Measured numbers are scored with {side.measured.rules}. Best in bold, second of three or "
        "more underlined, ranked as in the paper"
        + (", measured and published numbers each by themselves." if options.published else ".")
    )
    if options.published and any(line.is_reproduced for line in side.lines):
        yield f"{REPRODUCED} the authors of the table reproduced the published numbers."
    if any(SIGNIFICANT in cell.marks for cells in own for cell in cells):
        yield significance_note(options.correction)
    yield from partial_copies(side.measured.cells)
    for name in sorted(set(side.layout.datasets) & set(side.measured.other_versions)):
        yield f"{name} was also used in another version, whose numbers are left out here."
    if kinds := sorted({kind for place in places for kind in side.simulated(place)}):
        yield f"{SIMULATED} with simulated {' and '.join(kinds)} features, not measured ones."
    if any(side.is_on_test(place) for place in places):
        yield f"{STOPPED_ON_TEST_NOTE} Not ranked."


def _find(line: Line, column: Column, measured: MeasuredNumbers) -> Found | None:
    ratio = wanted_ratio(line, column)
    if ratio is None:
        return None
    return measured.find(Wanted(line.row, line.words, column.dataset, ratio, column.metric))


def _measured_cells(side: _Side, options: ReportOptions) -> list[list[Cell]]:
    """The measured cells, ranked, with the mark of a clear winner; one list per line."""
    grid = [[_measured_cell(side.layout, found) for found in row] for row in side.found]
    on_test = [side.is_on_test(place) for place in range(len(side.lines))]
    is_ranked = [
        [found is not None and not unranked for found in row]
        for unranked, row in zip(on_test, side.found, strict=True)
    ]
    made = rank_columns(side.layout, side.lines, grid, is_ranked)
    for places in ranking_groups(side.layout, side.lines):
        for column in range(len(side.columns)):
            values = [
                _values(side.found[place][column] if is_ranked[place][column] else None)
                for place in places
            ]
            rows = [_variant(side.lines[place].row) for place in places]
            winner = clear_winner(contest(rows, values), options.correction)
            marked = with_winner([made[place][column] for place in places], winner)
            for place, cell in zip(places, marked, strict=True):
                found = side.found[place][column]
                is_certain = found is not None and found.is_certain
                made[place][column] = marked_certain(cell) if is_certain else cell
    return made


def _variant(row: RowName) -> tuple[str, str]:
    """A printed row as method and variant; the same method with another inference is one too."""
    method, variant = row
    return method, FULL if variant in ("", "-md") else variant


def _values(found: Found | None) -> Values:
    return _NONE if found is None else found.values.to_numpy(dtype=float)


def _measured_cell(layout: Layout, found: Found | None) -> Cell:
    if found is None:
        return Cell(style=layout.style)
    values = found.values
    return Cell(
        float(values.mean()),
        float(values.std(ddof=1)) if len(values) >= 2 else None,
        len(values),
        style=layout.style,
        digits=layout.digits,
    )
