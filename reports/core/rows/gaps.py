"""Which cells a report lacks, in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mmea_bench.reports.core.document import Missing
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import Comparison
from mmea_bench.reports.core.rows.outcomes import outcomes
from mmea_bench.reports.core.rows.select import current_cells, percent
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.table import Tables

_LONGEST_LIST = 6


def gap_notes(tables: Tables, options: ReportOptions, numbers: pd.DataFrame) -> tuple[str, ...]:
    """Sentences that name the cells without a number and those not run; nothing for none.

    Args:
        tables: Tables behind the report.
        options: Choices of the reader.
        numbers: Rows that the report can show, with a column ``key``.
    """
    current = current_cells(tables).tables
    cells = current.cells
    gaps = outcomes(current, frozenset(numbers["key"]), options.csls)
    if gaps.empty:
        return ()
    by = ["method", "variant", "protocol", "dataset", "seed_ratio", "status", "reason", "repeat"]
    gaps = gaps.sort_values(by, kind="stable").drop_duplicates(by)
    # A word that all cells share says nothing.
    place = [name for name in ("dataset", "protocol") if cells[name].nunique() > 1]
    missing = gaps["status"] == "missing"
    # What went wrong comes before what could not be run.
    ended = gaps[~missing].sort_values(
        "status", key=lambda column: column.isin(DONE_STATUSES), kind="stable"
    )
    notes = []
    if len(ended):
        verb = "has" if len(ended) == 1 else "have"
        listed = _listed(ended, place, _LONGEST_LIST, options.names)
        notes.append(f"{len(ended)} of {len(cells)} cells {verb} no number: {listed}.")
    if missing.any():
        noun = "cell is" if missing.sum() == 1 else "cells are"
        why = "planned and not run"
        if not tables.completeness.has_plan:
            why = "not run yet or not part of the suite"
        listed = _listed(gaps[missing], place, _LONGEST_LIST // 2, options.names)
        notes.append(f"{missing.sum()} {noun} missing, {why}: {listed}.")
    return tuple(notes)


def left_out(reason: str, gaps: Sequence[str]) -> Missing:
    """Why a report cannot be made; of its gaps only where they are told.

    Args:
        reason: Sentence for the user.
        gaps: What ``gap_notes`` says.
    """
    return Missing(f"{reason} The main table names the cells without a number." if gaps else reason)


def _listed(gaps: pd.DataFrame, place: Sequence[str], longest: int, names: Names) -> str:
    """Each group of repeats of one method in one place, the first of them by name."""
    by = ["method", "variant", *place, "seed_ratio", "status"]
    groups = []
    for key, own in gaps.groupby(by, sort=False):
        found = dict(zip(by, map(str, key), strict=True))
        where = (names.dataset(found[name]) if name == "dataset" else found[name] for name in place)
        words = [names.of(found["method"], found["variant"]), *where]
        ratio = percent(float(found["seed_ratio"]))
        repeats = sorted({int(repeat) for repeat in own["repeat"]})
        noun = "repeat" if len(repeats) == 1 else "repeats"
        status = (
            "not scored this way" if found["status"] == "ok" else found["status"].replace("_", " ")
        )
        ending = "" if status == "missing" else f" ({status})"
        groups.append(f"{' '.join(words)} {ratio} {noun} {_ranges(repeats)}{ending}")
    rest = len(groups) - longest
    more = f"; and {rest} more, all in the main table" if rest > 0 else ""
    return "; ".join(groups[:longest]) + more


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, three or more neighbours as their ends."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]}–{run[-1]}" if len(run) >= 3 else ", ".join(map(str, run)) for run in runs
    )


def cells_of(cells: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Those cells of a place that count, also without a number; ``base`` as in ``Comparison``."""
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
