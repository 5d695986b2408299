"""Whatever a user's exception says, its reason reaches the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmea_bench.bench.cells.execute import execute_cell
from mmea_bench.bench.cells.reasons import LONGEST_REASON, named_message_of, storable
from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.results.core.record import Record

ODD = """
class OddError(Exception):
    def __str__(self):
        {says}
raise OddError()
"""


@pytest.mark.parametrize(
    ("body", "status", "start"),
    [
        (r"raise ValueError('caf\udce9')", "failed", r"ValueError: caf\udce9"),
        (r"raise DivergedError('\ud800 blew up')", "diverged", r"\ud800 blew up"),
        ("raise ValueError('x' * 5_000_000)", "failed", "ValueError: xxxxx"),
        (ODD.format(says="raise RuntimeError('no')"), "failed", "OddError: its message cannot be"),
        (ODD.format(says="return 3"), "failed", "OddError: its message cannot be shown, making it"),
        (ODD.format(says="return str(self)"), "failed", "OddError: its message cannot be shown"),
    ],
)
def test_a_message_that_no_record_can_hold_keeps_a_reason(
    tmp_path: Path, make_method: Any, body: str, status: str, start: str
) -> None:
    cell = Cell("odd", "full", (), "synthetic[n=100]", 0.3, 1, Protocol())
    job = Job(cell, "k", "s", None, tmp_path / "cache", method_files=(make_method("odd", body),))
    record = execute_cell(job)
    assert Record.from_json(record.to_json().encode("utf-8")).cell["status"] == status
    reason = record.cell["reason"]
    where, found, _rest = reason.partition(start)
    assert found
    # Before it, where in the user's file it arose.
    assert not where or where.startswith("odd.py, line ")
    assert len(reason) < 1.1 * LONGEST_REASON


def test_a_huge_message_keeps_both_ends() -> None:
    assert storable("begin" + "x" * 93 + "ended", 10) == "begin [... 93 letters ...] ended"
    assert storable("short", 10) == "short"
    assert named_message_of(ValueError()) == "ValueError: "
