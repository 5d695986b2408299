"""Weights & Biases: one run for each cell, offline unless the user's environment says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmea_bench.bench.tracking.numbers import final_numbers, final_settings
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DONE_STATUSES

PROJECT = "mmea-bench"
OFFLINE = "offline"


class WandbTracker(Tracker):
    """Writes ``tracking/wandb`` in the results folder, for ``wandb sync``.

    ``WANDB_MODE``, ``WANDB_PROJECT`` and ``WANDB_DIR`` count; reports of errors to its makers are
    off unless the environment says otherwise.

    Raises:
        ImportError: If wandb is not installed.
    """

    name = "wandb"

    def __init__(self) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb: Any = wandb
        self._runs: dict[str, Any] = {}
        self._common: dict[str, Any] = {}

    def run_started(self, run: TrackedRun) -> None:
        """Notes what the runs of all cells share."""
        folder = os.environ.get("WANDB_DIR") or run.folder_of(self.name)
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - wandb takes the system's place without
        self._common = {
            "project": os.environ.get("WANDB_PROJECT") or PROJECT,
            "mode": os.environ.get("WANDB_MODE") or OFFLINE,
            "dir": str(folder),
            "group": run.folder.resolve().name,
            "job_type": run.suite,
            # Cells overlap, and what this process prints or uses is none of a cell's.
            "reinit": "create_new",
            "settings": self._wandb.Settings(
                silent=True, console="off", x_disable_stats=True, save_code=False, disable_git=True
            ),
        }

    def cell_started(self, cell: TrackedCell) -> None:
        """Begins a run whose axis is the epoch."""
        config = {**cell.settings, "key": cell.key}
        run = self._wandb.init(name=cell.name, config=config, **self._common)
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")
        self._runs[cell.key] = run

    def curve_point(self, cell: TrackedCell, epoch: int, numbers: Mapping[str, float]) -> None:
        """One row of the history."""
        self._runs[cell.key].log({"epoch": epoch, **numbers})

    def cell_ended(self, cell: TrackedCell, record: Record | None) -> None:
        """Final numbers as the summary, parameters as the configuration."""
        run = self._runs.pop(cell.key)
        is_good = record is not None and record.cell["status"] in DONE_STATUSES
        if record is not None:
            run.config.update(final_settings(record), allow_val_change=True)
            words = {"status": record.cell["status"], "reason": record.cell["reason"] or ""}
            run.summary.update({**final_numbers(record), **words})
        run.finish(exit_code=0 if is_good else 1)

    def run_ended(self, n_by_status: Mapping[str, int]) -> None:  # noqa: ARG002
        """Ends what is still open, as after a failure."""
        for run in self._runs.values():
            run.finish(exit_code=1)
