"""Documents as Markdown, and the page that links all files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmea_bench.reports.core.document import Cell, Document, Table
from mmea_bench.reports.formats import escape
from mmea_bench.reports.formats.templates import environment
from mmea_bench.results.core.table import Tables


def render_markdown(document: Document, figure_files: Mapping[str, str] | None = None) -> str:
    """The document as Markdown.

    Args:
        document: What to print.
        figure_files: Name of a figure to the address of its picture; others show their title.
    """
    filters: dict[str, Callable[..., Any]] = {
        "markdown_cell": _markdown_cell,
        "column_words": _column_words,
    }
    template = environment(escape.markdown, filters).get_template("document.md.j2")
    return template.render(document=document, pictures=figure_files or {})


def render_index(
    tables: Tables,
    made: Sequence[tuple[Document, Sequence[Path]]],
    skipped: Sequence[tuple[str, str]],
    pages: Sequence[str] = (),
) -> str:
    """The page that links everything.

    Args:
        tables: Tables behind the reports.
        made: Each document with its files, all beside the index.
        skipped: Name and reason of each report that was not made.
        pages: Web pages beside the index that show all reports at once.
    """
    counts = tables.cells["status"].value_counts().sort_index()
    words = ", ".join(f"{n} {str(status).replace('_', ' ')}" for status, n in counts.items())
    template = environment(escape.markdown).get_template("index.md.j2")
    return template.render(
        sentence=f"{len(tables.cells)} cells: {words}." if words else "No cells yet.",
        problems=tables.problems,
        pages=pages,
        documents=[(document, [path.name for path in paths]) for document, paths in made],
        skipped=skipped,
    )


def _markdown_cell(cell: Cell) -> str:
    number = escape.markdown(cell.mean_text)
    if cell.is_best:
        number = f"**{number}**"
    elif cell.is_second:
        number = f"<u>{number}</u>"
    spread = f" ± {cell.sd_text}" if cell.sd is not None else ""
    return number + spread + "".join(cell.marks)


def _column_words(table: Table) -> list[str]:
    """Header of each column in one line."""
    return [" ".join(column) for column in table.without_title_level().columns]
