"""Whether this machine is ready: program, packages, hardware, folders and data, as values."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

import psutil
from packaging.requirements import Requirement

from mmea_bench.bench.cli.data_status import places
from mmea_bench.bench.planning.machine import code_version, library_versions, n_cores
from mmea_bench.bench.planning.request import RUNS_FOLDER
from mmea_bench.datasets.core.access import catalogue as datasets
from mmea_bench.methods.core import catalogue as methods

State = Literal["ok", "note", "wrong"]
PROGRAM = "mmea-bench"
OLDEST_PYTHON = (3, 11)
MODELS_VARIABLE = "MMEA_MODELS"

_PROJECT = Path(__file__).resolve().parents[3]
_GIB = 2**30
_FEW_GIB = 8.0
"""Memory below which full-size datasets are a matter of luck."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: Group, such as ``packages``.
        name: What was looked at.
        state: ``wrong`` stops commands that need it, ``note`` may surprise, ``ok`` is fine.
        text: What was found and, where something is wrong, what to do.
    """

    topic: str
    name: str
    state: State
    text: str


def all_checks(data_root: Path, cache_dir: Path, *, is_root_given: bool) -> list[Check]:
    """Every check, in printing order; nothing is trained, downloaded or kept.

    Args:
        data_root: Folder of the datasets.
        cache_dir: Folder of parsed datasets.
        is_root_given: Whether the user named the data root; one that is not there is then wrong.
    """
    return [
        *_program(),
        *_packages(),
        *_extras(),
        *_hardware(),
        *_folders(data_root, cache_dir, is_root_given=is_root_given),
        *_datasets(data_root),
        *_models(),
        *_plugins(),
    ]


def _program() -> Iterator[Check]:
    is_new = sys.version_info >= OLDEST_PYTHON
    oldest = ".".join(map(str, OLDEST_PYTHON))
    more = "" if is_new else f"; {oldest} or newer is needed"
    python = f"{platform.python_version()} at {sys.executable}{more}"
    yield Check("program", "Python", "ok" if is_new else "wrong", python)
    text = f"{library_versions()[PROGRAM]}, commit {code_version()}"
    yield Check("program", PROGRAM, "ok", text)
    yield Check("program", "system", "ok", f"{platform.system()} {platform.machine()}")


def _packages() -> Iterator[Check]:
    """The packages that every command may need, against the ranges and the pinned versions."""
    pinned = pins(_PROJECT / "constraints.txt")
    for needed in declared(_PROJECT / "pyproject.toml")[0]:
        yield package_check(needed, _installed(needed.name), pinned.get(_folded(needed.name)))


def package_check(needed: Requirement, found: str | None, pinned: str | None) -> Check:
    """A package that is needed, against what is installed.

    Args:
        needed: Name and range of versions.
        found: Installed version; None for none.
        pinned: Version that the tests ran with; None where it is not known.
    """
    remedy = f"run: pip install -c constraints.txt '{needed.name}{needed.specifier}'"
    if found is None:
        return Check("packages", needed.name, "wrong", f"not installed; {remedy}")
    if not needed.specifier.contains(found, prereleases=True):
        text = f"{found}, but {needed.specifier} is needed; {remedy}"
        return Check("packages", needed.name, "wrong", text)
    # A build for another device carries a suffix: 2.13.0+cpu.
    if pinned is not None and found.partition("+")[0] != pinned:
        return Check("packages", needed.name, "note", f"{found}; tested with {pinned}")
    return Check("packages", needed.name, "ok", found)


def pins(file: Path) -> Mapping[str, str]:
    """Package to version of a constraints file; empty where there is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found = (re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line.strip()) for line in lines)
    return {_folded(each[1]): each[2] for each in found if each is not None}


def _extras() -> Iterator[Check]:
    _always, extras = declared(_PROJECT / "pyproject.toml")
    for extra, needed in sorted(extras.items()):
        lacking = [each.name for each in needed if _installed(each.name) is None]
        text = "installed"
        if lacking:
            how = f"pip install -c constraints.txt '.[{extra}]'"
            text = f"not installed ({', '.join(lacking)}); {how}"
        yield Check("extras", extra, "note" if lacking else "ok", text)


