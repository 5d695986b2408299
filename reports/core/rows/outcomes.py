"""What is not in a table, and why."""

from __future__ import annotations

import pandas as pd

from mmea_bench.reports.core.document import Row, Table
from mmea_bench.reports.core.rows.select import percent

_PLACE = ["protocol", "dataset", "seed_ratio"]
_LABELS = ("method", "variant", "protocol", "dataset", "seed ratio", "repeats", "status", "reason")


def outcome_table(cells: pd.DataFrame, shown_keys: set[str], csls: int | None) -> Table | None:
    """All cells without a number in the report, with the reason; None if there are none.

    Args:
        cells: Cells that count.
        shown_keys: Keys of the cells whose numbers are shown.
        csls: Neighbourhood size shown, named as the reason of cells scored with others only.
    """
    hidden = cells[~cells["key"].isin(shown_keys)]
    unscored = f"has no number for what is shown (csls={csls})"
    reasons = hidden["reason"].where(hidden["status"] != "ok", unscored).fillna("no reason given")
    frame = pd.concat([hidden.assign(reason=reasons), never_run(cells)], ignore_index=True)
    if frame.empty:
        return None
    frame["reason"] = [" ".join(str(reason).split()) for reason in frame["reason"]]
    by = ["method", "variant", *_PLACE, "status", "reason"]
    rows = []
    for (method, variant, protocol, dataset, ratio, status, reason), repeats in frame.groupby(
        by, sort=True
    )["repeat"]:
        numbers = ", ".join(str(repeat) for repeat in sorted(set(repeats)))
        place = (str(method), str(variant), str(protocol), str(dataset), percent(float(str(ratio))))
        rows.append(Row((*place, numbers, str(status).replace("_", " "), str(reason))))
    return Table("Cells without a number", _LABELS, rows=tuple(rows))


def never_run(cells: pd.DataFrame) -> pd.DataFrame:
    """Repeats that some method of a suite has in a place and another lacks.

    The tables do not hold the plan of a suite, so this is what a full grid would have.
    """
    columns = ["method", "variant", *_PLACE, "repeat"]
    methods = cells[["suite", "method", "variant", "protocol"]].drop_duplicates()
    places = cells[["suite", *_PLACE, "repeat"]].drop_duplicates()
    wanted = methods.merge(places, on=["suite", "protocol"])[columns].drop_duplicates()
    joined = wanted.merge(cells[columns].drop_duplicates(), how="left", indicator=True)
    absent = joined[joined["_merge"] == "left_only"].drop(columns="_merge")
    return absent.assign(
        status="missing", reason="no record: not run yet, or not part of the suite"
    )
