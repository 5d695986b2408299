"""MLflow: one run for each cell, in a database of the results folder or where the user says."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmea_bench.bench.tracking.numbers import final_numbers, final_settings
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import DONE_STATUSES

DATABASE = "mlflow.db"
_MOST_PARAMETERS = 100
_MOST_METRICS = 500
_LONGEST_VALUE = 6000


class MlflowTracker(Tracker):
    """Writes ``tracking/mlflow/mlflow.db``, or to the tracking URI that the user has set.

    MLflow's usage statistics, which it would send to its makers, are off unless the environment
    says otherwise.

    Raises:
        ImportError: If MLflow is not installed.
    """

    name = "mlflow"

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow
        import sqlalchemy  # noqa: F401 - the local database needs it, which MLflow finds late
        from mlflow.entities import Metric, Param

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        self._mlflow: Any = mlflow
        self._metric: Any = Metric
        self._parameter: Any = Param
        self._client: Any = None
        self._experiment = ""
        self._tags: dict[str, str] = {}
        self._runs: dict[str, str] = {}

    def run_started(self, run: TrackedRun) -> None:
        """Finds or makes the experiment, which bears the name of the results folder."""
        place, artifacts = None, None
        if not self._mlflow.tracking.is_tracking_uri_set():
            folder = run.folder_of(self.name)
            folder.mkdir(parents=True, exist_ok=True)
            place = f"sqlite:///{folder / DATABASE}"
            artifacts = (folder / "artifacts").as_uri()
        self._client = self._mlflow.MlflowClient(tracking_uri=place)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.folder.resolve().name
        found = self._client.get_experiment_by_name(name)
        self._experiment = (
            self._client.create_experiment(name, artifact_location=artifacts)
            if found is None
            else found.experiment_id
        )
        self._tags = {"suite": run.suite, "results_folder": str(run.folder.resolve())}

    def cell_started(self, cell: TrackedCell) -> None:
        """Begins a run of the experiment."""
        tags = {**self._tags, "key": cell.key}
        made = self._client.create_run(self._experiment, run_name=cell.name, tags=tags)
        self._runs[cell.key] = made.info.run_id
        self._log_parameters(cell.key, cell.settings)

    def curve_point(self, cell: TrackedCell, epoch: int, numbers: Mapping[str, float]) -> None:
        """One metric for each number, the epoch as its step."""
        self._log_metrics(cell.key, numbers, epoch)

    def cell_ended(self, cell: TrackedCell, record: Record | None) -> None:
        """Final numbers, parameters and status."""
        run_id = self._runs[cell.key]
        if record is None:
            self._client.set_terminated(run_id, "KILLED")
        else:
            status, reason = record.cell["status"], record.cell["reason"]
            self._log_metrics(cell.key, final_numbers(record), record.cell["epochs"] or 0)
            self._log_parameters(cell.key, final_settings(record))
            self._client.set_tag(run_id, "status", status)
            if reason:
                self._client.set_tag(run_id, "reason", str(reason)[:_LONGEST_VALUE])
            self._client.set_terminated(run_id, "FINISHED" if status in DONE_STATUSES else "FAILED")
        del self._runs[cell.key]

    def run_ended(self, n_by_status: Mapping[str, int]) -> None:  # noqa: ARG002
        """Ends what is still open, as after a failure."""
        for run_id in self._runs.values():
            self._client.set_terminated(run_id, "KILLED")

    def _log_metrics(self, key: str, numbers: Mapping[str, float], step: int) -> None:
        now = int(1000 * time.time())
        made = [self._metric(_allowed(name), value, now, step) for name, value in numbers.items()]
        for part in _parts(made, _MOST_METRICS):
            self._client.log_batch(self._runs[key], metrics=part)

    def _log_parameters(self, key: str, settings: Mapping[str, object]) -> None:
        made = [
            self._parameter(_allowed(name), str(value)[:_LONGEST_VALUE])
            for name, value in settings.items()
        ]
        for part in _parts(made, _MOST_PARAMETERS):
            self._client.log_batch(self._runs[key], params=part)


def _allowed(name: str) -> str:
    """A name with the letters that MLflow allows: ``hits@1`` is ``hits_at_1``."""
    return re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))


def _parts(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
