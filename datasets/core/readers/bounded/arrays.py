"""NumPy files and archives that others made: numbers and text only, in proportion to their size."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown, unreadable
from mmea_bench.datasets.core.readers.bounded.sizes import (
    ARRAY_PACKED,
    most_unpacked,
    packed_too_well,
)
from mmea_bench.datasets.core.regular_files import open_regular


def load_array(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file.

    Raises:
        DataError: If the file is missing, damaged, or holds Python objects.
    """
    try:
        # Object arrays are pickles, and a pickle can run code.
        with open_regular(path) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except PermissionError as error:
        raise unreadable(path, error) from None
    except Exception as error:  # a damaged header can raise nearly every type
        problem = f"is no array of numbers ({shown(error, quote='')})"
        raise DataError.at(path, problem, "Save a float32 array with numpy.save.") from None


def load_archive(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """Some arrays of an ``.npz`` file.

    Args:
        path: The archive.
        names: Arrays to read; the others are passed over.

    Raises:
        DataError: If the archive is missing, damaged, lacks an array, holds Python objects, or
            unpacks to far more than its size.
    """
    if not path.is_file():
        raise DataError.at(path, "the file is missing", "Put it there, or copy it again.")
    try:
        with zipfile.ZipFile(path) as archive:
            # The sizes that an archive states bind its reader, so that they cannot be lies.
            n_bytes = sum(part.file_size for part in archive.infolist())
            if n_bytes > most_unpacked(path.stat().st_size, ARRAY_PACKED):
                raise packed_too_well(path, ARRAY_PACKED)
            return [_member(path, archive, name) for name in names]
    except DataError:
        raise
    except PermissionError as error:
        raise unreadable(path, error) from None
    except Exception as error:  # a damaged archive can raise nearly every type
        if "allow_pickle" in str(error):
            raise DataError.at(
                path, "holds Python objects, which are not loaded", "Save text and numbers only."
            ) from None
        problem = f"the archive is truncated or damaged ({shown(error, quote='')})"
        raise DataError.at(path, problem, "Copy or fetch the file again.") from None


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        stream = archive.open(f"{name}.npy")
    except KeyError:
        raise DataError.at(
            path,
            f"has no array {name!r}",
            "Save it with numpy.savez(path, entities=..., features=...).",
        ) from None
    with stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers as float32; those too large become infinite, which no reader admits."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)
