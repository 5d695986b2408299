"""Why a published table has no measured number, said for each table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mmea_bench.reports.core.document import Row, Table
from mmea_bench.reports.core.papers.layouts import Layout
from mmea_bench.reports.core.papers.measured_names import STAND_INS
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.results.core.published import name_key

_SAME_RATIO = 1e-9
_MOST_NAMED = 4


def why_left_out(layout: Layout, cells: pd.DataFrame) -> str:
    """The first condition of a table that no cell meets, as a clause.

    Args:
        layout: A table of which nothing was measured.
        cells: Cells that count; those that did not end ok have no number.
    """
    if layout.is_repeated_runs:
        return "it lists single runs of the paper, beside which no run of ours is set"
    addresses = {*layout.datasets, *(STAND_INS.get(name, "") for name in layout.datasets)}
    there = cells[cells["dataset"].isin(addresses)]
    if there.empty:
        return f"none of its datasets was run ({_some(layout.datasets.values())})"
    printed = {name_key(row[0]): row[0] for group in layout.groups for row in group.rows}
    own = there[there["method"].map(name_key).isin(printed)]
    if own.empty:
        return f"none of its methods was run on its datasets ({_some(printed.values())})"
    if (own["status"] != "ok").all():
        return f"no cell of its methods ended ok ({_some(sorted(set(own['status'])))})"
    own = own[own["status"] == "ok"]
    wanted = _ratios(layout)
    at_ratio = own[own["seed_ratio"].map(lambda ratio: _is_one_of(float(ratio), wanted))]
    if wanted and at_ratio.empty:
        found = _some(percent(float(ratio)) for ratio in sorted(set(own["seed_ratio"])))
        return f"it is for {_some(map(percent, wanted))} seeds, and {found} was run"
    if layout.row_name == "variant":
        return "none of its rows was run: its variants differ from those that were"
    return (
        "its methods were run with other settings than it prints (variant, seed ratio, names, "
        "pseudo-labels), or have none of its metrics in the direction and CSLS size that are shown"
    )


def left_out_table(reasons: Sequence[tuple[Layout, str]]) -> Table:
    """Every table that is left out, with its reason."""
    rows = tuple(Row((f"{layout.paper}, {layout.table}", why)) for layout, why in reasons)
    return Table("Tables of the papers that are left out", ("table", "why"), rows=rows)


def left_out_sentence(reasons: Sequence[tuple[Layout, str]]) -> str:
    """The same in a line, tables with equal reasons together."""
    by_reason: dict[str, list[str]] = {}
    for layout, why in reasons:
        by_reason.setdefault(why, []).append(f"{layout.paper}, {layout.table}")
    return " ".join(f"{'; '.join(named)}: {why}." for why, named in by_reason.items())


def _ratios(layout: Layout) -> list[float]:
    """Seed ratios of a table; empty where its rows or its numbers say them."""
    of_groups = [(group.seed_ratio, group.measured_ratio) for group in layout.groups]
    stated = {ratio for pair in of_groups for ratio in pair if ratio is not None}
    return sorted({*layout.seed_ratios, *stated})


def _is_one_of(ratio: float, wanted: Iterable[float]) -> bool:
    return any(abs(ratio - other) <= _SAME_RATIO for other in wanted)


def _some(names: Iterable[str]) -> str:
    """The first few of some names."""
    listed = list(names)
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return ", ".join(listed[:_MOST_NAMED]) + more
