"""Documents as Markdown, and the page that links all files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mmea_bench.reports.core.document import Cell, Document, Table
from mmea_bench.reports.formats import escape
from mmea_bench.reports.formats.templates import environment
from mmea_bench.results.core.table import Tables

_LEFT_OUT = " left out: "


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
    kept: Mapping[str, str] = MappingProxyType({}),
    *,
    title: str = "",
    remarks: Sequence[str] = (),
) -> str:
    """The page that links everything.

    Args:
        tables: Tables behind the reports.
        made: Each document with its files, all beside the index.
        skipped: Name and reason of each report that was not made.
        pages: Web pages beside the index that show all reports at once.
        kept: Name of a report to the line that an earlier index had for it.
        title: Heading; "Report" if empty.
        remarks: Further sentences on the results.
    """
    counts = tables.cells["status"].value_counts().sort_index()
    words = ", ".join(f"{n} {str(status).replace('_', ' ')}" for status, n in counts.items())
    lines = {
        **{name: f"{line} (kept)" for name, line in kept.items()},
        **{name: _skipped_line(name, reason) for name, reason in skipped},
        **{document.name: _made_line(document, paths) for document, paths in made},
    }
    template = environment(escape.markdown).get_template("index.md.j2")
    return template.render(
        sentence=f"{len(tables.cells)} cells: {words}." if words else "No cells yet.",
        title=title or "Report",
        problems=(*remarks, *tables.problems),
        pages=pages,
        lines=sorted(lines.items(), key=lambda item: (_LEFT_OUT in item[1], item[0])),
        has_kept=bool(kept),
    )


def _made_line(document: Document, paths: Sequence[Path]) -> str:
    links = ", ".join(f"[{escape.markdown(path.name)}]({path.name})" for path in paths)
    return f"- **{escape.markdown(document.title)}**: {links}"


def _skipped_line(name: str, reason: str) -> str:
    return f"- **{escape.markdown(name)}**{_LEFT_OUT}{escape.markdown(reason)}"


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
