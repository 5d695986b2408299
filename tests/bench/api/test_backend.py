"""Figures are drawn whatever backend the caller's environment names; the caller keeps it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.reports_factory import fill_curves_folder

ROOT = Path(__file__).resolve().parents[3]
NOT_INSTALLED = "module://matplotlib_inline.backend_inline"
REPORT = """
import os, sys
from mmea_bench.bench import api
made = api.report("out", only=["learning_curves"], formats=["png"])
assert any(path.suffix == ".png" for path in made.files), made.files
assert os.environ["MPLBACKEND"] == sys.argv[1]
"""
LATER_PLOTS = """
import mmea_bench.reports.core.drawing
import matplotlib
assert matplotlib.rcParams._get("backend") == "svg"
"""
EARLIER_CHOICE = """
import matplotlib
matplotlib.use("pdf")
import mmea_bench.reports.core.drawing
assert matplotlib.get_backend() == "pdf"
"""


def python(code: str, backend: str, folder: Path) -> None:
    environment = {**os.environ, "MPLBACKEND": backend, "MMEA_DATA": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code, backend],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr


def test_a_script_under_a_notebooks_backend_gets_its_figures(tmp_path: Path) -> None:
    fill_curves_folder(tmp_path / "out")
    python(REPORT, NOT_INSTALLED, tmp_path)


@pytest.mark.parametrize("code", [LATER_PLOTS, EARLIER_CHOICE], ids=["named", "chosen before"])
def test_a_backend_of_the_caller_is_kept(tmp_path: Path, code: str) -> None:
    python(code, "svg", tmp_path)


def test_reports_take_matplotlib_from_one_place() -> None:
    # At the top of files: what is imported within a function comes after it.
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "reports").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else names_of(node))
        if name.partition(".")[0] in ("matplotlib", "seaborn")
    }
    assert found == set()


def names_of(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]
