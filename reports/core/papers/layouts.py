"""How a paper lays out a table whose numbers are published: rows, columns and caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RowName = tuple[str, str]
"""Method and variant; the empty variant is the full model."""

PrintedStyle = Literal["fraction", "decimal"]
"""Without or with a zero before the point; both are styles of a document's cells."""


@dataclass(frozen=True)
class RowGroup:
    """Rows that a paper prints together.

    Attributes:
        label: What the paper calls them, empty for no name.
        rows: In printing order.
        setting: Word that tells them from equal names in other groups, empty for none.
        seed_ratio: Ratio of these rows; None where the columns say it.
        measured_ratio: Ratio at which these rows are measured here where the paper states none.
    """

    label: str
    rows: tuple[RowName, ...]
    setting: str = ""
    seed_ratio: float | None = None
    measured_ratio: float | None = None


@dataclass(frozen=True)
class Layout:
    """One published table.

    Attributes:
        source: Key of the paper.
        table: Name of the table there.
        paper: Name of the paper for captions.
        caption: What the table shows.
        groups: Its rows; none for repeated runs.
        datasets: Outer header level in printing order: canonical name to header word.
        metrics: Inner header level in printing order: metric to header word.
        seed_ratios: Middle header level; empty where columns have no ratio of their own.
        group_name: Header of the column of group names; empty for no such column.
        row_name: Header of the column of rows.
        style: How the paper writes a number.
        digits: Behind the point of measured numbers; printed ones keep their own.
        ranks_groups_apart: Whether the paper marks the best of each group, not of the table.
        is_repeated_runs: Whether the table lists single runs, whose numbers stand in a file of
            their own; no run of this program is set beside them.
    """

    source: str
    table: str
    paper: str
    caption: str
    groups: tuple[RowGroup, ...]
    datasets: Mapping[str, str]
    metrics: Mapping[str, str]
    seed_ratios: tuple[float, ...] = ()
    group_name: str = ""
    row_name: str = "method"
    style: PrintedStyle = "fraction"
    digits: int = 3
    ranks_groups_apart: bool = False
    is_repeated_runs: bool = False

    @property
    def title(self) -> str:
        """Caption with the place where the numbers were printed."""
        return f"{self.paper}, {self.table}: {self.caption}"
