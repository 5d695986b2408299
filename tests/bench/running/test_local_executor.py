"""Cells are asked for, and so claimed, when there is a place for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmea_bench.bench.cells.process import Ending
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.local_executor import LocalExecutor
from mmea_bench.bench.running.placement import Gate, Machine
from mmea_bench.bench.running.progress import SilentProgress
from tests.bench.tracking import runs

KEYS = ("first", "second", "third", "last")


class Hands:
    """Runs the second cell at once, the others until they may go on."""

    is_stopped = False

    def __init__(self) -> None:
        self.third_runs, self.may_go_on = threading.Event(), threading.Event()

    def run(self, job: Job, _ticked: Callable[..., object]) -> Ending:
        if job.key == "third":
            self.third_runs.set()
        if job.key != "second":
            assert self.may_go_on.wait(20)
        return Ending("stopped")

    def stop(self) -> None:
        self.may_go_on.set()


def test_no_more_cells_are_claimed_than_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executor = LocalExecutor(2, tmp_path, (), Gate(Machine(memory_mib=1000.0)))
    hands, claimed = Hands(), list[str]()
    monkeypatch.setattr(executor, "_launcher", hands)

    def jobs() -> Iterator[Job]:
        for key in KEYS:
            claimed.append(key)
            yield runs.job(key)

    endings = executor.run(jobs(), SilentProgress())
    ended = [next(endings).job.key]
    assert hands.third_runs.wait(20)
    assert claimed == ["first", "second", "third"]

    hands.may_go_on.set()
    ended += [done.job.key for done in endings]
    assert ended[0] == "second"
    assert sorted(ended) == sorted(KEYS)
