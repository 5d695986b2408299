"""One trial: a cell of its own process, scored on validation links, watched while it trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmea_bench.bench.cells.failures import record_of
from mmea_bench.bench.cells.kept_states import forget_cell
from mmea_bench.bench.cells.messages import Tick
from mmea_bench.bench.cells.process import Ending, Launcher
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.planning.keys import keyed
from mmea_bench.bench.planning.plan import Place
from mmea_bench.bench.running.placement import Gate, Machine
from mmea_bench.bench.tuning.sampler import Trial
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.store import ResultStore

TRIALS_FOLDER = "trials"
_LOGS = "logs"
_LEAST_S = 0.1
"""Counted for what takes no time, so that a budget in minutes ends."""

_KEPT = ("ok", "diverged")
"""Ways to end that another attempt would repeat."""


@dataclass(frozen=True)
class Ran:
    """How a trial ended.

    Attributes:
        status: ``ok``, ``pruned``, ``stopped`` because the tuning ends, or as cells end.
        value: Validation score, of one that ended ok.
        seconds: Time that it took; of an earlier equal trial, whose record counts again, its own.
        reason: Why it has no value.
        key: Of its record.
    """

    status: str
    value: float | None
    seconds: float
    reason: str
    key: str


class TrialRunner:
    """Runs trials, several at once if several threads ask.

    Args:
        folder: Folder of the tuning; records lie in ``trials/cells``.
        place: Where cells run.
        versions: Dataset to content hash.
        n_threads: Processor threads of a trial.
        preload: Modules that are loaded before the first cell.
    """

    def __init__(
        self,
        folder: Path,
        place: Place,
        versions: dict[str, str],
        n_threads: int,
        preload: Sequence[str],
    ) -> None:
        self._store = ResultStore(folder / TRIALS_FOLDER)
        self._place, self._versions, self._n_threads = place, versions, n_threads
        self._launcher = Launcher(folder / TRIALS_FOLDER / _LOGS, preload)
        self._gate = Gate(Machine.this(place.device))

    @property
    def is_stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._launcher.is_stopped

    def stop(self) -> None:
        """Ends running trials within a moment."""
        self._launcher.stop()
        self._gate.open()

    def record(self, key: str) -> Record | None:
        """The record of a trial."""
        return self._store.record(key)

    def run(self, cell: Cell, trial: Trial, deadline_s: float | None) -> Ran:
        """Runs a trial; values that were tried before are not trained again.

        Args:
            cell: With the values of the trial.
            trial: Gets the points of the validation curve; decides whether to go on.
            deadline_s: Seconds allowed.
        """
        try:
            ((bare_key, _cell),) = keyed([cell], self._versions, self._place.method_files)
        except UserError as error:  # values that are fine one by one may contradict each other
            return Ran("failed", None, _LEAST_S, str(error), "")
        job = self._job(cell, f"trial-{bare_key}", deadline_s)
        known = self._store.record(job.key)
        if known is not None and known.cell["status"] in _KEPT:
            seconds = float(known.cell["fit_s"] or 0.0) + float(known.cell["eval_s"] or 0.0)
            return _judged(known, trial, cell, max(_LEAST_S, seconds))
        started = time.monotonic()
        with self._gate.room(job) as placed:
            ending = self._launcher.run(
                placed, lambda tick: _watch(trial, tick, cell), lambda: trial.pruned_at is None
            )
        return self._ended(job, ending, trial, time.monotonic() - started)

    def _ended(self, job: Job, ending: Ending, trial: Trial, seconds: float) -> Ran:
        if ending.how == "stopped" and trial.pruned_at is None:
            return Ran("stopped", None, seconds, "", job.key)
        if self._place.cache_dir is not None:
            forget_cell(self._place.cache_dir, job.key)
        if ending.how == "stopped":
            return _pruned(trial, seconds, job.key)
        record = record_of(job, ending)
        self._store.write(record)
        return _judged(record, trial, job.cell, seconds)

    def _job(self, cell: Cell, key: str, deadline_s: float | None) -> Job:
        job = self._place.job(
            cell,
            key,
            suite="tuning",
            threads=self._n_threads,
            deadline_s=deadline_s,
            dataset_version=self._versions[cell.dataset],
        )
        return replace(job, scored_on="valid")


def _watch(trial: Trial, tick: Tick, cell: Cell) -> None:
    watched = _watched(cell)
    for point in tick.points:
        if (point.links, point.metric, point.direction) == watched:
            trial.watch(point.epoch, point.value)


def _watched(cell: Cell) -> tuple[str, str, str]:
    """Links, metric and direction of the curve that a trial is judged by."""
    stop = cell.protocol.stop_score(None)
    return "valid", stop.metric, stop.direction


def curve_of(record: Record, cell: Cell) -> list[tuple[int, float]]:
    """Epochs and scores of a trial's validation curve; the last one is what it returned."""
    watched = _watched(cell)
    return [
        (int(row["epoch"]), float(row["value"]))
        for row in record.curves
        if (row["links"], row["metric"], row["direction"]) == watched
    ]


def _judged(record: Record, trial: Trial, cell: Cell, seconds: float) -> Ran:
    status = str(record.cell["status"])
    if status != "ok":
        return Ran(status, None, seconds, str(record.cell["reason"] or ""), record.key)
    *earlier, (_epoch, value) = curve_of(record, cell)
    for epoch, seen in earlier:
        trial.watch(epoch, seen)
    if trial.pruned_at is not None:
        return _pruned(trial, seconds, record.key)
    return Ran("ok", value, seconds, "", record.key)


def _pruned(trial: Trial, seconds: float, key: str) -> Ran:
    epoch, value = trial.pruned_at or (0, 0.0)
    reason = f"{value:.3f} at epoch {epoch} is below the median of the others there"
    return Ran("pruned", None, seconds, reason, key)


def trial_cell(cell: Cell, changes: dict[str, object]) -> Cell:
    """A cell with the values of a trial above its own overrides."""
    overrides = {**dict(cell.overrides), **changes}
    return replace(cell, overrides=tuple(sorted(overrides.items())))
