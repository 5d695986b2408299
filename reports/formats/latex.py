"""Documents as LaTeX tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmea_bench.reports.core import escape
from mmea_bench.reports.core.document import Cell, Document, Table
from mmea_bench.reports.formats.templates import environment


def render_latex(document: Document) -> str | None:
    r"""The tables for ``\input`` in a paper that loads booktabs; None without tables."""
    if not document.tables:
        return None
    filters: dict[str, Callable[..., Any]] = {"latex_cell": _latex_cell, "cmidrules": _cmidrules}
    template = environment(escape.latex, filters).get_template("document.tex.j2")
    return template.render(document=document)


def _latex_cell(cell: Cell) -> str:
    number = escape.latex(cell.mean_text)
    if cell.is_best:
        number = rf"\textbf{{{number}}}"
    elif cell.is_second:
        number = rf"\underline{{{number}}}"
    spread = rf" $\pm$ {cell.sd_text}" if cell.sd is not None else ""
    return number + spread + escape.latex("".join(cell.marks))


def _cmidrules(table: Table, level: int) -> str:
    """Lines below a header level, one under each group, beside the label columns."""
    start = len(table.label_names) + 1
    rules = []
    for _, n_columns in table.header(level):
        rules.append(rf"\cmidrule(lr){{{start}-{start + n_columns - 1}}}")
        start += n_columns
    return " ".join(rules)
