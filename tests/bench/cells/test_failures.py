"""What is said of a cell that could not write its own record."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mmea_bench.bench.cells import memory_kills
from mmea_bench.bench.cells.failures import record_of
from mmea_bench.bench.cells.memory_kills import n_memory_kills
from mmea_bench.bench.cells.process import Ending
from mmea_bench.bench.cells.worker import EXIT_STOPPED
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.scoring.protocol import Protocol

CELL = Cell("random_scores", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
JOB = Job(CELL, "k1", "suite", None, None)


@pytest.mark.parametrize(
    ("n_kills", "status", "reason"),
    [
        (1, "out_of_memory", "killed by the kernel for lack of memory"),
        (0, "failed", "killed from outside (SIGKILL), not for lack of memory: by hand"),
        (None, "failed", "killed from outside (SIGKILL): for lack of memory, by hand"),
    ],
)
def test_a_kill_is_for_lack_of_memory_only_if_the_kernel_says_so(
    n_kills: int | None, status: str, reason: str
) -> None:
    ending = Ending("gone", exit_code=-signal.SIGKILL, n_memory_kills=n_kills)
    cell = record_of(JOB, ending).cell
    assert cell["status"] == status
    assert reason in cell["reason"]


@pytest.mark.parametrize("exit_code", [-signal.SIGTERM, EXIT_STOPPED])
def test_a_cell_that_others_asked_to_end_says_so(exit_code: int) -> None:
    cell = record_of(JOB, Ending("gone", exit_code=exit_code)).cell
    assert cell["status"] == "failed"
    assert cell["reason"].startswith("ended from outside (SIGTERM): by hand")


def test_the_kernels_count_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(memory_kills, "_COUNTERS", counters)
    assert n_memory_kills() is None
    counters.write_text("nr_free_pages 7\noom_kill 12\n")
    assert n_memory_kills() == 12
