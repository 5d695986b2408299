"""Which cells ended ok without what a report shows, and which did not end ok."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from mmea_bench.reports.core.document import Missing
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.gaps import gap_notes, left_out
from mmea_bench.reports.core.rows.select import current_cells
from mmea_bench.results.core.table import Tables


def lacking_notes(
    tables: Tables, options: ReportOptions, keys: Iterable[str], what: str
) -> tuple[str, ...]:
    """Sentences on cells that a report does not show; nothing if it shows all.

    Not every method can have what such a report is about, so those that cannot are named once
    instead of cell by cell.

    Args:
        tables: Tables behind the report.
        options: Choices of the reader.
        keys: Keys of the cells that the report shows.
        what: What other cells lack, such as ``weights of modalities``.
    """
    shown = set(keys)
    cells = current_cells(tables).tables.cells
    ended_ok = cells[cells["status"] == "ok"]
    is_lacking = ~ended_ok["key"].isin(shown)
    found = []
    for (method, variant), of_pair in is_lacking.groupby([ended_ok["method"], ended_ok["variant"]]):
        n_lacking, n_all = int(of_pair.sum()), len(of_pair)
        some = "" if n_lacking == n_all else f" ({n_lacking} of {n_all} cells)"
        found += [f"{options.names.of(str(method), str(variant))}{some}"] * bool(n_lacking)
    names = ", ".join(found)
    known = pd.DataFrame({"key": sorted(shown.union(ended_ok["key"]))})
    return (*((f"Without {what}: {names}.",) if names else ()), *gap_notes(tables, options, known))


def cannot_be_made(reason: str, tables: Tables, options: ReportOptions) -> Missing:
    """Why a report cannot be made, and where the cells that did not end ok are named.

    Args:
        reason: Sentence for the user.
        tables: Tables behind the report.
        options: Choices of the reader.
    """
    ended_ok = tables.cells[tables.cells["status"] == "ok"]
    return left_out(reason, gap_notes(tables, options, ended_ok[["key"]]))
