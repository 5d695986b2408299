"""Lines and columns of text files, plain or gzip-compressed; every error names file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, shown, unreadable
from mmea_bench.datasets.core.readers.bounded.sizes import LARGEST_UNPACKED_BYTES, read_packed
from mmea_bench.datasets.core.regular_files import open_regular, read_regular

LARGEST_ID = 2**31 - 1
"""Ids are stored as int32."""

_GZIP = b"\x1f\x8b"
_MOST_BLANKS = 1 << 12
_MARK = "\ufeff"


def stored(path: Path) -> Path | None:
    """The file itself, else its ``.gz`` copy beside it, else None."""
    compressed = path.with_name(path.name + ".gz")
    return next((candidate for candidate in (path, compressed) if candidate.is_file()), None)


def copy_notes(files: Iterable[Path]) -> list[str]:
    """A sentence for each file that has a compressed copy beside it, which is not read."""
    return [
        f"{file.name}.gz is not read: {file.name} stands beside it."
        for file in files
        if file.suffix != ".gz" and file.with_name(f"{file.name}.gz").is_file()
    ]


def stored_content(path: Path) -> Path | None:
    """As ``stored``, None also where the file holds nothing: for parts that may be missing."""
    file = stored(path)
    return file if file is not None and is_filled(file) else None


def is_filled(path: Path) -> bool:
    """Whether there is a file and it holds anything: an empty one counts as missing."""
    return path.is_file() and not _is_empty(path)


def empty_notes(files: Iterable[Path]) -> list[str]:
    """A sentence for each file that is there and counts as missing, because it is empty."""
    return [
        f"{file.name} is empty and counts as missing."
        for file in files
        if file.is_file() and _is_empty(file)
    ]


def lacking(path: Path) -> str:
    """How a part that may be missing is missing, such as ``NAME is missing`` or ``is empty``."""
    file = stored(path)
    if file is not None and _is_empty(file):
        return f"{path.name} is empty"
    if path.is_dir():
        return f"{path.name} is a folder, not a file"
    if path.is_symlink():
        return f"{path.name} is a link to nothing"
    return f"{path.name} is {'no file that can be read' if path.exists() else 'missing'}"


def _is_empty(file: Path) -> bool:
    """Whether a file holds nothing but a byte order mark and blank lines."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else open_regular(file) as stream:
            start = stream.read(_MOST_BLANKS)
        text = start.decode("utf-8", "replace").removeprefix(_MARK)
        return len(start) < _MOST_BLANKS and not text.strip()
    except (OSError, EOFError, zlib.error):
        return False  # what cannot be opened is told by whoever reads it


def read_lines(path: Path) -> list[str]:
    r"""Every line of a UTF-8 file without its line end; blank lines at the end are dropped.

    Lines end at ``\n``, ``\r\n`` or (converted twice) ``\r\r\n`` only: URIs may hold the other
    characters that Python's ``splitlines`` would cut at.

    Args:
        path: Text file; its ``.gz`` copy is read where the file itself does not exist.

    Raises:
        DataError: If the file is missing, empty, truncated or not UTF-8, holds a NUL character,
            has the line ends of old Macs, or unpacks to far more than its size.
    """
    file = stored(path)
    if file is None:
        raise DataError.at(
            path, "the file is missing (and so is its .gz copy)", "Put it there, or copy it again."
        )
    text = _decoded(file, _read_bytes(file)).removeprefix(_MARK)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError.at(file, "the file is empty", "Copy it again from its source.")
    if "\r" in text:
        _refuse_old_line_ends(file, lines)
    return lines


def _refuse_old_line_ends(file: Path, lines: Sequence[str]) -> None:
    """Refuses carriage returns with a line of data behind them; in a literal they may stand."""
    for number, line in enumerate(lines, 1):
        _, found, behind = line.partition("\r")
        if found and (len(lines) == 1 or "\t" in behind or behind.endswith(" .")):
            problem = "its lines end in carriage returns alone, so that several of them are one"
            remedy = "Save the file with Unix or Windows line ends."
            raise DataError.at(file, problem, remedy, number if len(lines) > 1 else None)


def _decoded(file: Path, raw: bytes) -> str:
    if raw.startswith(_GZIP):
        problem = "is compressed with gzip, which its name does not say"
        raise DataError.at(file, problem, "Unpack it, or let its name end with .gz.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError.at(
            file, f"byte 0x{raw[error.start]:02x} is not UTF-8", "Save the file as UTF-8.", line
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        problem = "holds a NUL character, so that it is no text or in another encoding"
        raise DataError.at(file, problem, "Save the file as UTF-8.", line)
    return text


def read_rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Tab-separated columns of every line.

    Args:
        path: Text file.
        columns: What each column holds; their number is checked and their names are printed.

    Raises:
        DataError: If a line has another number of columns or an empty one (also in brackets).
    """
    rows = [line.split("\t") for line in read_lines(path)]
    wanted = len(columns)
    for number, row in enumerate(rows, 1):
        if len(row) != wanted or "" in row or "<>" in row:
            raise malformed(path, number, "\t".join(row), " TAB ".join(columns))
    return rows


def malformed(path: Path, line: int, found: str, wanted: str) -> DataError:
    """The error for a line that does not have the form that its file needs."""
    return DataError.at(
        stored(path) or path,
        f"cannot read {shown(found)}",
        f"A line must be `{wanted}`; correct it or copy the file again.",
        line,
    )


def id_column(path: Path, texts: Sequence[str], what: str) -> NDArray[np.int64]:
    """Whole numbers of one column.

    Args:
        path: File that the column came from, for the error text.
        texts: One number per line, as written.
        what: What the numbers are, such as "entity id".

    Returns:
        [n_lines] int64, each in 0..2147483647.

    Raises:
        DataError: If an entry is not such a number.
    """
    for number, text in enumerate(texts, 1):
        # int() alone would also take "1_0", "+1" and digits of other scripts.
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID):
            raise DataError.at(
                stored(path) or path,
                f"{what} {shown(text)} is not a whole number in 0..{LARGEST_ID}",
                "Correct the id.",
                number,
            )
    return np.array([int(text) for text in texts], dtype=np.int64)


def _read_bytes(file: Path) -> bytes:
    try:
        if file.suffix != ".gz":
            return read_regular(file, LARGEST_UNPACKED_BYTES)
        with gzip.open(file) as stream:
            return read_packed(file, cast("BinaryIO", stream))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError.at(
            file, f"the gzip archive is truncated or damaged ({error})", "Copy or fetch it again."
        ) from None
    except OSError as error:
        raise unreadable(file, error) from None
