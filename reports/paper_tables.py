"""The tables of the papers with measured numbers, and on request the printed ones beside."""

from __future__ import annotations

from mmea_bench.reports.core.document import Document, Missing, Table
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.papers.layout_files import read_layouts
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.left_out import (
    left_out_sentence,
    left_out_table,
    why_left_out,
)
from mmea_bench.reports.core.papers.measured_names import measured_groups
from mmea_bench.reports.core.papers.side_by_side import measured_table
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.table import Tables

NAME = "paper_tables"


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Every published table of which at least one number was measured."""
    published = read_published()
    groups = list(measured_groups(tables, options))
    made: list[Table] = []
    left_out: list[tuple[Layout, str]] = []
    cells = current_cells(tables).tables.cells
    for layout in read_layouts():
        n_before = len(made)
        for measured in () if layout.is_repeated_runs else groups:
            table = measured_table(layout, published, measured, options)
            if table is not None:
                made.append(table)
        if len(made) == n_before:
            left_out.append((layout, why_left_out(layout, cells)))
    if not made:
        return Missing(
            "No number was measured that stands in a table of the papers: none has the method, "
            f"variant, dataset and seed ratio of a printed row. {left_out_sentence(left_out)}"
        )
    notes = [
        "Mean ± sample standard deviation over repeats; column 'repeats' says how many. A number "
        "without ± comes from one repeat.",
        "Rows stand where the paper prints them; names, order and groups of rows are those of the "
        "paper. Where it does not say whether a row reads names or is iterative, the measured row "
        "is what the method does by itself.",
        *current_cells(tables).notes,
    ]
    further = [left_out_table(left_out)] if left_out else []
    return Document(NAME, "Tables of the papers", (*made, *further), tuple(notes))
