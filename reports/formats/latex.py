"""Documents as LaTeX tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mmea_bench.reports.core.document import Document, Row, Table
from mmea_bench.reports.formats import escape
from mmea_bench.reports.formats.latex_cells import latex_column
from mmea_bench.reports.formats.templates import environment

_COLUMN_PT = 235.0
"""A table of at most this width stands in one column of a two-column paper."""

_PAGE_PT = 455.0
_LETTER_PT = 4.6  # mean width at \small; a phantom or a mark counts as a letter
_SEPARATOR_PT = 8.0
_SMALLEST_SCALE = 0.66
"""A table that had to shrink further is split into narrower ones instead."""

_MAX_LINES = 42
_REASON_LETTERS = 26
"""Letters in a line of the last column of a table of words."""

_LONG_WORD = 16
_PIECE = re.compile(r"[^\W_]{1,12}[\W_]?|[\W_]")


@dataclass(frozen=True)
class _Part:
    """A table that fits a page.

    Attributes:
        table: Its numbers.
        is_continued: Whether it goes on with the rows or columns of the table above.
    """

    table: Table
    is_continued: bool

    @property
    def environment(self) -> str:
        """The float: over one column of the paper, or over all."""
        return "table" if _width(self.table) <= _COLUMN_PT else "table*"


def render_latex(document: Document) -> str | None:
    r"""The tables for ``\input`` in a paper that loads booktabs and graphicx; None without tables.

    A table that is too wide for the page is shrunk by LaTeX itself, one that would become
    unreadable is split by columns, and a long one by rows.
    """
    if not document.tables:
        return None
    filters: dict[str, Callable[..., Any]] = {
        "latex_rows": _latex_rows,
        "header_rows": _header_rows,
        "parts": lambda table: list(_parts(table)),
        "breakable": _breakable,
    }
    template = environment(escape.latex, filters).get_template("document.tex.j2")
    return template.render(document=document)


def _parts(table: Table) -> Iterator[_Part]:
    plain = table.without_title_level()
    number = 0
    for narrow in _narrow(plain):
        for rows in _row_chunks(narrow):
            yield _Part(replace(narrow, rows=rows), is_continued=number > 0)
            number += 1


def _narrow(table: Table) -> list[Table]:
    """The table, or narrower ones by the words of its outer header levels."""
    if not table.columns or _width(table) <= _PAGE_PT / _SMALLEST_SCALE:
        return [table]
    parts = list(table.split())
    # A part of one column says too little; rather small print than that.
    if len(parts) == 1 or any(len(part.columns) < 2 for part in parts):
        return [table]
    return [narrow for part in parts for narrow in _narrow(part)]


def _row_chunks(table: Table) -> Iterator[tuple[Row, ...]]:
    """The rows in groups that fit a page."""
    chunk: list[Row] = []
    lines = 0
    for row in table.rows:
        height = 1 if table.columns else -(-len(row.labels[-1]) // _REASON_LETTERS) or 1
        if chunk and lines + height > _MAX_LINES:
            yield tuple(chunk)
            chunk, lines = [], 0
        chunk.append(row)
        lines += height
    if chunk or not table.rows:
        yield tuple(chunk)


def _width(table: Table) -> float:
    """Estimated natural width in points."""
    if not table.columns:
        return _PAGE_PT
    labels = [
        max(len(name), *(len(row.labels[place]) for row in table.rows), 0)
        for place, name in enumerate(table.label_names)
    ]
    cells = [
        max(len(words[-1]), *(len(row.cells[place].plain) for row in table.rows), 0)
        for place, words in enumerate(table.columns)
    ]
    return _LETTER_PT * sum(labels + cells) + _SEPARATOR_PT * len(labels + cells)


def _header_rows(table: Table) -> list[str]:
    """Header lines with the rules below their groups."""
    n_labels = len(table.label_names)
    lines = []
    for level in range(len(table.level_names)):
        is_last = level == len(table.level_names) - 1
        labels = table.label_names if is_last else ("",) * n_labels
        spans = table.header(level)
        words = [
            rf"\multicolumn{{{span}}}{{c}}{{{escape.latex(word)}}}"
            if span > 1
            else escape.latex(word)
            for word, span in spans
        ]
        lines.append(escape.latex_row([*map(escape.latex, labels), *words]) + r" \\")
        if not is_last:
            lines.append(_cmidrules([span for _, span in spans], n_labels + 1))
    return lines


def _cmidrules(spans: list[int], start: int) -> str:
    """Lines below a header level, one under each group, beside the label columns."""
    rules = []
    for n_columns in spans:
        rules.append(rf"\cmidrule(lr){{{start}-{start + n_columns - 1}}}")
        start += n_columns
    return " ".join(rules)


def _latex_rows(table: Table) -> list[str]:
    """Body lines without the rules between them."""
    columns = [
        latex_column([row.cells[place] for row in table.rows])
        for place in range(len(table.columns))
    ]
    # Ragged words redefine the line break.
    end = r" \\" if table.columns else r" \tabularnewline"
    lines = []
    above: Row | None = None
    for number, row in enumerate(table.rows):
        cells = [column[number] for column in columns]
        lines.append(escape.latex_row([*_labels(table, row, above), *cells]) + end)
        above = row
    return lines


def _labels(table: Table, row: Row, above: Row | None) -> list[str]:
    labels = [escape.latex(label) for label in table.marked_labels(row)]
    if not table.columns:
        labels[-1] = rf"\raggedright {_breakable(row.labels[-1])}"
    if table.is_grouped and above is not None and above.labels[0] == row.labels[0]:
        labels[0] = ""
    return labels


def _breakable(text: str) -> str:
    """Text whose long words, such as paths, may be broken at the end of a line."""
    return " ".join(_breakable_word(word) for word in text.split())


def _breakable_word(word: str) -> str:
    if len(word) <= _LONG_WORD:
        return escape.latex(word)
    return r"\allowbreak{}".join(escape.latex(piece) for piece in _PIECE.findall(word))
