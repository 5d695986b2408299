"""A disk that is full, read-only or forbidden costs a sentence, never a result."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mmea_bench.bench.cli.app import app
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.results.core.store import ResultStore

CELLS = "run --methods random_scores --datasets synthetic[n=100] --seed-ratios 0.3 --repeats"


def run(out: Path, cache: Path, repeats: int) -> Result:
    words = [*CELLS.split(), str(repeats), "--out", str(out), "--cache-dir", str(cache)]
    return CliRunner().invoke(app, words)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_run_with_a_sentence_and_the_rest_goes_on_later(
    small_disk: Path, tmp_path: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 340 * 1024)
    full = run(small_disk / "out", tmp_path / "cache", 30)
    assert full.exit_code == 1
    assert "No space left on device" in full.stderr
    assert "Every cell that had ended before is stored." in full.stderr
    done = ResultStore(small_disk / "out").done_keys()
    assert 0 < len(done) < 30
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    again = run(small_disk / "out", tmp_path / "cache", 30)
    assert again.exit_code == 0, again.stderr
    assert f"{30 - len(done)} ok, {len(done)} done before" in again.stdout


def test_a_read_only_folder_is_said(small_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = run(small_disk / "out", tmp_path / "cache", 1)
    assert refused.exit_code == 2
    assert "Read-only file system" in refused.stderr
    assert "--out" in refused.stderr


def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("no folder")
    refused = run(tmp_path / "out", tmp_path / "cache", 1)
    assert refused.exit_code == 2
    assert "--out" in refused.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
@pytest.mark.parametrize("out", ["/proc/nowhere/out", "/dev/fd/987/out", "/dev/null/out"])
def test_a_place_where_no_folder_can_be_is_said(tmp_path: Path, out: str) -> None:
    refused = run(Path(out), tmp_path / "cache", 1)
    assert refused.exit_code == 2
    assert "--out" in refused.stderr
    assert refused.exception is None or isinstance(refused.exception, SystemExit)


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    refused = run(tmp_path / ("x" * 300), tmp_path / "cache", 1)
    assert refused.exit_code == 2
    assert "File name too long" in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_limit_on_the_size_of_files_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    """As after ``ulimit -f 1``: a record does not fit, the plan of the run does."""
    words = [*CELLS.split(), "1", "--out", str(tmp_path / "out")]
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)); "
    program += "from mmea_bench.bench.cli.app import main; main()"
    command = [sys.executable, "-c", program, *words, "--cache-dir", str(tmp_path / "cache")]
    full = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert "File too large. Raise the limit of file sizes (`ulimit -f`)" in full.stderr


def test_a_defect_of_the_program_keeps_its_traceback() -> None:
    assert spell_disk_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None


def test_a_results_folder_that_links_to_itself_is_a_sentence(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    words = ["run", "--methods", "name_match", "--datasets", "synthetic[n=100]", "--no-report"]
    done = CliRunner().invoke(app, [*words, "--repeats", "1", "--out", str(loop)])
    assert done.exit_code == 2
    assert "Give another folder with --out" in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")
def test_a_cache_folder_that_nobody_can_make_is_a_sentence() -> None:
    words = ["plan", "--methods", "name_match", "--datasets", "synthetic[n=100]"]
    done = CliRunner().invoke(app, [*words, "--cache-dir", "/proc/nothing"])
    assert done.exit_code == 2
    assert "/proc/nothing cannot be written or read" in done.stderr


def test_any_other_runtime_error_is_a_defect() -> None:
    assert spell_disk_error(RuntimeError("a tensor has no rows")) is None
