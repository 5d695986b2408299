"""What a report is before it has a format: titles, notes, tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Literal

from mmea_bench.reports.core.drawing import Canvas

NumberStyle = Literal["fraction", "decimal", "rank", "effect", "p_value", "percent", "count"]
NOTHING = "–"
"""Printed where there is no number."""

SMALLEST_PLAIN_P = 1e-4
"""Smaller p-values would print as zeros, so they are printed with an exponent."""

_DIGITS: Mapping[str, int] = MappingProxyType({"rank": 1, "effect": 2})


@dataclass(frozen=True)
class Cell:
    """One place of a table.

    Attributes:
        mean: The number, None if there is none.
        sd: Standard deviation over repeats, None for fewer than two.
        n: Repeats behind the number.
        text: Printed where there is no number.
        style: How the number is printed.
        digits: Behind the point; a rank always has one.
        is_best: Best of its column.
        is_second: Second best of its column.
        marks: Signs such as a dagger that a note explains.
    """

    mean: float | None = None
    sd: float | None = None
    n: int = 0
    text: str = NOTHING
    style: NumberStyle = "fraction"
    digits: int = 3
    is_best: bool = False
    is_second: bool = False
    marks: tuple[str, ...] = ()

    @property
    def mean_text(self) -> str:
        """The number alone, or the text."""
        return self.text if self.mean is None else self._text_of(self.mean)

    @property
    def sd_text(self) -> str:
        """The deviation alone, empty if there is none."""
        return "" if self.sd is None else self._text_of(self.sd)

    @property
    def plain(self) -> str:
        """Everything without emphasis."""
        spread = f" ± {self.sd_text}" if self.sd is not None else ""
        return f"{self.mean_text}{spread}{''.join(self.marks)}"

    def _text_of(self, value: float) -> str:
        return format_number(value, self.style, self.digits)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        labels: Texts of the label columns.
        cells: One per column.
        marks: Signs behind the first label.
        has_rule_above: Whether a line separates it from the row above.
    """

    labels: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    marks: tuple[str, ...] = ()
    has_rule_above: bool = False


@dataclass(frozen=True)
class Table:
    """A table with grouped headers.

    Attributes:
        title: Caption.
        label_names: Headers of the label columns.
        level_names: What each header level says, outermost first; for tidy output.
        columns: Header words of each column, one per level.
        rows: Rows in printing order.
        notes: Sentences below the table.
        is_grouped: Whether the first label names a group of rows; paper formats print it once.
    """

    title: str
    label_names: tuple[str, ...]
    level_names: tuple[str, ...] = ()
    columns: tuple[tuple[str, ...], ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    is_grouped: bool = False

    def marked_labels(self, row: Row) -> tuple[str, ...]:
        """Texts of the label columns of a row, with its marks behind the name that is its own."""
        place = 1 if self.is_grouped and len(row.labels) > 1 else 0
        marked = row.labels[place] + "".join(row.marks)
        return (*row.labels[:place], marked, *row.labels[place + 1 :])

    def header(self, level: int) -> list[tuple[str, int]]:
        """Words of a header level with the number of columns that each spans."""
        paths = [column[: level + 1] for column in self.columns]
        return [(path[-1], len(list(same))) for path, same in groupby(paths)]

    def without_title_level(self) -> Table:
        """Without the outermost header level where one word spans all columns.

        For narrow formats; the title says that word. A metric that it does not say stays.
        """
        if len(self.level_names) < 2 or len(self.header(0)) != 1:
            return self
        if self.level_names[0] == "metric" and self.columns[0][0] not in self.title:
            return self
        return replace(
            self,
            level_names=self.level_names[1:],
            columns=tuple(column[1:] for column in self.columns),
        )

    def split(self) -> Iterator[Table]:
        """Narrower tables with all rows, one per word of the outermost level that varies."""
        for level in range(len(self.level_names)):
            spans = self.header(level)
            if len(spans) > 1:
                start = 0
                for _, n_columns in spans:
                    yield self._only(start, start + n_columns)
                    start += n_columns
                return
        yield self

    def _only(self, start: int, stop: int) -> Table:
        rows = tuple(replace(row, cells=row.cells[start:stop]) for row in self.rows)
        return replace(self, columns=self.columns[start:stop], rows=rows)


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: Part of the file name when a document has several figures.
        title: Caption.
        draw: Draws into an empty figure; equal tables give an equal drawing.
        width_in: Width in inches.
        height_in: Height in inches.
        notes: Sentences below the figure.
        stamp: A sentence below what is drawn, inside the picture, which may be taken out of its
            report.
    """

    name: str
    title: str
    draw: Callable[[Canvas], None]
    width_in: float
    height_in: float
    notes: tuple[str, ...] = ()
    stamp: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


Block = Table | Figure | Text


@dataclass(frozen=True)
class Document:
    """A report without a format.

    Attributes:
        name: File name without suffix.
        title: Heading.
        blocks: Content in reading order.
        notes: Sentences that hold for all of it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> list[Table]:
        """The tables in reading order."""
        return [block for block in self.blocks if isinstance(block, Table)]

    @property
    def figures(self) -> list[Figure]:
        """The figures in reading order."""
        return [block for block in self.blocks if isinstance(block, Figure)]


@dataclass(frozen=True)
class Missing:
    """A report that cannot be made from these tables.

    Attributes:
        reason: Sentence for the user.
    """

    reason: str


def format_number(value: float, style: NumberStyle, digits: int = 3) -> str:
    """A number as papers print it.

    Args:
        value: The number.
        style: ``fraction`` has no leading zero, ``decimal`` has one, ``rank`` has one digit,
            ``effect`` two; ``p_value`` has four, or five significant ones where it is smaller;
            ``count`` has none, and commas between thousands.
        digits: Behind the point of a fraction, a decimal or a percentage.
    """
    if style == "p_value":
        return f"{value:.4f}" if value >= SMALLEST_PLAIN_P else f"{value:.4e}"
    if style == "percent":
        return f"{100 * value:.{digits}f} %"
    if style == "count":
        return f"{value:,.0f}"
    text = f"{value:.{_DIGITS.get(style, digits)}f}"
    if not float(text):
        text = text.removeprefix("-")  # what rounds to nothing has no sign
    is_short = style == "fraction" and text.lstrip("-").startswith("0.")
    return text.replace("0.", ".", 1) if is_short else text
