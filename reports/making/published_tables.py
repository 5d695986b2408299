"""All tables of the papers from the published numbers alone, without any run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.tables import published_table, repeated_runs_table
from mmea_bench.reports.formats.files import write_document
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.tex_pdf import compile_pdf, find_pdflatex
from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.published import Published, read_published

NAME = "published_tables"
PUBLISHED_FORMATS = ("csv", "md", "tex", "pdf")


@dataclass(frozen=True)
class PublishedFiles:
    """What ``write_published`` made.

    Attributes:
        files: In the order of ``PUBLISHED_FORMATS``.
        problem: Why there is no PDF file although one was asked for; empty for none.
    """

    files: list[Path]
    problem: str = ""


def published_document(published: Published, layouts: Sequence[Layout] | None = None) -> Document:
    """The tables of all papers, in the order of the papers.

    Args:
        published: Their numbers.
        layouts: How they are laid out; None for the files that come with the program.
    """
    layouts = read_layouts() if layouts is None else layouts
    tables = [_table(layout, published) for layout in layouts]
    note = "Numbers as printed, each with its own digits; a dash where the paper has none."
    return Document(NAME, "Published tables", tuple(tables), (note,))


def _table(layout: Layout, published: Published) -> Table:
    if not layout.is_repeated_runs:
        return published_table(layout, published.results)
    runs = published.significance
    is_own = (runs["source"] == layout.source) & (runs["table"] == layout.table)
    return repeated_runs_table(layout, runs[is_own])


def write_published(out: Path, formats: Sequence[str] = PUBLISHED_FORMATS) -> PublishedFiles:
    """Writes the published tables; equal numbers give equal bytes, PDF files included.

    Args:
        out: Folder; made if needed.
        formats: Of ``PUBLISHED_FORMATS``.

    Raises:
        ReportError: If a format does not exist, or LaTeX refuses the tables.
    """
    for suffix in formats:
        if suffix not in PUBLISHED_FORMATS:
            valid = ", ".join(PUBLISHED_FORMATS)
            raise ReportError(f"Published tables have no format '{suffix}'. Valid: {valid}.")
    document = published_document(read_published())
    files = write_document(document, out, [suffix for suffix in formats if suffix != "pdf"])
    if "pdf" not in formats:
        return PublishedFiles(files)
    pdflatex = find_pdflatex()
    if pdflatex is None:
        return PublishedFiles(
            files, "No PDF: pdflatex is not installed (Debian: texlive-latex-base)."
        )
    compiled = compile_pdf(render_latex(document) or "", pdflatex)
    if compiled.pdf is None:
        raise ReportError(f"pdflatex stopped on the published tables: {' '.join(compiled.errors)}")
    path = out / f"{NAME}.pdf"
    write_atomic(path, compiled.pdf)
    return PublishedFiles([*files, path])
