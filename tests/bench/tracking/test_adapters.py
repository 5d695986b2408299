"""Each adapter, offline, read back with its own package; skipped where that is not installed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mmea_bench.bench.tracking.adapters import trackers_of
from tests.bench.tracking.runs import FINAL, NAME, tell

VALID = "valid/hits@1/mean"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder of its own, and no configuration of the user's."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)


def told(name: str, folder: Path) -> Path:
    """Folder of the tracker after a run of one cell, which it has taken without a word."""
    console = Console(record=True)
    (tracker,) = trackers_of([name])
    tell(tracker, folder, console)
    assert console.export_text() == ""
    made = folder / "tracking" / name
    assert sorted(path.name for path in folder.iterdir()) == ["tracking"]
    return made


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = told("tensorboard", tmp_path).glob("*/seu_on_synthetic*_01234567")
    events = EventAccumulator(str(folder)).Reload()
    curve = [(event.step, round(event.value, 6)) for event in events.Scalars(VALID)]
    assert curve == [(10, 0.2), (20, 0.4)]
    assert [(event.step, event.value) for event in events.Scalars(FINAL)] == [(20, 0.5)]
    assert events.Scalars("loss")[0].step == 10
    assert "_hparams_/experiment" in events.summary_metadata


def test_mlflow(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    store = told("mlflow", tmp_path) / "mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(tmp_path.name)
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (NAME, "FINISHED")
    history = client.get_metric_history(run.info.run_id, "valid/hits_at_1/mean")
    assert [(point.step, point.value) for point in history] == [(10, 0.2), (20, 0.4)]
    assert run.data.metrics["final/hits_at_1/mean"] == 0.5
    assert (run.data.params["method"], run.data.params["parameter.rounds"]) == ("seu", "2")
    assert run.data.tags["status"] == "ok"


def wandb_records(content: bytes) -> Iterator[Any]:
    """Records of a small file of wandb: 7 bytes of magic, then checksum, length, kind, message."""
    from wandb.proto.wandb_internal_pb2 import Record

    place = 7
    while place < len(content):
        _checksum, length, _kind = struct.unpack_from("<IHB", content, place)
        yield Record.FromString(content[place + 7 : place + 7 + length])
        place += 7 + length


def test_wandb_stays_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")

    (file,) = told("wandb", tmp_path).glob("wandb/offline-run-*/run-*.wandb")
    history, summary = [], {}
    for record in wandb_records(file.read_bytes()):
        names = {item.nested_key[0]: item.value_json for item in record.history.item}
        history += [(names["epoch"], names[VALID])] if VALID in names else []
        for item in record.summary.update:
            summary[item.key or item.nested_key[0]] = item.value_json
    assert history == [("10", "0.2"), ("20", "0.4")]
    assert (summary[FINAL], summary["status"]) == ("0.5", '"ok"')
