"""The caller's environment decides nothing: the whole path runs under each of these."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENTS = {
    "a notebook's figures": {"MPLBACKEND": "module://not_installed.backend"},
    "plain ASCII": {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    "a narrow dumb terminal": {"TERM": "dumb", "COLUMNS": "20"},
    "no GPU to be seen, another time zone": {"CUDA_VISIBLE_DEVICES": "", "TZ": "Asia/Kathmandu"},
    "every warning shown": {"PYTHONWARNINGS": "always"},
    "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_run_with_its_report(tmp_path: Path, name: str) -> None:
    what = ["--methods", "random_scores", "--datasets", "synthetic[n=100]", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "mmea_bench.bench", "run", *what, "--out", str(tmp_path / "out")],
        env={**os.environ, **ENVIRONMENTS[name], "MMEA_DATA": str(tmp_path)},
        capture_output=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "out" / "report" / "report.md").is_file()
    assert (tmp_path / "out" / "results.csv").is_file()
