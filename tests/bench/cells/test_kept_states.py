"""A training that is killed or stopped goes on where it was, with the same numbers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmea_bench.bench.cells.execute import _device, execute_cell
from mmea_bench.bench.cells.kept_states import (
    FOLDER,
    CellStates,
    device_words,
    forget_cell,
    remove_old,
)
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.scoring.monitor import Curve
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import SCORING_COLUMNS
from mmea_bench.results.core.store import ResultStore
from tests.cases.small_methods import walking_method


class Monitor:
    def __init__(self) -> None:
        self.points: list[dict[str, object]] = []
        self.seconds = 0.0

    def curve(self, kept: Curve | None = None) -> Curve:
        if kept is not None:
            self.points[:], self.seconds = kept
        return self.points, self.seconds


def states(cache: Path, monitor: Monitor | None = None, every_s: float = 0.0) -> CellStates:
    return CellStates(cache, "key", every_s, (monitor or Monitor()).curve, {})


def command(tmp_path: Path, out: str) -> list[str]:
    method = tmp_path / "walk.py"
    method.write_text(walking_method(), encoding="utf-8")
    words = f"run --no-report --methods walk --method-file {method} --datasets synthetic[n=100]"
    words += f" --seed-ratios 0.3 --repeats 1 --out {tmp_path / out} --checkpoint-every 0.008"
    words += f" --cache-dir {tmp_path / 'cache'}"
    return [sys.executable, "-m", "mmea_bench.bench", *words.split()]


def run(tmp_path: Path, out: str) -> subprocess.CompletedProcess[str]:
    words = command(tmp_path, out)
    return subprocess.run(words, check=False, timeout=120, capture_output=True, text=True)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def numbers(folder: Path) -> list[tuple[object, ...]]:
    """All results and curves of a folder's cells, without what time changes."""
    return [row for record in ResultStore(folder).records() for row in numbers_of(record)]


