"""Which cells a report lacks, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mmea_bench.reports.core.comparison import Comparison
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.outcomes import outcome_table
from mmea_bench.reports.core.select import current_cells, name_of
from mmea_bench.results.core.table import Tables

_LONGEST_LIST = 6
_LAST = ("ok", "skipped", "missing")


def gap_notes(tables: Tables, options: ReportOptions, numbers: pd.DataFrame) -> tuple[str, ...]:
    """A sentence that names the cells without a number and how they ended; nothing for none.

    Args:
        tables: Tables behind the report.
        options: Choices of the reader.
        numbers: Rows that the report can show, with a column ``key``.
    """
    cells = current_cells(tables).tables.cells
    table = outcome_table(cells, set(numbers["key"]), options.csls)
    if table is None:
        return ()
    gaps = pd.DataFrame(
        [dict(zip(table.label_names, row.labels, strict=True)) for row in table.rows]
    )
    gaps["repeats"] = gaps["repeats"].str.split(", ")
    # What went wrong comes first, what may never have been asked for comes last.
    gaps = gaps.sort_values("status", key=lambda column: column.map(_order), kind="stable")
    gaps = gaps.explode("repeats", ignore_index=True)
    n_cells = len(cells) + int((gaps["status"] == "missing").sum())
    # A word that all cells share says nothing.
    place = [name for name in ("dataset", "protocol") if cells[name].nunique() > 1]
    listed = list(_listed(gaps, place))
    rest = len(listed) - _LONGEST_LIST
    shown = "; ".join(listed[:_LONGEST_LIST])
    more = f"; and {rest} more, all in the main table" if rest > 0 else ""
    verb = "has" if len(gaps) == 1 else "have"
    return (f"{len(gaps)} of {n_cells} cells {verb} no number: {shown}{more}.",)


def _order(status: str) -> int:
    return _LAST.index(status) if status in _LAST else -1


def _listed(gaps: pd.DataFrame, place: Sequence[str]) -> Iterable[str]:
    """Each group of repeats of one method in one place."""
    by = ["method", "variant", *place, "seed ratio", "status"]
    for key, own in gaps.groupby(by, sort=False):
        found = dict(zip(by, map(str, key), strict=True))
        words = [name_of(found["method"], found["variant"]), *(found[name] for name in place)]
        repeats = sorted(set(own["repeats"]), key=int)
        noun = "repeat" if len(repeats) == 1 else "repeats"
        status = "not scored this way" if found["status"] == "ok" else found["status"]
        yield f"{' '.join(words)} {found['seed ratio']} {noun} {', '.join(repeats)} ({status})"


def cells_of(tables: Tables, comparison: Comparison) -> pd.DataFrame:
    """Every cell of a place, those without a number too, with ``base`` as in ``Comparison``."""
    cells = current_cells(tables).tables.cells
    shown = comparison.numbers
    is_here = cells["dataset"].isin(shown["dataset"]) & (cells["protocol"] == comparison.protocol)
    # A cell that failed before its dataset was read has no version; it may belong to any.
    is_here &= cells["dataset_version"].isin(shown["dataset_version"]) | (
        cells["dataset_version"].isna()
    )
    if comparison.seed_ratio is not None:
        is_here &= cells["seed_ratio"] == comparison.seed_ratio
    own = cells[is_here]
    return own.assign(base=own["variant"].str.partition("[")[0])
