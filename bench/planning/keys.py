"""The key of a cell: equal keys mean that the stored result is still the result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.methods.core.base import Method
from mmea_bench.methods.core.catalogue import get_method, method_sources, project_sources
from mmea_bench.methods.core.source_code import bare_code

KEY_DIGITS = 20
_BENCH = Path(__file__).resolve().parents[1]
SCORING_FOLDER = _BENCH / "scoring"
_EXECUTION = _BENCH / "cells" / "execute.py"


@dataclasses.dataclass(frozen=True)
class CodeHashes:
    """Content hashes of the code behind a result.

    Attributes:
        method: The method's file and every project file that it imports.
        scoring: The code that splits, stops and scores.
    """

    method: str
    scoring: str


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
        "cell": dataclasses.asdict(cell),
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
    code: dict[str, CodeHashes] = {}
    classes: dict[str, type[Method]] = {}  # a file of the user's would be loaded for every cell
    for_scoring = scoring_hash()
    result = []
    for cell in cells:
        if cell.method not in code:
            sources = method_sources(cell.method, files)
            code[cell.method] = CodeHashes(hash_files(sources), for_scoring)
            classes[cell.method] = get_method(cell.method, files)
        method = configured(classes[cell.method], cell)
        key = cell_key(cell, method.params, versions[cell.dataset], code[cell.method])
        result.append((key, cell))
    return result


def scoring_files(folder: Path = SCORING_FOLDER) -> tuple[Path, ...]:
    """The code that splits, stops and scores: a folder, what it imports, and who calls it."""
    return (*project_sources(sorted(folder.rglob("*.py"))), _EXECUTION)


def scoring_hash() -> str:
    """Content hash of the code that splits, stops and scores."""
    return hash_files(scoring_files())


def hash_files(paths: Iterable[Path]) -> str:
    """Content hash of source files, 16 hex digits; where they lie does not matter.

    Comments, docstrings and line ends do not count, so that explaining a method does not train it
    again, and a checkout on Windows gives the same keys.
    """
    contents = sorted((path.name, bare_code(path.read_bytes())) for path in paths)
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name}:{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
