"""Synthetic runs without a training: jobs, ticks and records as a cell would give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mmea_bench.bench.cells.messages import CurvePoint, Tick
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job, failure_record
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.tracking.telling import TellingProgress
from mmea_bench.bench.tracking.tracker import TrackedRun, Tracker
from mmea_bench.results.core.record import Record

NAME = "seu on synthetic[n=100], ratio 0.3, #1"
FINAL = "final/hits@1/mean"


def job(key: str = "0123456789abcdef") -> Job:
    cell = Cell("seu", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    return Job(cell, key, "suite", None, None, "cpu")


def record(of: Job, curve: dict[int, float]) -> Record:
    """A cell that ended ok; its curve is epoch to Hits@1 on the validation links."""
    made = failure_record(of, "ok", "", epochs=20, fit_s=1.5, device="cpu")
    point = {"links": "valid", "metric": "hits@1", "direction": "mean"}
    number = {"metric": "hits@1", "direction": "mean", "decoder": "none", "candidates": "test"}
    return replace(
        made,
        results=[{**number, "csls": 0, "value": 0.5}, {**number, "csls": 3, "value": 0.75}],
        curves=[{**point, "epoch": epoch, "value": value} for epoch, value in curve.items()],
        configuration={"parameters": {"rounds": 2, "layers": [3, 4]}},
    )


def tick(epoch: int, value: float) -> Tick:
    return Tick(epoch, 20, 1.0 / epoch, (CurvePoint(epoch, "valid", "hits@1", "mean", value),))


def tell(tracker: Tracker, folder: Path, console: Console, patience_s: float = 60.0) -> None:
    """A run of one cell whose last point of the curve no tick has brought."""
    run = TrackedRun("suite", folder, 1)
    with TellingProgress(SilentProgress(), [tracker], run, console, patience_s) as progress:
        cell = job()
        progress.cell_started(cell)
        progress.ticked(cell, tick(10, 0.2))
        progress.cell_ended(cell, record(cell, {10: 0.2, 20: 0.4}), 1.0)
