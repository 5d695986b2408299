"""Trackers hear what happens in a run, and can neither stop nor change it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mmea_bench.bench import api
from mmea_bench.bench.cli.app import app
from mmea_bench.bench.running.progress import SilentProgress
from mmea_bench.bench.tracking.numbers import final_numbers
from mmea_bench.bench.tracking.telling import TellingProgress
from mmea_bench.bench.tracking.tracker import TrackedCell, TrackedRun, Tracker
from mmea_bench.results.core.record import Record
from tests.bench.tracking.runs import FINAL, NAME, job, record, tell, tick


class Recording(Tracker):
    """Writes down what it hears; ``fails_at`` is a call that it raises in."""

    name = "recording"

    def __init__(self, fails_at: str = "") -> None:
        self.heard: list[tuple[Any, ...]] = []
        self._fails_at = fails_at

    def _note(self, *what: Any) -> None:
        self.heard.append(what)
        if what[0] == self._fails_at:
            raise RuntimeError("no room\nand a trace")

    def run_started(self, run: TrackedRun) -> None:
        self._note("run", run.suite, run.n_cells)

    def cell_started(self, cell: TrackedCell) -> None:
        self._note("cell", cell.name)

    def curve_point(self, cell: TrackedCell, epoch: int, numbers: Mapping[str, float]) -> None:
        self._note("point", epoch, dict(numbers))

    def cell_ended(self, cell: TrackedCell, record: Record | None) -> None:
        self._note("end", record and record.cell["status"])

    def run_ended(self, n_by_status: Mapping[str, int]) -> None:
        self._note("over", dict(n_by_status))


@pytest.fixture
def console() -> Console:
    return Console(record=True, quiet=False, file=sys.stderr, width=200)


def test_a_tracker_hears_everything_once_and_in_order(tmp_path: Path, console: Console) -> None:
    tracker = Recording()
    tell(tracker, tmp_path, console)
    assert tracker.heard == [
        ("run", "suite", 1),
        ("cell", NAME),
        ("point", 10, {"valid/hits@1/mean": 0.2, "loss": 0.1}),
        ("point", 20, {"valid/hits@1/mean": 0.4}),  # from the record: no tick had brought it
        ("end", "ok"),
        ("over", {"ok": 1}),
    ]


def test_a_further_number_is_named_by_what_it_was_scored_by() -> None:
    """Under `paper` a cell is also scored by the similarity of its published numbers."""
    made = record(job(), {})
    words = {"metric": "hits@1", "direction": "mean", "decoder": "none", "csls": 0}
    words |= {"ties": "realistic", "inference": None}
    results = [
        {**words, "candidates": "test", "similarity": similarity, "value": value}
        for similarity, value in (("cosine", 0.5), ("manhattan", 0.25))
    ]
    numbers = final_numbers(replace(made, results=results))
    assert (numbers[FINAL], numbers[f"{FINAL}/manhattan"]) == (0.5, 0.25)


def test_a_loss_that_is_not_finite_is_left_out(tmp_path: Path, console: Console) -> None:
    tracker = Recording()
    with TellingProgress(SilentProgress(), [tracker], TrackedRun("s", tmp_path, 1), console) as to:
        to.ticked(job(), replace(tick(10, 0.2), loss=float("nan")))
        to.cell_stopped(job())
        to.cell_stopped(job("another"))  # had not started, so nothing ends
    assert tracker.heard[2:] == [
        ("point", 10, {"valid/hits@1/mean": 0.2}),
        ("end", None),
        ("over", {}),
    ]


def test_a_tracker_that_raises_is_told_of_once_and_closed(tmp_path: Path, console: Console) -> None:
    tracker = Recording(fails_at="point")
    tell(tracker, tmp_path, console)
    assert [what for what, *_more in tracker.heard] == ["run", "cell", "point", "over"]
    assert console.export_text().splitlines() == [
        "Warning: tracker recording failed (RuntimeError: no room) and is told nothing more. The "
        "run goes on."
    ]


def test_a_tracker_that_hangs_does_not_hold_the_run(tmp_path: Path, console: Console) -> None:
    class Hangs(Tracker):
        name = "hangs"

        def cell_started(self, cell: TrackedCell) -> None:
            freed.wait()

    freed = threading.Event()
    tell(Hangs(), tmp_path, console, patience_s=0.05)
    freed.set()
    assert "tracker hangs has not taken everything within 0.05 s" in console.export_text()


def test_all_trackers_together_are_waited_for_once(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waited = [100.0], []

    def join(_thread: threading.Thread, timeout: float | None = None) -> None:
        waited.append(timeout)
        clock[0] += timeout or 0.0

    trackers = [Recording(), Recording()]
    progress = TellingProgress(
        SilentProgress(), trackers, TrackedRun("suite", tmp_path, 1), console, patience_s=8.0
    )
    monkeypatch.setattr(threading.Thread, "join", join)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress:
        pass
    assert waited == [8.0, 0.0]


def test_a_real_run_is_told_and_trackers_are_no_part_of_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMEA_CACHE", str(tmp_path / "cache"))
    tracker, failing = Recording(), Recording(fails_at="end")
    asked: Any = {"repeats": 1, "device": "cpu", "out": tmp_path / "out"}
    told = api.run("random_scores", "synthetic[n=100]", trackers=[tracker, failing], **asked)
    assert told.is_complete
    assert [what for what, *_more in tracker.heard] == ["run", "cell", "end", "over"]
    words = {"methods": ("random_scores",), "datasets": ("synthetic[n=100]",)}
    asked = {**words, **asked, "seed_ratios": (0.3,), "track": ("a name that planning ignores",)}
    planned = api.plan_request(api.Request(**asked))
    assert list(planned.plan.done) == told.cells["key"].tolist()


@pytest.mark.parametrize(
    ("name", "module", "sentence"),
    [
        ("tensorbord", "", "Did you mean 'tensorboard'?"),
        ("tensorboard", "torch.utils.tensorboard", "pip install 'mmea-bench[tensorboard]'"),
        ("mlflow", "mlflow", "pip install 'mmea-bench[mlflow]'"),
        ("wandb", "wandb", "pip install 'mmea-bench[wandb]'"),
    ],
)
def test_a_tracker_that_is_not_there_is_one_sentence(
    name: str, module: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    words = ["run", "--methods", "random_scores", "--datasets", "synthetic[n=100]", "--track", name]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_numbers_of_a_record_have_names_of_their_own() -> None:
    from mmea_bench.bench.tracking.numbers import final_numbers, final_settings

    made = record(job(), {})
    numbers = final_numbers(made)
    assert (numbers[FINAL], numbers[f"{FINAL}/csls3"]) == (0.5, 0.75)
    assert (numbers["cell/fit_s"], numbers["cell/epochs"]) == (1.5, 20.0)
    assert final_settings(made)["parameter.layers"] == "[3, 4]"
