"""The shape of the project: import directions, sizes, names and what every plugin file declares."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bench", "methods", "datasets", "results", "reports")
MAY_IMPORT = {
    "datasets": {"datasets"},
    "methods": {"datasets", "methods"},
    "bench": {"datasets", "methods", "bench", "results"},
    "results": {"results"},
    "reports": {"results", "reports"},
}
IMPORTS_REPORTS = {
    ROOT / "bench" / name
    for name in (
        *("cli.py", "cli_check.py", "cli_run.py", "cli_list.py", "cli_serve.py", "cli_texts.py"),
    )
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def project_imports(path: Path) -> Iterator[str]:
    """Folders of the project that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            if node.module == "mmea_bench":
                modules = [f"mmea_bench.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "mmea_bench" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    allowed = MAY_IMPORT[folder] | ({"reports"} if path in IMPORTS_REPORTS else set())
    assert set(project_imports(path)) <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


def test_no_star_imports() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert all(alias.name != "*" for alias in node.names), path


def test_no_package_marker_in_the_top_folders() -> None:
    assert [folder for folder in FOLDERS if (ROOT / folder / "__init__.py").exists()] == []


def test_top_level_folders_are_the_agreed_ones() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines() if "/" in line}
    visible = {folder for folder in folders if not folder.startswith(".")}
    assert visible == {*FOLDERS, "tests", "docs"}


def test_our_datasets_folder_does_not_hide_the_hugging_face_package(tmp_path: Path) -> None:
    package = tmp_path / "site" / "datasets"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("WHO = 'hugging face'\n")
    code = (
        "import datasets, mmea_bench.datasets.core.pair as ours;"
        "print(datasets.WHO, ours.KGPair.__name__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "hugging face KGPair", run.stderr


def test_every_package_folder_is_shipped() -> None:
    import tomllib

    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = set(config["tool"]["setuptools"]["packages"])
    needed = {
        "mmea_bench." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".toml", ".j2", ".csv"} and "runs" not in path.parts
    }
    assert needed <= shipped
