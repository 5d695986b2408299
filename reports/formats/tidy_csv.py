"""Documents as one tidy CSV table."""

from __future__ import annotations

import csv
import io

from mmea_bench.reports.core.document import Document, Table
from mmea_bench.reports.formats.escape import spreadsheet


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
    writer.writerow({name: spreadsheet(name) for name in writer.fieldnames})
    for table in document.tables:
        writer.writerows(
            {name: spreadsheet(str(value)) for name, value in line.items()}
            for line in _csv_rows(table)
        )
    return buffer.getvalue()


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
