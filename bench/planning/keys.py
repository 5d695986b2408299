"""The key of a cell: equal keys mean that the stored result is still the result."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.bench.precision.reduced import FULL_PRECISION
from mmea_bench.datasets.core.imports import project_sources
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import get_method, method_sources
from mmea_bench.methods.core.source_code import bare_code

KEY_DIGITS = 20
_BENCH = Path(__file__).resolve().parents[1]
SCORING_FOLDER = _BENCH / "scoring"
_EXECUTION = _BENCH / "cells" / "execute.py"
_BEFORE_TRAINING = (
    _BENCH.parent / "datasets" / "core" / "model" / "wrong_seeds.py",
    _BENCH / "precision" / "repeatable.py",
)
"""Which seeds a training gets, and from which random state it starts, whatever the method."""
_PARTITIONS, _PRECISION = _BENCH / "partitions", _BENCH / "precision"

_Settings = tuple[str, str, tuple[tuple[str, object], ...], str | None, tuple[Path, ...]]
"""Method, variant, overrides, the dataset whose published settings apply, and folders of code that
changes how a method trains."""


@dataclasses.dataclass(frozen=True)
class CodeHashes:
    """Content hashes of the code behind a result.

    Attributes:
        method: The method's file and every file of the project, or of its own folder, that it
            imports; those of training in parts or in reduced precision too, where it does.
        scoring: The code that splits, stops and scores.
        models: Files that the parameters of the configured method name, such as the weights of a
            text encoder; empty for none.
    """

    method: str
    scoring: str
    models: str = ""


def cell_key(cell: Cell, params: object, dataset_version: str, code: CodeHashes) -> str:
    """Key of a cell, ``KEY_DIGITS`` hex digits.

    It covers everything that can change the number and nothing else: the suite, the device, the
    number of jobs and the place of the files are no part of it.

    Args:
        cell: What is run; variant and overrides count by name too, for the record prints them.
        params: Parameter dataclass of the method with published settings, variant and overrides
            applied.
        dataset_version: Content hash of the loaded dataset.
        code: Content hashes of the code.
    """
    return hashlib.sha256(_canonical(cell, params, dataset_version, code)).hexdigest()[:KEY_DIGITS]


def _canonical(cell: Cell, params: object, dataset_version: str, code: CodeHashes) -> bytes:
    content = {
        "cell": cell.identity,
        "params": _as_dict(params),
        "dataset_version": dataset_version,
        "code": dataclasses.asdict(code),
    }
    # Objects that JSON cannot hold (paths, enums) count by their text.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()


def _as_dict(params: object) -> object:
    if dataclasses.is_dataclass(params) and not isinstance(params, type):
        return dataclasses.asdict(params)
    return params


def keyed(
    cells: Iterable[Cell], versions: dict[str, str], method_files: Sequence[Path]
) -> list[tuple[str, Cell]]:
    """Cells with their keys, in the given order.

    Args:
        cells: Cells of a plan.
        versions: Dataset address to content hash.
        method_files: Files of the user; they win over the project's own.
    """
    files = tuple(method_files)
    code: dict[tuple[str, tuple[Path, ...]], CodeHashes] = {}
    classes: dict[str, type[Method]] = {}  # a file of the user's would be loaded for every cell
    for_scoring = scoring_hash()
    settings: dict[_Settings, tuple[object, CodeHashes]] = {}  # repeats and places share them
    result = []
    for cell in cells:
        behind = cell.method, _folders_used(cell)
        if behind not in code:
            ways = [file for folder in behind[1] for file in sorted(folder.rglob("*.py"))]
            sources = (*method_sources(cell.method, files), *project_sources(ways))
            code[behind] = CodeHashes(hash_files(sources), for_scoring)
            classes[cell.method] = get_method(cell.method, files)
        own = (cell.method, cell.variant, cell.overrides, cell.published_for, behind[1])
        if own not in settings:
            method = configured(classes[cell.method], cell)
            of_cell = dataclasses.replace(code[behind], models=_models_hash(method))
            settings[own] = (method.params, of_cell)
        params, hashes = settings[own]
        result.append((cell_key(cell, params, versions[cell.dataset], hashes), cell))
    return result


def _models_hash(method: Method) -> str:
    """Content hash of the files that a configured method reads beside its dataset; "" for none."""
    files = method.files_read()
    return hash_files(files) if files else ""


def _folders_used(cell: Cell) -> tuple[Path, ...]:
    """Folders of the code that trains in parts, and in reduced precision, where the cell does."""
    used = {_PARTITIONS: cell.partitions > 1, _PRECISION: cell.precision != FULL_PRECISION}
    return tuple(folder for folder, is_used in used.items() if is_used)


def scoring_files(folder: Path = SCORING_FOLDER) -> tuple[Path, ...]:
    """The code that splits, stops and scores: a folder, what it imports, and who calls it.

    What every training goes through before its method is among it.
    """
    return (*project_sources([*sorted(folder.rglob("*.py")), *_BEFORE_TRAINING]), _EXECUTION)


def scoring_hash() -> str:
    """Content hash of the code that splits, stops and scores."""
    return hash_files(scoring_files())


def hash_files(paths: Iterable[Path]) -> str:
    """Content hash of files, 16 hex digits; where they lie does not matter.

    In source files comments, docstrings and line ends do not count, so that explaining a method
    does not train it again, and a checkout on Windows gives the same keys.
    """
    digest = hashlib.sha256()
    for name, content in sorted((path.name, _content_hash(path)) for path in paths):
        digest.update(f"{name}:{content}\n".encode())
    return digest.hexdigest()[:16]


def _content_hash(path: Path) -> str:
    if path.suffix == ".py":
        return hashlib.sha256(bare_code(path.read_bytes())).hexdigest()
    status = path.stat()
    return _hash_of_large(path, status.st_size, status.st_mtime_ns, status.st_ino)


@functools.lru_cache(maxsize=4096)
def _hash_of_large(path: Path, *_state: int) -> str:
    """Of weights of any size, which many cells share; read once while their file stays as it is."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
