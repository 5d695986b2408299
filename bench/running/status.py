"""What ``bench status`` says of a results folder, while cells run and after."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmea_bench.bench.running.estimate import Estimator
from mmea_bench.bench.running.heartbeats import claims_of
from mmea_bench.bench.running.run_state import PLAN_NAME
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.files import read_regular
from mmea_bench.results.core.store import ResultStore

CellWords = Mapping[str, Any]
"""Method, variant, dataset, seed ratio and repeat of a cell, by name."""

GOOD = ("ok", "skipped")


@dataclass(frozen=True)
class FolderStatus:
    """A results folder in numbers.

    Attributes:
        rows: Row of cells.csv of every record.
        running: Cells that run now, with the runner that has them.
        n_missing: Cells of the last plan without a record; None where there is no plan.
        seconds_left: Expected time with as many cells at once as run now; None if nothing is known.
        problems: Sentences about records that could not be read.
    """

    rows: list[dict[str, Any]]
    running: list[tuple[CellWords, str]]
    n_missing: int | None
    seconds_left: float | None
    problems: tuple[str, ...] = field(default=())

    @property
    def n_by_status(self) -> Counter[str]:
        """Records by the way they ended."""
        return Counter(row["status"] for row in self.rows)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Records that did not end well."""
        return [row for row in self.rows if row["status"] not in GOOD]


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
    estimator = Estimator()
    estimator.learn_records(records)
    runners = claims_of(folder)
    names = {record.key: record.cell for record in records} | dict(planned)
    running = [(names[key], str(runners[key])) for key in sorted(runners) if key in names]
    done = {record.key for record in records}
    missing = [key for key in planned if key not in done]
    return FolderStatus(
        [record.cell for record in records],
        running,
        len(missing) if planned else None,
        _seconds_left(estimator, [planned[key] for key in missing], len(running)),
        store.problems,
    )


def planned_cells(folder: Path) -> dict[str, CellWords]:
    """Cells of the folder's last plan; empty where there is none."""
    try:
        content = json.loads(read_regular(folder / PLAN_NAME))
        return {str(key): dict(words) for key, words in content["cells"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _seconds_left(estimator: Estimator, cells: list[CellWords], n_running: int) -> float | None:
    known = [estimator.seconds_of(str(cell["method"]), str(cell["dataset"])) for cell in cells]
    if None in known:
        return None
    return sum(seconds or 0.0 for seconds in known) / max(1, n_running)
