"""Interrupts and a cell's process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mmea_bench.bench.cells import process
from mmea_bench.bench.cells.limits import interrupts_held, own_process_group
from mmea_bench.bench.cells.process import _Watch
from mmea_bench.bench.planning.job import Job

pytestmark = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(),
    reason="this system starts processes without a server",
)


class SlowToArrive:
    """Needs a moment to be unpickled, and says that it has begun."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.begun.touch()
        time.sleep(0.5)


def joins_its_group(_slow: SlowToArrive) -> None:
    own_process_group()


def waits_for_an_interrupt(ready: Path) -> None:
    own_process_group()
    ready.touch()
    time.sleep(30)


def wait_for(path: Path) -> None:
    limit = time.monotonic() + 30
    while not path.exists() and time.monotonic() < limit:
        time.sleep(0.01)


def started(target: Any, *arguments: Any) -> Any:
    process = multiprocessing.get_context("forkserver").Process(target=target, args=arguments)
    with interrupts_held():
        process.start()
    return process


def test_an_interrupt_does_not_end_a_process_that_is_being_made(tmp_path: Path) -> None:
    process = started(joins_its_group, SlowToArrive(tmp_path / "begun"))
    wait_for(tmp_path / "begun")
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 0


def test_a_process_of_its_own_group_hears_interrupts_again(tmp_path: Path) -> None:
    process = started(waits_for_an_interrupt, tmp_path / "ready")
    wait_for(tmp_path / "ready")
    os.kill(process.pid, signal.SIGINT)
    process.join(timeout=20)
    assert process.exitcode == 1  # a KeyboardInterrupt


def test_interrupts_come_through_once_the_process_has_started() -> None:
    with interrupts_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [([], 6.0), ([(1, 3.0)], 6.0), ([(1, 3.0), (3, 23.0)], 26.0), ([(1, 3.0), (2, 203.0)], 90.0)],
    ids=["no epoch yet", "one tick", "ten seconds an epoch", "no longer than a minute and a half"],
)
def test_a_stopped_training_has_two_epochs_time_to_keep_its_state(
    monkeypatch: pytest.MonkeyPatch, ticks: list[tuple[int, float]], expected: float
) -> None:
    watch = _Watch(cast(Job, None), cast(BaseProcess, SimpleNamespace(pid=os.getpid())), bool)
    for epoch, moment in ticks:
        monkeypatch.setattr(process.time, "monotonic", lambda moment=moment: moment)
        watch.ticked(epoch)
    assert watch.keep_state_s() == pytest.approx(expected)
