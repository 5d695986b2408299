"""TensorBoard: event files, one folder for each cell of a run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmea_bench.bench.tracking.numbers import final_numbers, final_settings
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.results.core.record import Record

_FLUSH_S = 10
_SHORT_KEY = 8


class TensorBoardTracker(Tracker):
    """Writes ``tracking/tensorboard/<time of the run>/<cell>`` in the results folder.

    Raises:
        ImportError: If TensorBoard is not installed.
    """

    name = "tensorboard"

    def __init__(self) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self._new_writer: Any = SummaryWriter
        self._hparams: Any = hparams
        self._writers: dict[str, Any] = {}
        self._folder = Path()

    def run_started(self, run: TrackedRun) -> None:
        """Names a folder of its own, so that two runs of a cell do not share a curve."""
        self._folder = run.folder_of(self.name) / time.strftime("%Y-%m-%d_%H-%M-%S")

    def cell_started(self, cell: TrackedCell) -> None:
        """Opens the cell's file, with what it is as text."""
        words = re.sub(r"[^\w.-]+", "_", cell.name).strip("_")
        folder = self._folder / f"{words[:100]}_{cell.key[:_SHORT_KEY]}"
        writer = self._new_writer(str(folder), flush_secs=_FLUSH_S)
        writer.add_text("cell", _list(cell.settings))
        self._writers[cell.key] = writer

    def curve_point(self, cell: TrackedCell, epoch: int, numbers: Mapping[str, float]) -> None:
        """One scalar for each number."""
        for name, value in numbers.items():
            self._writers[cell.key].add_scalar(name, value, epoch)

    def cell_ended(self, cell: TrackedCell, record: Record | None) -> None:
        """Final numbers at the last epoch, settings for the tab HPARAMS, and how it ended."""
        writer = self._writers.pop(cell.key)
        if record is None:
            writer.add_text("ending", "stopped")
        else:
            numbers = final_numbers(record)
            for name, value in numbers.items():
                writer.add_scalar(name, value, record.cell["epochs"] or 0)
            settings = {**cell.settings, **final_settings(record)}
            results = {name: value for name, value in numbers.items() if name.startswith("final/")}
            for summary in self._hparams(settings, results):
                writer.file_writer.add_summary(summary)
            ending = f"{record.cell['status']}: {record.cell['reason'] or ''}"
            writer.add_text("ending", ending.rstrip(": "))
        writer.close()

    def run_ended(self, n_by_status: Mapping[str, int]) -> None:  # noqa: ARG002
        """Closes what is still open."""
        for writer in self._writers.values():
            writer.close()


def _list(settings: Mapping[str, object]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in settings.items())
