"""The house: its rooms, what each may import, and how large a room or a file may grow.

Read ``ROOMS`` in ``rooms.py`` to learn the project.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.rooms import PLUGIN_ROOMS, ROOMS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bench", "methods", "datasets", "results", "reports")

MOST_FILES, LONGEST_FILE, LONGEST_FUNCTION = 15, 400, 60

SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "runs" not in path.parts
}


def room_of(file: str) -> str:
    """The room that a file lies in; each method's own parts are one room."""
    if file in ROOMS:
        return file
    folder = file.rpartition("/")[0]
    return "methods/parts" if folder.startswith("methods/parts") else folder


@cache
def imported_files(file: str) -> frozenset[str]:
    """Files of the project that a file imports, wherever in it the import stands."""
    return frozenset(_imported(SOURCES[file])) - {file}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules = [str(node.module), *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        for module in modules:
            stem = module.removeprefix("mmea_bench.").replace(".", "/")
            yield from (file for file in (f"{stem}.py", f"{stem}/__init__.py") if file in SOURCES)


def circle(arrows: Mapping[str, frozenset[str]]) -> list[str]:
    """A way through the arrows that ends where it began; empty if there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        found = next(filter(None, (walk(to, [*way, node]) for to in sorted(arrows[node]))), [])
        done.add(node)
        return found

    return next(filter(None, (walk(node, []) for node in sorted(arrows))), [])


@pytest.mark.parametrize("file", SOURCES)
def test_every_file_imports_only_what_its_room_may(file: str) -> None:
    room = room_of(file)
    assert room in ROOMS, f"{file} lies in no room. Name its folder in ROOMS, and what it imports."
    allowed = {room, *ROOMS[room]}
    wrong = sorted(to for to in imported_files(file) if room_of(to) not in allowed)
    assert not wrong, f"{file} may not import {', '.join(wrong)}: arrows between rooms run down."


def test_rooms_stand_in_an_order() -> None:
    order = list(ROOMS)
    for room, below in ROOMS.items():
        for other in below:
            assert order.index(other) < order.index(room), f"{room} stands below {other}"


def test_no_circle_of_files() -> None:
    assert circle({file: imported_files(file) for file in SOURCES}) == []


def test_plugins_do_not_import_each_other() -> None:
    for file in SOURCES:
        if file.rpartition("/")[0] in PLUGIN_ROOMS and file not in ROOMS:
            others = {to for to in imported_files(file) if to.rpartition("/")[0] in PLUGIN_ROOMS}
            assert not others, f"{file} imports {others}: what two share belongs into core"


def test_a_methods_parts_are_its_own() -> None:
    """A part that methods of two families import moves to ``methods/core``."""
    for file in SOURCES:
        for part in imported_files(file):
            folder = part.split("/")[2] if part.startswith("methods/parts/") else ""
            if folder and room_of(file) == "methods":
                assert folder in Path(file).stem, f"{file} borrows parts of {folder}"
            elif folder:
                assert file.startswith(f"methods/parts/{folder}/"), f"{file} borrows {part}"


def test_a_circle_is_found() -> None:
    assert circle({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b")}) == list("bcb")
    assert circle({"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}) == []


def test_no_room_is_crowded() -> None:
    """Data files count too; a folder to which one file adds a plugin, suite or run may grow."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    folders = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in files
        if not {"runs", "__pycache__"}.intersection(path.parts)
    )
    growing = {*PLUGIN_ROOMS, "bench/suites/papers", "results/measured/cells"}
    assert not {folder for folder, n in folders.items() if n > MOST_FILES} - growing


@pytest.mark.parametrize("file", SOURCES)
def test_files_and_functions_stay_short(file: str) -> None:
    text = SOURCES[file].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


def test_no_star_imports() -> None:
    for file, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert all(alias.name != "*" for alias in node.names), file


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
        "import datasets, mmea_bench.datasets.core.model.pair as ours;"
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
        if path.suffix in {".py", ".toml", ".j2", ".csv"}
        # What `bench check` and `bench report` write into the shipped results is nobody's package.
        and not {"runs", "check", "report"}.intersection(path.relative_to(ROOT).parts)
    }
    assert needed <= shipped


def test_every_shipped_package_exists() -> None:
    import tomllib

    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = config["tool"]["setuptools"]["packages"]
    folders = {name: ROOT.joinpath(*name.split(".")[1:]) for name in shipped}
    assert [name for name, folder in folders.items() if not folder.is_dir()] == []
