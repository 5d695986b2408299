"""Documents to files, in every format that they have something for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmea_bench.reports.core.document import Document, Figure
from mmea_bench.reports.formats.latex import render_latex
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.pictures import FIGURE_FORMATS, draw_figure
from mmea_bench.reports.formats.tidy_csv import render_csv
from mmea_bench.results.core.disk.files import write_atomic


def write_document(
    document: Document, folder: Path, formats: Sequence[str], paper: Document | None = None
) -> list[Path]:
    """Writes a document in every format that it has something for.

    Args:
        document: What to write.
        folder: Where to; made if needed.
        formats: Of ``csv``, ``md``, ``tex``, ``pdf``, ``png``.
        paper: The same with names for LaTeX; None where they are the same.

    Returns:
        The files written.
    """
    pictures = {
        figure.name: f"{_stem(document, figure)}.png"
        for figure in document.figures
        if "png" in formats
    }
    texts: dict[str, Callable[[], str | None]] = {
        "csv": lambda: render_csv(document),
        "md": lambda: render_markdown(document, pictures),
        "tex": lambda: render_latex(paper or document),
    }
    files = []
    for suffix in formats:
        content = texts[suffix]() if suffix in texts else None
        if content is not None:
            files.append(folder / f"{document.name}.{suffix}")
            write_atomic(files[-1], content.encode("utf-8"))
    for figure in document.figures:
        for suffix in (suffix for suffix in FIGURE_FORMATS if suffix in formats):
            files.append(folder / f"{_stem(document, figure)}.{suffix}")
            write_atomic(files[-1], draw_figure(figure, suffix))
    return files


def _stem(document: Document, figure: Figure) -> str:
    single = len(document.figures) == 1
    return document.name if single else f"{document.name}_{figure.name}"
