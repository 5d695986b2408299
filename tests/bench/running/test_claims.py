"""Two runners on one folder: each cell is run by one of them, and the dead hold nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mmea_bench.bench.running.claims import Claims
from mmea_bench.bench.running.heartbeats import FOLDER, claims_of, owner_of, runners_of
from mmea_bench.results.core.store import ResultStore
from tests.cases.odd_files import ODD_FILES
from tests.cases.small_methods import notes_start, random_method


def test_a_claimed_cell_is_not_free_for_others(tmp_path: Path) -> None:
    with Claims(tmp_path) as first, Claims(tmp_path) as second:
        assert first.take("cell")
        assert not second.take("cell")
        assert not second.is_free("cell")
        first.release("cell")
        assert second.take("cell")


def test_a_claim_is_given_back_at_the_end(tmp_path: Path) -> None:
    with Claims(tmp_path) as first:
        first.take("cell")
    with Claims(tmp_path) as second:
        assert second.take("cell")
    assert not (tmp_path / FOLDER).exists()


def test_of_many_that_claim_at_once_one_gets_the_cell(tmp_path: Path) -> None:
    runners = [Claims(tmp_path).__enter__() for _ in range(8)]
    got: list[bool] = []
    start = threading.Barrier(len(runners))

    def claim(runner: Claims) -> None:
        start.wait()
        got.append(runner.take("cell"))

    threads = [threading.Thread(target=claim, args=(runner,)) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for runner in runners:
        runner.__exit__(None, None, None)
    assert sorted(got) == [False] * 7 + [True]


def test_the_claim_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from mmea_bench.bench.running.claims import Claims\n"
        f"runner = Claims(Path({str(tmp_path)!r})).__enter__(); runner.take('cell')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert runners_of(tmp_path) == []
    with Claims(tmp_path) as other:
        assert other.take("cell")


def pretend_other_host(folder: Path, beat: int) -> None:
    """The runner files as if their processes ran elsewhere."""
    for path in (folder / FOLDER).glob("runner-*.json"):
        about = {**json.loads(path.read_text()), "host": "elsewhere", "beat": beat}
        path.write_text(json.dumps(about))


def test_a_runner_elsewhere_counts_while_its_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("mmea_bench.bench.running.claims.time.monotonic", lambda: now)
    with Claims(tmp_path, heartbeat_s=1e6) as far:
        far.take("cell")
        pretend_other_host(tmp_path, 1)
        with Claims(tmp_path, heartbeat_s=1e6, stale_after_s=60.0) as near:
            assert not near.take("cell")
            now = 59.0
            assert not near.take("cell")
            pretend_other_host(tmp_path, 2)
            now = 118.0
            assert not near.take("cell")
            now = 179.0
            assert near.take("cell")


def test_a_wrong_clock_frees_nothing(tmp_path: Path) -> None:
    with Claims(tmp_path, heartbeat_s=1e6) as far:
        far.take("cell")
        pretend_other_host(tmp_path, 1)
        for path in (tmp_path / FOLDER).iterdir():
            os.utime(path, (0, 0))
        with Claims(tmp_path) as near:
            assert not near.take("cell")


def test_a_claim_that_was_taken_over_is_not_given_back(tmp_path: Path) -> None:
    with Claims(tmp_path, heartbeat_s=1e6) as slow:
        slow.take("cell")
        pretend_other_host(tmp_path, 1)
        with Claims(tmp_path, stale_after_s=0.0) as fast:
            assert fast.take("cell")
            slow.release("cell")
            assert not fast.is_free("cell") or fast.take("cell")
            assert (tmp_path / FOLDER / "cell").exists()


def test_hearts_beat(tmp_path: Path) -> None:
    with Claims(tmp_path, heartbeat_s=0.01):
        (path,) = (tmp_path / FOLDER).glob("runner-*.json")
        limit = time.monotonic() + 10.0
        while json.loads(path.read_text())["beat"] < 2:
            assert time.monotonic() < limit
            time.sleep(0.01)


def test_torn_files_of_runners_are_no_runners(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "runner-1.json").write_text("{")
    (tmp_path / FOLDER / "runner-2.json").write_text('["x"]')
    assert runners_of(tmp_path) == []


def test_two_runs_of_one_command_share_the_cells(tmp_path: Path) -> None:
    method = tmp_path / "counted.py"
    body = notes_start(tmp_path / "started", "time.sleep(0.1)")
    method.write_text(random_method(body), encoding="utf-8")
    words = f"run --methods counted --method-file {method} --datasets synthetic[n=100] --json"
    words += f" --seed-ratios 0.3 --repeats 12 --out {tmp_path / 'out'}"
    command = [sys.executable, "-m", "mmea_bench.bench", *words.split()]
    command += ["--cache-dir", str(tmp_path / "cache")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    printed = [run.communicate(timeout=180) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], printed
    started = Counter(line.split()[1] for line in (tmp_path / "started").read_text().splitlines())
    assert len(started) == 12
    assert set(started.values()) == {1}
    assert len(ResultStore(tmp_path / "out").done_keys()) == 12
    shares = [json.loads(out)["n_by_status"].get("ok", 0) for out, _ in printed]
    assert sum(shares) == 12


def dead_elsewhere(folder: Path, cell: str = "cell", age_s: float = 3600.0) -> None:
    """What a runner leaves that was on another host and was killed so long ago."""
    claims = folder / FOLDER
    claims.mkdir(parents=True, exist_ok=True)
    about = {"host": "elsewhere", "pid": 77, "started": 1.0, "beat": 3}
    (claims / "runner-abcdef.json").write_text(json.dumps(about))
    (claims / "plan-abcdef.json").write_text("{}")
    (claims / cell).write_text("abcdef")
    (claims / f".{cell}.abcdef").write_text("abcdef")
    long_ago = time.time() - age_s
    for path in claims.iterdir():
        os.utime(path, (long_ago, long_ago))


def test_a_runner_elsewhere_whose_heartbeat_is_old_is_none(tmp_path: Path) -> None:
    dead_elsewhere(tmp_path)
    assert runners_of(tmp_path) == []
    assert claims_of(tmp_path) == {}
    dead_elsewhere(tmp_path, age_s=0.0)
    assert [str(runner) for runner in runners_of(tmp_path)] == ["process 77 on elsewhere"]
    assert set(claims_of(tmp_path)) == {"cell"}


def test_how_old_a_heartbeat_is_tells_the_folders_clock(tmp_path: Path) -> None:
    """What was written later by the same clock, though this machine's is two minutes behind."""
    dead_elsewhere(tmp_path, age_s=-120.0)
    assert len(runners_of(tmp_path)) == 1
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "later.json").touch()
    later = time.time() + 200.0
    os.utime(tmp_path / "cells" / "later.json", (later, later))
    assert runners_of(tmp_path) == []


