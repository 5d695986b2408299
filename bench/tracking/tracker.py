"""What a tracker is told of a run: the contract, for the adapters and for listeners of users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.results.core.record import Record

TRACKING_FOLDER = "tracking"


@dataclass(frozen=True)
class TrackedRun:
    """A run, as a tracker sees it.

    Attributes:
        suite: Name of the suite.
        folder: Results folder.
        n_cells: Cells that the run is to train.
    """

    suite: str
    folder: Path
    n_cells: int

    def folder_of(self, tracker: str) -> Path:
        """Where a tracker keeps its files, inside the results folder."""
        return self.folder.resolve() / TRACKING_FOLDER / tracker


@dataclass(frozen=True)
class TrackedCell:
    """A cell, as a tracker sees it.

    Attributes:
        key: Key of its record.
        name: The cell in a few words.
        settings: Column to value of what is known before it trains: method, variant, dataset, seed
            ratio, repeat, protocol, device, overridden parameters.
    """

    key: str
    name: str
    settings: Mapping[str, str | int | float]


class Tracker:
    """Listener of a run; a subclass overrides what it wants to hear.

    All calls of a run come from one thread of its own, in order: ``run_started``, then for each
    cell ``cell_started``, ``curve_point`` any number of times, ``cell_ended``; cells may overlap.
    At last ``run_ended``. What it raises is printed once; then it hears ``run_ended`` alone.
    A tracker cannot change a run: cells are processes of their own, and do not wait for it.

    Attributes:
        name: For messages.
    """

    name = "tracker"

    def run_started(self, run: TrackedRun) -> None:
        """A run begins; what is done already is not told."""

    def cell_started(self, cell: TrackedCell) -> None:
        """A cell's process starts."""

    def curve_point(self, cell: TrackedCell, epoch: int, numbers: Mapping[str, float]) -> None:
        """Numbers of an epoch.

        Args:
            cell: Whose training it is.
            epoch: Epochs trained.
            numbers: Name to finite value: ``loss``, and ``links/metric/direction`` such as
                ``valid/hits@1/mean`` where the curve has a point. Each point is told once.
        """

    def cell_ended(self, cell: TrackedCell, record: Record | None) -> None:
        """A cell ended, well or not; the record is on disk, and None where the run was stopped."""

    def run_ended(self, n_by_status: Mapping[str, int]) -> None:
        """The run ends; everything is to be on disk when this returns.

        Args:
            n_by_status: Cells of this run by the way they ended.
        """
