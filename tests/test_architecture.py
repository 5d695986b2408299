"""The house: its rooms, what each may import, and how large a room or a file may grow.

Read ``ROOMS`` to learn the project: a room stands below every room that imports it.
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

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("bench", "methods", "datasets", "results", "reports")

DATA_MODEL = ("datasets/core", "datasets/core/model")
DATA_FILES = (
    *(*DATA_MODEL, "datasets/core/readers"),
    *("datasets/core/transforms", "datasets/core/access"),
)
METHOD_PARTS = (
    *("methods/core", "methods/core/inputs/graphs", "methods/core/inputs"),
    *("methods/core/layers", "methods/core/losses", "methods/core/training"),
    "methods/core/self_supervised",
    *("methods/core/hybrid", "methods/core/siamese"),
    "methods/core/rounds",
)
REPORT_PARTS = (
    *("reports/core", "reports/core/rows", "reports/core/statistics", "reports/core/figures"),
    *("reports/core/papers", "reports/core/published", "reports/core/evidence"),
    "reports/core/links",
)

RESULTS = ("results/core", "results/core/disk")

CLI_PARTS = (
    *(*DATA_FILES, "methods/core", *RESULTS, "results/core/plans"),
    *("results/core/measured", "results/core/predictions"),
    *(
        "bench/scoring",
        "bench/battery",
        "bench/planning",
        "bench/planning/requests",
        "bench/running",
    ),
    *("bench/api", "bench/predict.py"),
    *("reports/core", "reports/core/published", "reports/core/evidence"),
    *("reports/core/rows", "reports/core/links", "reports/formats", "reports/making"),
)

ROOMS: Mapping[str, tuple[str, ...]] = {
    # Rooms from the ground up; beside each, the other rooms that its files may import.
    # A file in a room may also import its neighbours, in one direction.
    "datasets/core": (),  # errors, options, citations: what everybody names
    "datasets/core/model": ("datasets/core",),  # an immutable pair of graphs; counts
    "datasets/core/readers": DATA_MODEL,  # file formats
    "datasets/core/transforms": DATA_MODEL,  # changes that the address of any dataset can ask for
    # Find, cache, fetch, write.
    "datasets/core/access": (
        *(*DATA_MODEL, "datasets/core/readers"),
        "datasets/core/transforms",
    ),
    "datasets/core/families": DATA_FILES,  # what the datasets of one family share
    "datasets/core/synthesis": (*DATA_MODEL, "datasets/core/families"),  # made-up pairs
    "datasets": (*DATA_FILES, "datasets/core/families", "datasets/core/synthesis"),  # plugins
    "results/published": (),  # what the papers print, as data
    "results/core/upgrades": (),  # records of older schemas, brought to the present one
    "results/core/disk": (),  # files that are whole or absent, and reading that cannot hang
    # What a folder was asked for, and how much of it is there.
    "results/core/plans": ("results/core/disk",),
    # Schema, store, tables, published numbers.
    "results/core": ("results/core/disk", "results/core/plans", "results/core/upgrades"),
    "results/measured": (),  # reference runs that ship, as data
    "results/core/predictions": RESULTS,  # ranks per link, vectors, facts on entities
    "results/core/measured": RESULTS,  # slim records, their origin, remarks on them
    "methods/core": DATA_MODEL,  # the contract, the catalogue, similarities
    "methods/core/inputs/graphs": (*DATA_MODEL, "methods/core"),  # both KGs as one graph
    # Features of a view.
    "methods/core/inputs": (
        *(*DATA_MODEL, "datasets/core/readers"),  # word vectors, word by word
        *("methods/core", "methods/core/inputs/graphs"),
    ),
    "methods/core/layers": METHOD_PARTS[:3],  # modules
    "methods/core/losses": ("methods/core", "methods/core/layers"),  # losses
    "methods/core/states": (),  # a training's state as numbers and names, without code
    # Loops, samplers, pseudo-seeds, kept state.
    "methods/core/training": ("datasets/core", *METHOD_PARTS[:5], "methods/core/states"),
    "methods/core/self_supervised": METHOD_PARTS[:6],  # contrast without positive pairs
    # Encoder, losses and training of MEAformer and its successors.
    "methods/core/hybrid": (*DATA_MODEL, *METHOD_PARTS[:6]),
    "methods/core/siamese": METHOD_PARTS[:6],  # TransE beside contrastive pairs: MSNEA's line
    # Steps and rounds of RREA, Dual-AMN and what stands on them.
    "methods/core/rounds": (*DATA_MODEL, *METHOD_PARTS[:6]),
    "methods/parts": (*DATA_MODEL, *METHOD_PARTS),  # what one method alone needs
    "methods": (*DATA_MODEL, *METHOD_PARTS, "methods/parts"),  # plugins
    "bench/scoring/dangling": (*DATA_MODEL, "methods/core"),  # entities without a partner
    # Embeddings to numbers.
    "bench/scoring": (*DATA_MODEL, "methods/core", *RESULTS, "bench/scoring/dangling"),
    # Ranks among the candidates of an index, for very many links.
    "bench/scoring/approximate": ("datasets/core", "methods/core", "bench/scoring"),
    "bench/battery": (  # what every method must do: checks that ship with the package
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        "bench/scoring",
    ),
    # Both KGs cut in parts, and any method trained on one after the other.
    "bench/partitions": (*DATA_MODEL, "methods/core", "bench/scoring"),
    # Trainings in reduced precision.
    "bench/precision": ("datasets/core", "datasets/core/model", "methods/core", "bench/scoring"),
    # Values of a suite file, from TOML to what a run takes.
    "bench/planning/values": (
        *("datasets/core", "methods/core", "bench/scoring", "bench/partitions"),
        "bench/scoring/approximate",
    ),
    "bench/planning": (
        *DATA_FILES,
        "methods/core",
        *RESULTS,
        "results/core/predictions",
        "bench/scoring",
        "bench/partitions",
        "bench/precision",
        "bench/planning/values",
    ),
    # A request as a whole: its folder, what it will skip, what it trains once.
    "bench/planning/requests": (
        *("datasets/core", "methods/core", *RESULTS, "bench/planning"),
        "bench/precision",
        "results/core/predictions",
    ),
    # What a cell keeps besides its record: ranks and candidates per link, vectors.
    "bench/predictions": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "results/core/predictions", "bench/scoring", "bench/planning"),
        "bench/partitions",
    ),
    "bench/metering": ("datasets/core", *RESULTS),  # energy, CO2, freed memory of a cell
    "bench/cells": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "bench/scoring", "bench/planning", "bench/predictions"),
        *("bench/metering", "bench/scoring/approximate"),
    ),
    "bench/sharing": RESULTS,  # several runners on one folder: claims, heartbeats
    "bench/running": (
        *("methods/core", "datasets/core", *RESULTS, "results/core/plans"),
        *("bench/planning", "bench/cells", "bench/sharing"),
    ),
    "bench/clusters": (
        *("datasets/core", "datasets/core/access"),
        *(*RESULTS, "bench/planning", "bench/cells", "bench/running"),
    ),
    # Equal tuning: studies of trials, which are cells on validation links.
    "bench/tuning": (
        *("datasets/core", "methods/core", *RESULTS),
        *("bench/planning", "bench/planning/requests", "bench/cells", "bench/running"),
        "bench/sharing",
    ),
    "reports/core": (*RESULTS, "results/core/plans"),  # documents, options, words
    # Which rows a report shows.
    "reports/core/rows": (*RESULTS, "results/core/plans", "reports/core"),
    "reports/core/statistics": (*RESULTS, "reports/core"),  # tests and ranks
    "reports/core/figures": (*REPORT_PARTS[:3], *RESULTS),  # drawing
    "reports/core/papers": (*REPORT_PARTS[:3], *RESULTS),  # tables as papers lay them out
    "reports/core/published": (*REPORT_PARTS[:3], *RESULTS),  # measured against printed
    # The shipped runs: fidelity, leaderboard, and the band that a replay is held against.
    "reports/core/evidence": (
        *(*REPORT_PARTS[:3], "reports/core/published", *RESULTS, "results/core/measured"),
    ),
    # Errors link by link: systems, slices, pairs.
    "reports/core/links": (*REPORT_PARTS[:3], *RESULTS, "results/core/predictions"),
    # Two sides of results held against each other.
    "reports/core/comparing": (*REPORT_PARTS[:3], *RESULTS),
    "reports": (*REPORT_PARTS, *RESULTS),  # plugins: one report each
    "reports/formats": (*REPORT_PARTS, *RESULTS),  # a document to bytes
    "reports/making": (  # build all, serve
        *(*REPORT_PARTS, *RESULTS, "results/core/plans", "results/core/measured"),
        *("reports/formats", "results/core/predictions"),
    ),
    # Trackers, and what tells them of a run.
    "bench/tracking": (
        *("datasets/core", *RESULTS, "bench/planning", "bench/cells", "bench/running"),
    ),
    # Plan and run a request, what the command line and scripts call.
    "bench/api": (
        *("datasets/core", "datasets/core/model", "datasets/core/access", "methods/core"),
        *(*RESULTS, "bench/scoring", "bench/planning", "bench/planning/requests"),
        *("bench/cells", "bench/running", "bench/sharing", "bench/clusters", "bench/tracking"),
        "bench/metering",
        *("results/core/predictions", "reports/core", "reports/making"),
    ),
    # A cell that is done, trained again for what was not kept of it.
    "bench/predict.py": (
        *("datasets/core", *RESULTS, "bench/planning", "bench/planning/requests"),
        "bench/api",
    ),
    "bench/cli": CLI_PARTS,  # options and texts; one verb a file
    "bench/cli/listing": (*CLI_PARTS, "bench/cli"),  # the verb list
    "bench/cli/records": (*CLI_PARTS, "bench/cli"),  # verbs on single records
    # What is installed and found here, and what is to be cited.
    "bench/cli/about": (*CLI_PARTS, "bench/cli", "bench/cli/listing"),
    # Verbs on the shipped runs, and the replay of a printed number.
    "bench/cli/evidence": (*CLI_PARTS, "bench/cells", "bench/cli"),
    # Verbs on studies of one's own: two sides compared, methods tuned.
    "bench/cli/studies": (*CLI_PARTS, "bench/cli", "bench/tuning", "reports/core/comparing"),
    "bench/cli/app.py": (
        *(*CLI_PARTS, "bench/cli", "bench/cli/listing", "bench/cli/records", "bench/cli/evidence"),
        "bench/cli/studies",
        "bench/cli/about",
    ),
    "bench/__main__.py": ("bench/cli/app.py",),
    # What authors of methods and datasets import; nothing of ours imports these two.
    "datasets/api.py": (*DATA_FILES, "datasets/core/families"),
    "methods/api.py": (*DATA_MODEL, *METHOD_PARTS),
}
PLUGIN_ROOMS = ("methods", "datasets", "reports")
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
