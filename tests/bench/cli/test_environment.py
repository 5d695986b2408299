"""The caller's environment decides nothing: the whole path runs under each of these."""

from __future__ import annotations

import locale
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

# Nobody, root included, can make a folder below a file: it stands for a home that is missing as
# well as for one that cannot be written, which root could write.
NO_FOLDER = str(Path(__file__) / "home")
DECIMAL_COMMA = "de_DE.UTF-8"
# What touches different parts of the program shares a run, which takes ten seconds.
ENVIRONMENTS = {
    "a notebook's figures, plain ASCII, a narrow dumb terminal": {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **{"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        **{"TERM": "dumb", "COLUMNS": "20"},
    },
    "a decimal comma": {"LC_ALL": DECIMAL_COMMA, "LANG": DECIMAL_COMMA},
    "warnings shown, deprecations as errors, no GPU, another time zone, no or a read-only home": {
        "PYTHONWARNINGS": "always,error::DeprecationWarning",
        "CUDA_VISIBLE_DEVICES": "",
        "TZ": "Asia/Kathmandu",
        **{"HOME": NO_FOLDER, "XDG_CACHE_HOME": NO_FOLDER},
    },
}


def is_installed(name: str) -> bool:
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_NUMERIC, before)
    return True


def run(folder: Path, changes: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    what = ["--methods", "gcn_align", "--set", "epochs=6", "--datasets", "synthetic[n=100]"]
    further = ["--repeats", "1", "--out", str(folder / "out")]
    return subprocess.run(
        [sys.executable, "-m", "mmea_bench.bench", "run", *what, *further],
        env={**os.environ, "MMEA_DATA": str(folder), **changes},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_run_with_its_report(tmp_path: Path, name: str) -> None:
    if name == "a decimal comma" and not is_installed(DECIMAL_COMMA):
        pytest.skip(f"the locale {DECIMAL_COMMA} is not installed")
    changes = ENVIRONMENTS[name]
    if "HOME" in changes:
        changes = {**changes, "MMEA_CACHE": str(tmp_path / "cache")}
    done = run(tmp_path, changes)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "report" / "report.md").is_file()
    assert list((tmp_path / "out" / "report").glob("*.png"))
    assert (tmp_path / "out" / "results.csv").is_file()


@pytest.mark.slow
def test_without_a_home_another_folder_is_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, {"HOME": NO_FOLDER, "XDG_CACHE_HOME": NO_FOLDER, "MMEA_CACHE": ""})
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Give another folder with --out (results) or --cache-dir" in done.stderr
    assert "Traceback" not in done.stderr
