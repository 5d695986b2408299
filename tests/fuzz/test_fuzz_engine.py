"""The fuzzer itself sees what it looks for: tracebacks, crashes, hangs and memory."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from mmea_bench.datasets.core.errors import DataError
from tests.fuzz import campaign, engine
from tests.fuzz.limits import PeakMemory
from tests.fuzz.targets import Target

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")


def write(folder: Path) -> None:
    (folder / "x").write_bytes(b"valid")


def crash(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"valid":
        os.kill(os.getpid(), signal.SIGKILL)


def spin(folder: Path) -> None:
    while (folder / "x").read_bytes() != b"valid":
        time.process_time()


def fill(folder: Path) -> int:
    return len(bytearray(b"x") * (600 * 2**20 if (folder / "x").read_bytes() != b"valid" else 1))


def raises(error: Exception) -> Target:
    def read(folder: Path) -> None:
        if (folder / "x").read_bytes() != b"valid":
            raise error

    return Target("made", write, read, lambda _rng, _path, _content: b"broken")


def outcomes(target: Target, capfd: pytest.CaptureFixture[str]) -> list[str]:
    findings: list[str] = []
    tally = campaign._fuzz(target, 1, range(3), findings)
    assert tally.kinds.total() == 3
    assert capfd.readouterr().out.count("\n") == len(findings)
    return findings


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IndexError("out"), "IndexError: 'out' at "),
        (DataError("a\x1b[2J"), "cannot be printed"),
        (DataError("two\nlines"), "cannot be printed"),
        (DataError("x" * 9999), "the error has 9999 letters"),
        (DataError(""), "cannot be printed"),
    ],
)
def test_what_is_no_clean_sentence_is_a_finding(
    tmp_path: Path, error: Exception, words: str
) -> None:
    found = engine.Fuzzer(raises(error), tmp_path).run(1, 0)
    assert found.kind == "finding"
    assert words in found.text


def test_a_clean_sentence_is_none(tmp_path: Path) -> None:
    assert engine.Fuzzer(raises(DataError("Wrong.")), tmp_path).run(1, 0).kind == "refused"


def test_a_crash_costs_one_input(capfd: pytest.CaptureFixture[str]) -> None:
    target = Target("made", write, crash, lambda rng, _p, _c: rng.choice((b"valid", b"x")))
    findings = outcomes(target, capfd)
    assert 0 < len(findings) < 3
    assert "died with -9" in findings[0]
    assert "--seed 1 --only 'made' --number" in findings[0]


def test_a_hang_is_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "MOST_SECONDS", 0.1)
    target = Target("made", write, spin, lambda _rng, _path, _content: b"x")
    assert all("took more than" in finding for finding in outcomes(target, capfd))


def test_too_much_memory_is_a_finding(tmp_path: Path) -> None:
    target = Target("made", write, fill, lambda _rng, _path, _content: b"x")
    assert "MiB" in engine.Fuzzer(target, tmp_path).run(1, 0).text


def test_peaks_are_measured_anew() -> None:
    PeakMemory()
    large = bytearray(b"x") * (64 * 2**20)
    assert len(large) > 0
    del large
    assert PeakMemory().growth_bytes() < 32 * 2**20


def test_every_folder_is_as_before_after_an_input(tmp_path: Path) -> None:
    fuzzer = engine.Fuzzer(raises(DataError("Wrong.")), tmp_path)
    (tmp_path / "more").write_bytes(b"")
    fuzzer.run(1, 0)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"valid")]
