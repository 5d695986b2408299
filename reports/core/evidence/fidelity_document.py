"""The fidelity table as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from mmea_bench.reports.core.document import (
    NOTHING,
    Block,
    Cell,
    Document,
    Row,
    Table,
    Text,
    format_number,
)
from mmea_bench.reports.core.evidence.fidelity import (
    INTERPRETED_WITHIN,
    RELEASED_WITHIN,
    SPREADS,
    Fidelity,
    FidelityRow,
)
from mmea_bench.reports.core.names import BY_ID
from mmea_bench.reports.core.published.document import labels_of, signed
from mmea_bench.reports.core.published.verdicts import CheckRow
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.reports.core.stated.interpretations import interpretation_notes
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.measured.remarks import RELEASED

NAME = "fidelity"
COLUMNS = (
    *("method", "setting", "scoring", "Hits@1 (repeats)", "printed", "source", "difference"),
    *("Hits@10, MRR", "verdict", "goal", "why"),
)


def fidelity_document(found: Fidelity, command: str = "") -> Document:
    """One table per dataset with its split, seed ratio and protocol, and what was not measured.

    Args:
        found: The rows.
        command: How the page is made again.
    """
    blocks: list[Block] = [Text(summary(found))]
    labels = labels_of([row.check for row in found.rows])
    for title, rows in groupby(found.rows, key=lambda row: _title(row.check, labels)):
        blocks.append(Table(title, COLUMNS, rows=tuple(Row(texts(row)) for row in rows)))
    if found.not_measured:
        blocks.append(_not_measured(found))
    made = (f"Made by {command}. Edit the records or the remarks, not this page.",) * bool(command)
    return Document(NAME, "Fidelity to the printed numbers", tuple(blocks), (*made, *_notes(found)))


def _title(row: CheckRow, labels: Mapping[tuple[str, str], str]) -> str:
    # The settings of the protocol are said where they are not the usual ones.
    protocol = "" if row.protocol == "paper" else f", {row.protocol} protocol"
    return f"{labels[row.dataset, row.dataset_version]}, {percent(row.seed_ratio)} seeds{protocol}"


def summary(found: Fidelity) -> str:
    """How many rows meet the goal, as a sentence."""
    if not found.rows:
        return "No measured number here has a published counterpart."
    n_bare = sum(row.is_unexplained for row in found.rows)
    return (
        f"{len(found.rows)} rows of {len({row.check.method for row in found.rows})} methods: "
        f"{found.count('met')} meet the goal, {found.count('missed')} miss it"
        f"{f' ({n_bare} of them unexplained)' if n_bare else ''}, "
        f"{found.count('not comparable')} not comparable."
    )


def texts(row: FidelityRow) -> tuple[str, ...]:
    """A row in the words of ``COLUMNS``."""
    check = row.check
    said = "" if check.published_scoring != "not stated" else " (not stated)"
    return (
        check.name,
        check.setting,
        check.scoring + said,
        f"{Cell(check.mean, check.sd, check.n).plain} ({check.n})",
        NOTHING if check.published is None else format_number(check.published, "fraction"),
        check.source,
        NOTHING if check.difference is None else signed(check.difference),
        ", ".join(_further(row)) or NOTHING,
        check.verdict,
        NOTHING if row.outcome == "not comparable" else _goal(row),
        row.sentence or NOTHING,
    )


def _goal(row: FidelityRow) -> str:
    return f"{row.outcome} (± {format_number(row.goal, 'fraction')})"


def _further(row: FidelityRow) -> Iterator[str]:
    for metric, difference in sorted(row.further.items()):
        yield f"{METRIC_NAMES[metric]} {signed(difference)}"


def _not_measured(found: Fidelity) -> Table:
    rows = tuple(
        Row((method, ", ".join(datasets))) for method, datasets in found.not_measured.items()
    )
    return Table("Not measured in full", ("method", "datasets with a printed Hits@1"), rows=rows)


def _notes(found: Fidelity) -> Sequence[str]:
    n_released = sum(row.origin == RELEASED for row in found.rows)
    interpreted = {row.check.method for row in found.rows if row.origin != RELEASED}
    return (
        "Protocol paper: all seed links train, settings and scoring as published; Hits@1, source "
        "to target. The setting says whether names were read and pseudo-labels learned.",
        f"Goal: within {RELEASED_WITHIN} or {SPREADS} standard deviations where the authors' code "
        f"is public ({n_released} rows), else within {INTERPRETED_WITHIN}. The verdict is that of "
        "bench check; reproduced needs three repeats.",
        *interpretation_notes(interpreted, BY_ID),
        *found.notes,
    )
