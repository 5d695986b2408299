"""What ``bench status`` says of a results folder, while cells run and after."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from mmea_bench.bench.running.estimate import CellTimes, spell_duration
from mmea_bench.bench.sharing.advances import Advance, advances_of
from mmea_bench.bench.sharing.heartbeats import claims_of
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.plans.completeness import Completeness, completeness
from mmea_bench.results.core.plans.plan_file import CellWords, plan_problems, planned_cells
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.store import ResultStore


@dataclass(frozen=True)
class RunningCell:
    """A cell that runs now.

    Attributes:
        key: Its key.
        words: What it is.
        runner: Who has it.
        advance: How far it is; None before its first epoch, or where its runner does not tell.
    """

    key: str
    words: CellWords
    runner: str
    advance: Advance | None

    def spell_advance(self) -> str:
        """Epochs and time left with a comma behind them; empty where nothing is known."""
        if self.advance is None:
            return ""
        text = f"epoch {self.advance.epoch} of {self.advance.n_epochs}, "
        if self.advance.seconds_left is None:
            return text
        return f"{text}about {spell_duration(self.advance.seconds_left)} left, "


@dataclass(frozen=True)
class FolderStatus:
    """A results folder in numbers.

    Attributes:
        rows: Row of cells.csv of every record.
        running: Cells that run now.
        completeness: What was asked of the folder, and what became of it.
        seconds_left: Expected time with as many cells at once as run now; None if nothing is known.
        problems: Sentences about records that could not be read.
    """

    rows: list[dict[str, Any]]
    running: list[RunningCell]
    completeness: Completeness
    seconds_left: float | None
    problems: tuple[str, ...] = field(default=())

    @property
    def n_by_status(self) -> Counter[str]:
        """Records by the way they ended."""
        return Counter(row["status"] for row in self.rows)

    @property
    def n_missing(self) -> int | None:
        """Cells that were asked for and have no record; None where there is no plan."""
        return self.completeness.counts().missing if self.completeness.has_plan else None

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Records that did not end well."""
        return [row for row in self.rows if row["status"] not in DONE_STATUSES]


def folder_status(folder: Path) -> FolderStatus:
    """The state of a folder.

    Raises:
        UserError: If it holds neither records nor a plan.
    """
    store = ResultStore(folder)
    records = list(store.records())
    planned = planned_cells(folder)
    if not (records or planned or store.problems):
        raise UserError(f"{folder} holds no records. Give the results folder of a run.")
    times = CellTimes(records)
    runners, advances = claims_of(folder), advances_of(folder)
    names = {record.key: record.cell for record in records} | dict(planned)
    running = [
        RunningCell(key, names[key], str(runners[key]), advances.get(key))
        for key in sorted(runners)
        if key in names
    ]
    found = completeness(planned, [record.cell for record in records])
    return FolderStatus(
        [record.cell for record in records],
        running,
        found,
        _seconds_left(times, found, running),
        (*store.problems, *plan_problems(folder)),
    )


def _seconds_left(
    times: CellTimes, found: Completeness, running: list[RunningCell]
) -> float | None:
    """Expected seconds of missing cells; those that run are judged by their own epochs if told.

    Before any cell has ended the others are taken for such as run.
    """
    advances = {cell.key: cell.advance for cell in running if cell.advance is not None}
    told = {key: advance.seconds_left for key, advance in advances.items()}
    wholes = [whole for each in advances.values() if (whole := each.whole_seconds) is not None]
    of_running = fmean(wholes) if wholes else None
    total = 0.0
    for key, words in found.cells.items():
        if found.states[key] != "missing":
            continue
        seconds = told.get(key)
        if seconds is None:
            seconds = times.seconds(words) if times.knows_any else of_running
        if seconds is None:
            return None
        total += seconds
    return total / max(1, len(running))
