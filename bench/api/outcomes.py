"""What planning and running a ``Request`` came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmea_bench.bench.planning.plan import Plan
from mmea_bench.bench.running.pilot import MethodTime
from mmea_bench.bench.running.runner import RunSummary


@dataclass(frozen=True)
class PlanOutcome:
    """What a run would do.

    Attributes:
        plan: Cells, those done and those missing.
        folder: Results folder.
        seconds: About how long the missing cells take; None where nothing is known yet.
        times: By method, judged by the pilot, else by the cells of the folder; empty without any.
    """

    plan: Plan
    folder: Path
    seconds: float | None
    times: tuple[MethodTime, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """A run that has ended.

    Attributes:
        plan: What was to be done.
        summary: What was done.
        folder: Results folder.
        tables: Files of the tables.
    """

    plan: Plan
    summary: RunSummary
    folder: Path
    tables: list[Path]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "suite": self.plan.suite.name,
            "folder": str(self.folder),
            "n_cells": len(self.plan.cells),
            "n_done_before": len(self.plan.done),
            "n_by_status": dict(self.summary.n_by_status),
            "is_complete": self.summary.is_complete,
            "problem": self.summary.problem,
            "exit_code": self.summary.exit_code,
            "tables": [str(path) for path in self.tables],
        }