def declared(pyproject: Path) -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What the program needs, always and for each extra.

    Args:
        pyproject: That of the checkout, which knows better than what was once installed from it;
            where it is not there, the metadata of the installed program count.
    """
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        always = list(map(Requirement, project["dependencies"]))
        named = {
            name: list(map(Requirement, texts))
            for name, texts in project["optional-dependencies"].items()
        }
    except (OSError, KeyError):
        always, named = _installed_requirements()
    extras = {}
    for name, needed in named.items():
        own = [each for each in needed if _folded(each.name) != PROGRAM]
        others = {part for each in needed if _folded(each.name) == PROGRAM for part in each.extras}
        extras[name] = [*own, *(each for other in sorted(others) for each in named.get(other, []))]
    return always, extras


def _installed_requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    try:
        found = list(map(Requirement, requires(PROGRAM) or []))
        names = metadata(PROGRAM).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return [], {}
    always = [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]
    extras = {
        name: [
            each
            for each in found
            if each not in always
            and each.marker is not None
            and each.marker.evaluate({"extra": name})
        ]
        for name in names
    }
    return always, extras


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _hardware() -> Iterator[Check]:
    import torch

    yield Check("hardware", "cores", "ok", f"{n_cores()} that this process may use")
    chosen = os.environ.get("OMP_NUM_THREADS")
    by = f"OMP_NUM_THREADS={chosen}" if chosen else "OMP_NUM_THREADS is not set"
    yield Check("hardware", "threads", "ok", f"{torch.get_num_threads()} for torch ({by})")
    memory = psutil.virtual_memory()
    total, free = memory.total / _GIB, memory.available / _GIB
    state: State = "ok" if free >= _FEW_GIB else "note"
    yield Check("hardware", "memory", state, f"{total:.1f} GiB, {free:.1f} GiB of it free")
    names = []
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            size = properties.total_memory / _GIB
            names.append(f"cuda:{number} {properties.name}, {size:.0f} GiB")
    text = "; ".join(names) or "no GPU is seen by torch; trainings run on the CPU"
    yield Check("hardware", "devices", "ok", text)


def _folders(data_root: Path, cache_dir: Path, *, is_root_given: bool) -> Iterator[Check]:
    if data_root.is_dir():
        yield Check("folders", "data", "ok", f"{data_root}")
    else:
        state: State = "wrong" if is_root_given else "note"
        text = f"{data_root} is not there; name the datasets' folder with --data-root or MMEA_DATA"
        yield Check("folders", "data", state, text)
    yield _writable("cache", cache_dir, "name another one with --cache-dir or MMEA_CACHE")
    yield _writable("results", RUNS_FOLDER.absolute(), "name another one with --out")


def _writable(name: str, folder: Path, remedy: str) -> Check:
    """Whether a folder that is made when it is needed can be written; it is not made here."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Check("folders", name, "wrong", f"{folder} cannot be written; {remedy}")
    free = shutil.disk_usage(there).free / _GIB
    made = "" if folder.is_dir() else ", made when needed"
    return Check("folders", name, "ok", f"{folder}{made}; {free:.1f} GiB free")


def _datasets(data_root: Path) -> Iterator[Check]:
    for place in places(data_root):
        state: State = "wrong" if place.status in {"unreadable", "broken"} else "ok"
        if place.status == "missing":
            yield Check("datasets", place.name, "note", "missing; see mmea-bench data list")
            continue
        layout = f" ({place.layout})" if place.layout else ""
        yield Check(
            "datasets",
            place.name,
            state,
            place.sentence
            or f"{place.status}{f' in {place.where}' if place.where else ''}{layout}",
        )


def _models() -> Iterator[Check]:
    named = os.environ.get(MODELS_VARIABLE, "")
    if not named:
        text = f"{MODELS_VARIABLE} is not set; only models that are packages are found"
        yield Check("models", "folder", "ok", text)
        return
    folder = Path(named)
    found = sorted(path.parent.name for path in folder.glob("*/config.json"))
    if found:
        yield Check("models", "folder", "ok", f"{folder}: {', '.join(found)}")
    else:
        text = f"{folder} holds no folder with a config.json; set {MODELS_VARIABLE} to another one"
        yield Check("models", "folder", "wrong", text)


def _plugins() -> Iterator[Check]:
    """Methods that cannot be used; broken datasets stand among the datasets."""
    entries = methods.catalogue_entries()
    broken = [entry for entry in entries if entry.error is not None]
    n_usable, n_datasets = len(entries) - len(broken), len(datasets.dataset_names())
    text = f"{n_usable} methods can be used, {n_datasets} datasets are known"
    yield Check("plugins", "found", "ok", text)
    for entry in broken:
        yield Check("plugins", entry.name, "wrong", entry.error or "")
