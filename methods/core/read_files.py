"""Files that a method reads beside the dataset: models that its parameters or its code name."""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

_MODEL_SUFFIXES = frozenset(
    [
        ".bin",
        ".ckpt",
        ".gguf",
        ".h5",
        ".hdf5",
        ".joblib",
        ".msgpack",
        ".npy",
        ".npz",
        ".onnx",
        ".pickle",
        ".pkl",
        ".pt",
        ".pth",
        ".py",
        ".safetensors",
    ]
)
"""What weights and modules end in; a log that a method writes must not change its key."""

_MODEL_FOLDER = "config.json"
"""What tells the folder of a model from any folder that a word may happen to name."""

_LONGEST_PATH = 4096


def files_of_parameters(params: object) -> tuple[Path, ...]:
    """The files below every path that a parameter names, sorted.

    Args:
        params: Parameter dataclass of a method. A text counts where it names a file, a folder by
            a path of several parts, or the folder of a model.
    """
    if not dataclasses.is_dataclass(params):
        return ()
    values = (getattr(params, field.name) for field in dataclasses.fields(params))
    return tuple(sorted({file for value in values for file in _files_at(value)}))


def files_in_code(source: Path, folder: Path) -> Iterator[Path]:
    """Weights and modules that texts in a source file name, from its folder on.

    Args:
        source: A Python file.
        folder: Folder that relative names start from.
    """
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"), filename=str(source))):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if Path(node.value).suffix.lower() in _MODEL_SUFFIXES:
            path = folder / node.value
            if _exists(path) and path.is_file():
                yield path.resolve()


def _files_at(value: object) -> Iterator[Path]:
    if not isinstance(value, (str, Path)) or not str(value):
        return
    path = Path(value).expanduser()
    if not _exists(path):
        return
    if path.is_file():
        yield path.resolve()
    elif isinstance(value, Path) or os.sep in value or (path / _MODEL_FOLDER).is_file():
        yield from (file.resolve() for file in path.rglob("*") if file.is_file())


def _exists(path: Path) -> bool:
    """Whether there is such a file; a text of any kind may be asked about."""
    try:
        return len(str(path)) <= _LONGEST_PATH and path.exists()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False
