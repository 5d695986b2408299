"""A runner tells how far its cells are, and nothing that others have damaged is believed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mmea_bench.bench.sharing.advances import Advance, Advances, advances_of, advances_path
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.bench.sharing.heartbeats import FOLDER, runners_of


def told(folder: Path, limit_s: float = 20.0) -> dict[str, Advance]:
    """What a runner tells with one of its next heartbeats."""
    limit = time.monotonic() + limit_s
    while not (found := advances_of(folder)) and time.monotonic() < limit:
        time.sleep(0.02)
    return found


def test_time_left_goes_by_the_epochs_of_this_process() -> None:
    """One that was continued after epoch 300 took 10 s for each of 20 further ones."""
    now = [1000.0]
    advances = Advances(lambda: now[0])
    advances.note("cell", 301, 500)
    assert advances.of("cell") == Advance(301, 500, 0.0, None)
    now[0] += 200.0
    advances.note("cell", 321, 500)
    assert advances.of("cell") == Advance(321, 500, 200.0, 1790.0)


def test_a_cell_that_begins_again_is_judged_by_its_new_epochs() -> None:
    now = [0.0]
    advances = Advances(lambda: now[0])
    advances.note("cell", 40, 50)
    now[0] += 100.0
    advances.note("cell", 1, 50)
    now[0] += 3.0
    advances.note("cell", 2, 50)
    assert advances.of("cell") == Advance(2, 50, 3.0, 144.0)


def test_nothing_is_written_without_news() -> None:
    advances = Advances()
    assert advances.news() is None
    advances.note("cell", 1, 2)
    assert json.loads(advances.news() or b"")["cell"]["epoch"] == 1
    assert advances.news() is None
    advances.forget("cell")
    assert advances.news() == b"{}"
    advances.forget("cell")
    assert advances.news() is None


def test_others_see_how_far_a_cell_is_until_it_ends(tmp_path: Path) -> None:
    with Claims(tmp_path, heartbeat_s=0.05) as claims:
        claims.take("cell")
        claims.tell("cell", 3, 8)
        assert told(tmp_path)["cell"].epoch == 3
        claims.release("cell")
        limit = time.monotonic() + 20.0
        while advances_of(tmp_path) and time.monotonic() < limit:
            time.sleep(0.02)
        assert advances_of(tmp_path) == {}
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        '{"cell": 3}',
        '{"cell": {"epoch": 1}}',
        '{"cell": {"epoch": 9, "n_epochs": 8, "seconds": 1, "seconds_left": null}}',
        '{"cell": {"epoch": 1, "n_epochs": 8, "seconds": NaN, "seconds_left": null}}',
        '{"cell": {"epoch": 1, "n_epochs": 8, "seconds": 1, "seconds_left": -5}}',
        '{"cell": {"epoch": "one", "n_epochs": 8, "seconds": 1, "seconds_left": 5}}',
        '{"cell": {"epoch": 1e999, "n_epochs": 8, "seconds": 1, "seconds_left": 5}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: str) -> None:
    with Claims(tmp_path):
        (runner,) = runners_of(tmp_path)
        advances_path(tmp_path / FOLDER, runner.name).write_text(content, encoding="utf-8")
        assert advances_of(tmp_path) == {}