def numbers_of(record: Record) -> list[tuple[object, ...]]:
    """All results and curves of a cell, without what time changes."""
    columns = (*(column.name for column in SCORING_COLUMNS), "metric", "direction", "value")
    found: list[tuple[object, ...]] = [
        tuple(row[name] for name in columns) for row in record.results
    ]
    found += [(row["epoch"], row["links"], *map(row.get, columns)) for row in record.curves]
    found.append((record.cell["status"], record.cell["epochs"], record.cell["best_epoch"]))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """The numbers of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    whole = run(folder, "whole")
    assert whole.returncode == 0, whole.stderr
    return numbers(folder / "whole")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_training_ends_with_the_numbers_of_an_undisturbed_one(
    tmp_path: Path, number: signal.Signals, undisturbed: list[tuple[object, ...]]
) -> None:
    runner = subprocess.Popen(command(tmp_path, "cut"), stderr=subprocess.DEVNULL)
    kept = tmp_path / "cache" / FOLDER
    wait_for(lambda: bool(list(kept.glob("*/training-1"))), "no state was kept")
    time.sleep(0.3)
    os.kill(runner.pid, number)
    started = time.monotonic()
    runner.wait(timeout=30)
    assert time.monotonic() - started < 10.0
    assert not ResultStore(tmp_path / "cut").done_keys()
    again = run(tmp_path, "cut")
    assert again.returncode == 0, again.stderr
    assert numbers(tmp_path / "cut") == undisturbed
    (record,) = ResultStore(tmp_path / "cut").records()
    assert "continued after epoch" in record.cell["notes"]
    # Both attempts together, 0.05 s an epoch.
    assert record.cell["fit_s"] > 0.95 * 0.05 * record.cell["epochs"]
    assert not list(kept.glob("*/training-1"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_stopped_training_keeps_an_epoch_that_it_tells_of(tmp_path: Path) -> None:
    """Epochs of more than half a second are told of one by one, and the runner has stopped."""
    begun = tmp_path / "begun"
    words = command(tmp_path, "cut")
    words[words.index("--checkpoint-every") + 1] = "10"
    body = f"open({str(begun)!r}, 'w').close()"
    (tmp_path / "walk.py").write_text(walking_method(body=body, epoch_s=0.8), encoding="utf-8")
    runner = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    wait_for(begun.exists, "the training did not begin")
    time.sleep(5.5)  # from then on a stopped training is worth keeping
    os.kill(runner.pid, signal.SIGTERM)
    runner.wait(timeout=30)
    assert list((tmp_path / "cache" / FOLDER).glob("*/training-1"))


def test_a_state_comes_back_with_its_curves(tmp_path: Path) -> None:
    first, monitor = states(tmp_path), Monitor()
    first = states(tmp_path, monitor)
    assert first.next_training() is None
    monitor.points.append({"epoch": 5})
    first.keep(5, b"state")
    fresh = Monitor()
    assert states(tmp_path, fresh).next_training() == (5, b"state")
    assert fresh.points == [{"epoch": 5}]


def test_each_training_loop_of_a_cell_has_its_own_state(tmp_path: Path) -> None:
    first = states(tmp_path)
    for epoch in (3, 4):
        first.next_training()
        first.keep(epoch, b"state of %d" % epoch)
    again = states(tmp_path)
    assert again.next_training() == (3, b"state of 3")
    assert again.next_training() == (4, b"state of 4")
    assert again.next_training() is None


def test_a_state_that_this_user_did_not_sign_is_not_read(tmp_path: Path) -> None:
    first = states(tmp_path)
    first.next_training()
    first.keep(5, b"state")
    path = tmp_path / FOLDER / "key" / "training-1"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert states(tmp_path).next_training() is None


def test_the_signing_key_belongs_to_the_user_alone(tmp_path: Path) -> None:
    first = states(tmp_path)
    first.next_training()
    first.keep(1, b"state")
    (key,) = (tmp_path / FOLDER).glob("signing-key")
    assert key.stat().st_mode & 0o077 == 0
    assert key.stat().st_size == 32


def test_a_state_of_other_library_versions_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = states(tmp_path)
    first.next_training()
    first.keep(5, b"state")
    monkeypatch.setattr(
        "mmea_bench.bench.cells.kept_states.library_versions", lambda: {"torch": "0"}
    )
    assert states(tmp_path).next_training() is None


def test_a_state_of_another_device_is_not_read_and_the_notes_say_so(tmp_path: Path) -> None:
    """Its vectors lie on that device: the optimiser would mix them with those of this one."""
    first = CellStates(tmp_path, "key", 0.0, Monitor().curve, {}, "GPU 0 of 1")
    first.next_training()
    first.keep(5, b"state")
    again = states(tmp_path)
    assert again.next_training() is None
    assert again.notes == [
        "a kept state was not read: it was made on GPU 0 of 1, and this attempt runs on cpu"
    ]
    assert again.seconds_before == 0.0
    on_gpu = CellStates(tmp_path, "key", 0.0, Monitor().curve, {}, "GPU 0 of 1")
    assert on_gpu.next_training() == (5, b"state")


@pytest.mark.parametrize(
    ("n_gpus", "asked", "gpu", "device"),
    [
        (0, "auto", None, "cpu"),
        (1, "auto", 0, "GPU 0 of 1"),
        (1, "cuda:3", 3, "GPU 0 of 1"),  # the process sees the one that it was given
        (4, "cuda:3", None, "GPU 3 of 4"),
        (4, "cpu", None, "cpu beside 4 GPUs"),  # whose generators are part of the state
    ],
)
def test_a_state_is_of_the_device_that_the_process_sees(
    n_gpus: int, asked: str, gpu: int | None, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_gpus > 0)
    cell = Cell("walk", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    job = Job(cell, "key", "suite", None, None, device=asked, gpu=gpu)
    assert device_words(_device(job)) == device


def test_a_full_disk_is_noted_and_tried_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _content: bytes, _mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mmea_bench.bench.cells.kept_states.write_atomic", full)
    first = states(tmp_path)
    first.next_training()
    assert first.is_due
    first.keep(5, b"state")
    assert not first.is_due
    assert "No space left" in first.notes[0]


def test_a_cell_without_a_running_training_ends_at_once(tmp_path: Path) -> None:
    assert not states(tmp_path).ask_to_stop()


def test_states_are_forgotten_with_their_cell_and_after_a_month(tmp_path: Path) -> None:
    first = states(tmp_path)
    first.next_training()
    first.keep(5, b"state")
    remove_old(tmp_path)
    assert states(tmp_path).next_training() is not None
    long_ago = time.time() - 32 * 24 * 3600
    os.utime(tmp_path / FOLDER / "key", (long_ago, long_ago))
    remove_old(tmp_path)
    assert states(tmp_path).next_training() is None
    first.keep(6, b"state")
    forget_cell(tmp_path, "key")
    assert states(tmp_path).next_training() is None


def test_a_state_that_does_not_fit_costs_its_epochs_and_not_the_cell(tmp_path: Path) -> None:
    method = tmp_path / "walk.py"
    method.write_text(walking_method(epochs=4), encoding="utf-8")
    cell = Cell("walk", "full", (), "synthetic[n=100]", 0.3, 1, Protocol(eval_every=1))
    job = Job(cell, "key", "suite", None, tmp_path, "cpu", (method,), 1, states_every_s=60.0)
    undisturbed = execute_cell(job)
    monitor = Monitor()
    torn = states(tmp_path, monitor)
    torn.next_training()
    monitor.points.append({"epoch": 3, "links": "test"})
    torn.keep(3, b"torn")
    again = execute_cell(job)
    assert "a kept state was not used: the snapshot cannot be read" in again.cell["notes"]
    assert numbers_of(again) == numbers_of(undisturbed)
