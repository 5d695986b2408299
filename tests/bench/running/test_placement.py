"""Cells share memory, GPUs and cores without overbooking them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job, Length
from mmea_bench.bench.running.estimate import CellTimes
from mmea_bench.bench.running.placement import Gate, Machine, with_needs
from mmea_bench.bench.scoring.protocol import Protocol
from tests.reports.reports_factory import make_record

GPU_MIB = 1000.0


def job(key: str, memory_mib: float = 0.0, gpu_memory_mib: float = 0.0) -> Job:
    cell = Cell(key, "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    place = {"suite": "s", "data_root": None, "cache_dir": Path("cache")}
    return Job(cell, key, **place, memory_mib=memory_mib, gpu_memory_mib=gpu_memory_mib)


def is_let_in(gate: Gate, newcomer: Job) -> bool:
    """Whether a cell starts while others run; it leaves at once."""
    entered = threading.Event()

    def enter() -> None:
        with gate.room(newcomer):
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    return entered.wait(0.2)


def test_a_cell_waits_until_its_memory_is_free() -> None:
    gate = Gate(Machine(memory_mib=1000.0))
    with gate.room(job("large", 800.0)):
        assert is_let_in(gate, job("small", 200.0))
        assert not is_let_in(gate, job("middle", 300.0))


def test_a_waiting_cell_starts_when_another_one_ends() -> None:
    gate = Gate(Machine(memory_mib=1000.0))
    entered = threading.Event()

    def enter() -> None:
        with gate.room(job("second", 800.0)):
            entered.set()

    with gate.room(job("first", 800.0)):
        threading.Thread(target=enter, daemon=True).start()
        time.sleep(0.05)
        assert not entered.is_set()
    assert entered.wait(5.0)


def test_a_cell_larger_than_the_machine_runs_alone() -> None:
    gate = Gate(Machine(memory_mib=1000.0))
    assert is_let_in(gate, job("huge", 5000.0))
    with gate.room(job("huge", 5000.0)):
        assert not is_let_in(gate, job("other", 1.0))


def test_the_end_of_a_run_lets_waiting_cells_pass() -> None:
    gate = Gate(Machine(memory_mib=1000.0))
    with gate.room(job("large", 1000.0)):
        gate.open()
        assert is_let_in(gate, job("other", 500.0))


def test_cells_go_to_the_gpu_with_the_fewest_cells() -> None:
    gate = Gate(Machine(1e6, (GPU_MIB, GPU_MIB)), cells_per_gpu=2)
    with gate.room(job("a")) as first, gate.room(job("b")) as second, gate.room(job("c")) as third:
        assert (first.gpu, second.gpu, third.gpu) == (0, 1, 0)
        with gate.room(job("d")) as fourth:
            assert fourth.gpu == 1
            assert not is_let_in(gate, job("e"))


def test_a_gpu_that_was_named_takes_all_cells() -> None:
    gate = Gate(Machine(1e6, (GPU_MIB, GPU_MIB)), cells_per_gpu=2)
    named = [replace(job(key), device="cuda:1") for key in "ab"]
    with gate.room(named[0]) as first, gate.room(named[1]) as second:
        assert (first.gpu, second.gpu) == (1, 1)


def test_packing_by_measured_memory() -> None:
    gate = Gate(Machine(1e6, (GPU_MIB,)), cells_per_gpu="auto")
    with gate.room(job("a", gpu_memory_mib=400.0)):
        assert is_let_in(gate, job("b", gpu_memory_mib=600.0))
        assert not is_let_in(gate, job("c", gpu_memory_mib=700.0))
        assert not is_let_in(gate, job("unmeasured"))


def test_without_a_gpu_no_cell_is_given_one() -> None:
    with Gate(Machine(1e6)).room(job("a")) as placed:
        assert placed.gpu is None


def test_longest_cells_first_and_unknown_ones_in_their_order() -> None:
    ended = [make_record(name, 0.5, fit_s=seconds) for name, seconds in (("short", 1), ("long", 9))]
    times = CellTimes(ended)
    order = [found.key for found in with_needs([job("short"), job("long")], times)]
    assert order == ["long", "short"]
    unknown = [job("x"), job("y")]
    assert [found.key for found in with_needs(unknown, CellTimes())] == ["x", "y"]


def test_a_cell_of_more_epochs_counts_as_longer() -> None:
    ended = make_record("eva", 0.5, fit_s=10.0, eval_s=0.0, epochs=100)
    times = CellTimes([replace(ended, configuration={"parameters": {"epochs": 100}})])
    jobs = [replace(job("a"), cell=replace(job("a").cell, method="eva"))]
    jobs.append(replace(jobs[0], key="b"))
    lengths = {"a": Length(100), "b": Length(400)}
    assert [found.key for found in with_needs(jobs, times, lengths)] == ["b", "a"]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_job_keeps_everything_but_its_needs(share: float) -> None:
    given = replace(job("a"), deadline_s=share)
    (found,) = with_needs([given], CellTimes())
    assert found == given