def test_an_old_heartbeat_is_waited_for_by_two_beats_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("mmea_bench.bench.running.claims.time.monotonic", lambda: now)
    dead_elsewhere(tmp_path)
    with Claims(tmp_path, heartbeat_s=5.0) as near:
        assert not near.take("cell")
        now = 11.9
        assert not near.take("cell")
        now = 12.1
        assert near.take("cell")


def test_what_the_dead_have_left_is_removed(tmp_path: Path) -> None:
    dead_elsewhere(tmp_path)
    with Claims(tmp_path, heartbeat_s=0.01, stale_after_s=1.0):
        time.sleep(0.1)
    assert not (tmp_path / FOLDER).exists()


def test_of_a_runner_that_lives_nothing_is_removed(tmp_path: Path) -> None:
    with Claims(tmp_path, planned={"identity": "key"}) as first:
        first.take("cell")
        before = sorted((tmp_path / FOLDER).iterdir())
        with Claims(tmp_path) as second:
            assert not second.take("cell")
        assert sorted((tmp_path / FOLDER).iterdir()) == before


def test_others_are_found_by_what_they_plan(tmp_path: Path) -> None:
    with Claims(tmp_path, planned={"a": "1"}), Claims(tmp_path) as second:
        assert second.other(lambda plan: plan == {"a": "1"}) is not None
        assert second.other(lambda plan: plan is None) is None
        dead_elsewhere(tmp_path)
    with Claims(tmp_path, heartbeat_s=0.1) as third:
        assert third.other(lambda _plan: True) is None


def test_a_claim_is_taken_from_the_runner_that_is_gone_and_from_no_other(tmp_path: Path) -> None:
    """Two see a dead runner's claim; the slower one may not remove the claim of the faster one."""
    with Claims(tmp_path) as fast, Claims(tmp_path) as slow:
        (tmp_path / FOLDER / "cell").write_text("gone")
        fast._remove("cell", "gone")
        assert fast.take("cell")
        slow._remove("cell", "gone")
        assert not slow.take("cell")
        assert owner_of(tmp_path / FOLDER / "cell") == fast._id


@pytest.mark.parametrize("kind", ODD_FILES)
def test_odd_files_among_the_claims_hold_nothing_up(tmp_path: Path, kind: str) -> None:
    claims = tmp_path / FOLDER
    claims.mkdir()
    for name in ("cell", "runner-abc.json", "plan-abc.json", "runner-..json"):
        ODD_FILES[kind](claims / name)
    assert runners_of(tmp_path) == []
    assert claims_of(tmp_path) == {}
    with Claims(tmp_path, heartbeat_s=0.01, stale_after_s=0.2) as runner:
        limit = time.monotonic() + 20.0
        while not runner.take("cell"):
            assert time.monotonic() < limit
            time.sleep(0.01)
    assert not (claims / "cell").exists()


@pytest.mark.parametrize("name", ["../../secret", "", "a\nb", "x" * 5000, "\x00"])
def test_a_claim_names_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "claim").write_text(name)
    assert owner_of(tmp_path / "claim") == ""
