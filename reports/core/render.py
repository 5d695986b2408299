"""Documents to CSV, Markdown, LaTeX, PDF and PNG; equal documents give equal bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jinja2

from mmea_bench.reports.core import escape
from mmea_bench.reports.core.document import Cell, Document, Figure, Table
from mmea_bench.reports.core.style import RC_PARAMS
from mmea_bench.results.core.files import write_atomic
from mmea_bench.results.core.table import Tables

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
FIGURE_FORMATS = ("pdf", "png")


def render_csv(document: Document) -> str | None:
    """All tables as one tidy table, one line per number; None without tables.

    Tables of labels alone (such as the cells without a number) give one line per row.
    """
    if not document.tables:
        return None
    labels = list(dict.fromkeys(name for table in document.tables for name in table.label_names))
    levels = list(dict.fromkeys(name for table in document.tables for name in table.level_names))
    own = [name for name in levels if name not in labels]
    numbers = ["mean", "sd", "n", "is_best", "is_second", "marks"]
    buffer = io.StringIO()
    writer = csv.DictWriter(
        buffer, ["table", *labels, *own, *numbers], restval="", lineterminator="\n"
    )
    writer.writeheader()
    for table in document.tables:
        writer.writerows(_csv_rows(table))
    return buffer.getvalue()


def render_markdown(document: Document, figure_files: Mapping[str, str] | None = None) -> str:
    """The document as Markdown.

    Args:
        document: What to print.
        figure_files: Name of a figure to the address of its picture; others show their title.
    """
    template = _environment(escape.markdown).get_template("document.md.j2")
    return template.render(document=document, pictures=figure_files or {})


def render_latex(document: Document) -> str | None:
    r"""The tables for ``\input`` in a paper that loads booktabs; None without tables."""
    if not document.tables:
        return None
    return _environment(escape.latex).get_template("document.tex.j2").render(document=document)


def render_index(
    tables: Tables,
    made: Sequence[tuple[Document, Sequence[Path]]],
    skipped: Sequence[tuple[str, str]],
) -> str:
    """The page that links everything.

    Args:
        tables: Tables behind the reports.
        made: Each document with its files, all beside the index.
        skipped: Name and reason of each report that was not made.
    """
    counts = tables.cells["status"].value_counts().sort_index()
    words = ", ".join(f"{n} {str(status).replace('_', ' ')}" for status, n in counts.items())
    template = _environment(escape.markdown).get_template("index.md.j2")
    return template.render(
        sentence=f"{len(tables.cells)} cells: {words}." if words else "No cells yet.",
        problems=tables.problems,
        documents=[(document, [path.name for path in paths]) for document, paths in made],
        skipped=skipped,
    )


def write_document(document: Document, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Writes a document in every format that it has something for.

    Args:
        document: What to write.
        folder: Where to; made if needed.
        formats: Of ``csv``, ``md``, ``tex``, ``pdf``, ``png``.

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
        "tex": lambda: render_latex(document),
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


def draw_figure(figure: Figure, suffix: str) -> bytes:
    """The bytes of a picture file; they hold no date and no program version."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    metadata: dict[str, str | None] = (
        {"CreationDate": None, "Producer": None, "Creator": None}
        if suffix == "pdf"
        else {"Software": None}
    )
    buffer = io.BytesIO()
    # A figure of its own rather than pyplot: no global state, no window system.
    with mpl.rc_context(dict(RC_PARAMS)):
        canvas = Canvas(figsize=(figure.width_in, figure.height_in))
        figure.draw(canvas)
        canvas.savefig(buffer, format=suffix, metadata=metadata)
    return buffer.getvalue()


def _stem(document: Document, figure: Figure) -> str:
    single = len(document.figures) == 1
    return document.name if single else f"{document.name}_{figure.name}"


def _csv_rows(table: Table) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for row in table.rows:
        start = {"table": table.title, **dict(zip(table.label_names, row.labels, strict=True))}
        if not row.cells:
            lines.append({**start, "marks": "".join(row.marks)})
        for words, cell in zip(table.columns, row.cells, strict=bool(row.cells)):
            if cell.mean is None:
                continue
            lines.append(
                {
                    **start,
                    **dict(zip(table.level_names, words, strict=True)),
                    "mean": repr(cell.mean),
                    "sd": "" if cell.sd is None else repr(cell.sd),
                    "n": cell.n,
                    "is_best": int(cell.is_best),
                    "is_second": int(cell.is_second),
                    "marks": "".join((*row.marks, *cell.marks)),
                }
            )
    return lines


def _environment(escape_text: Callable[[str], str]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        # The formats are not HTML; names pass through the filter "e" below instead.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # LaTeX and Markdown both use braces and hashes.
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    environment.filters["e"] = escape_text
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["latex_cell"] = _latex_cell
    environment.filters["markdown_cell"] = _markdown_cell
    environment.filters["cmidrules"] = _cmidrules
    environment.filters["column_words"] = _column_words
    return environment


def _latex_cell(cell: Cell) -> str:
    number = escape.latex(cell.mean_text)
    if cell.is_best:
        number = rf"\textbf{{{number}}}"
    elif cell.is_second:
        number = rf"\underline{{{number}}}"
    spread = rf" $\pm$ {cell.sd_text}" if cell.sd is not None else ""
    return number + spread + escape.latex("".join(cell.marks))


def _markdown_cell(cell: Cell) -> str:
    number = escape.markdown(cell.mean_text)
    if cell.is_best:
        number = f"**{number}**"
    elif cell.is_second:
        number = f"<u>{number}</u>"
    spread = f" ± {cell.sd_text}" if cell.sd is not None else ""
    return number + spread + "".join(cell.marks)


def _cmidrules(table: Table, level: int) -> str:
    """Lines below a header level, one under each group, beside the label columns."""
    start = len(table.label_names) + 1
    rules = []
    for _, n_columns in table.header(level):
        rules.append(rf"\cmidrule(lr){{{start}-{start + n_columns - 1}}}")
        start += n_columns
    return " ".join(rules)


def _column_words(table: Table) -> list[str]:
    """Header of each column in one line."""
    return [" ".join(column) for column in table.without_title_level().columns]
