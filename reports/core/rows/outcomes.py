"""What is not in a table, and why."""

from __future__ import annotations

import pandas as pd

from mmea_bench.reports.core.document import Row, Table
from mmea_bench.reports.core.names import Names
from mmea_bench.reports.core.remembered import remembered
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.results.core.schema import NO_SUITE
from mmea_bench.results.core.table import Tables

_PLACE = ["protocol", "dataset", "seed_ratio"]
_LABELS = ("method", "variant", "protocol", "dataset", "seed ratio", "repeats", "status", "reason")


@remembered
def outcomes(tables: Tables, shown_keys: frozenset[str], csls: int | None) -> pd.DataFrame:
    """All cells without a number in the report, one row each, with ``status`` and ``reason``.

    Args:
        tables: Tables with the cells that count.
        shown_keys: Keys of the cells whose numbers are shown.
        csls: Neighbourhood size shown, named as the reason of cells scored with others only.
    """
    hidden = tables.cells[~tables.cells["key"].isin(shown_keys)]
    unscored = f"has no number for what is shown (csls={csls})"
    reasons = hidden["reason"].where(hidden["status"] != "ok", unscored).fillna("no reason given")
    frame = pd.concat([hidden.assign(reason=reasons), never_run(tables)], ignore_index=True)
    return frame.assign(reason=[" ".join(str(reason).split()) for reason in frame["reason"]])


def outcome_table(
    tables: Tables, shown_keys: frozenset[str], csls: int | None, names: Names
) -> Table | None:
    """``outcomes`` as a table, repeats of one method and place together; None if there are none."""
    frame = outcomes(tables, shown_keys, csls)
    if frame.empty:
        return None
    by = ["method", "variant", *_PLACE, "status", "reason"]
    rows = []
    for (method, variant, protocol, dataset, ratio, status, reason), repeats in frame.groupby(
        by, sort=True
    )["repeat"]:
        numbers = ", ".join(str(repeat) for repeat in sorted(set(repeats)))
        who = names.method(str(method)), names.variant(str(method), str(variant))
        place = (str(protocol), names.dataset(str(dataset)), percent(float(str(ratio))))
        words = (str(status).replace("_", " "), str(reason))
        rows.append(Row((*who, *place, numbers, *words)))
    return Table("Cells without a number", _LABELS, rows=tuple(rows))


@remembered
def never_run(tables: Tables) -> pd.DataFrame:
    """Cells without a record: those of the plan, or without one what a full suite would have.

    Cells that were asked for one by one, without a suite, say of no other that it is missing.
    """
    cells = tables.cells
    columns = ["method", "variant", *_PLACE, "repeat"]
    state = tables.completeness
    if state.has_plan:
        words = [cell for cell in state.words("missing") if set(columns) <= set(cell)]
        wanted = pd.DataFrame({name: [cell[name] for cell in words] for name in columns}).astype(
            cells[columns].dtypes.to_dict()
        )
        reason = "planned and not run"
    else:
        of_suites = cells[cells["suite"] != NO_SUITE]
        methods = of_suites[["suite", "method", "variant", "protocol"]].drop_duplicates()
        places = of_suites[["suite", *_PLACE, "repeat"]].drop_duplicates()
        wanted = methods.merge(places, on=["suite", "protocol"])[columns].drop_duplicates()
        reason = "no record: not run yet, or not part of the suite"
    # A cell that was run under another key, of changed code, is there.
    joined = wanted.merge(cells[columns].drop_duplicates(), how="left", indicator=True)
    absent = joined[joined["_merge"] == "left_only"].drop(columns="_merge")
    return absent.assign(status="missing", reason=reason)
