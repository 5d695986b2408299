"""Hits@k that no scores could miss, because no more than k candidates were ranked."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mmea_bench.reports.core.document import Cell, Table

CERTAIN = "¶"
CERTAIN_NOTE = f"{CERTAIN} 1 whatever the scores: no more than k candidates were ranked for Hits@k."


def is_certain(rows: pd.DataFrame) -> bool:
    """Whether all of these numbers are such, and there are any.

    Args:
        rows: As ``certain_rows`` takes them.
    """
    return bool(len(rows) and certain_rows(rows).all())


def certain_rows(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether each number is a Hits@k among no more than k candidates.

    Only where the candidates are the entities of the tested links is their number known: no larger
    than that of the links. Links that share entities have fewer, so that such a number may carry no
    mark; the notes of its cell count the candidates themselves.

    Args:
        rows: Columns ``metric``, ``candidates`` and ``n`` of results.csv.
    """
    k = pd.to_numeric(rows["metric"].astype(str).str.removeprefix("hits@"), errors="coerce")
    return (rows["n"] <= k) & (rows["candidates"] == "test")


def with_certain(cell: Cell, rows: pd.DataFrame) -> Cell:
    """The cell with a mark where its numbers could not be missed; such a one is no best one.

    Args:
        cell: What stands in the table.
        rows: The numbers behind it, as ``is_certain`` takes them.
    """
    return marked_certain(cell) if cell.mean is not None and is_certain(rows) else cell


def marked_certain(cell: Cell) -> Cell:
    """The cell with the mark, and without emphasis."""
    return replace(cell, marks=(*cell.marks, CERTAIN), is_best=False, is_second=False)


def explained(table: Table) -> Table:
    """The table with the sentence on the mark, where a cell of it carries one."""
    has_mark = any(CERTAIN in cell.marks for row in table.rows for cell in row.cells)
    return replace(table, notes=(*table.notes, CERTAIN_NOTE)) if has_mark else table
