"""Ceilings that follow from the size of a file: a small one cannot ask for a large memory."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from mmea_bench.datasets.core.errors import DataError

LARGEST_UNPACKED_BYTES = 16 * 2**30
"""No file of an archive is unpacked beyond this size, however well it was packed."""

TEXT_PACKED = 40
"""Bytes of text that one byte of an archive may unpack to; published triples have 3 to 13."""

ARRAY_PACKED = 100
"""The same for arrays, which hold long runs of zeros and cost no more memory than their bytes."""

_FREE_UNPACKED_BYTES = 2 * 2**20
_MOST_SPREAD = 200
_FREE_TABLE_BYTES = 32 * 2**20
_PIECE_BYTES = 2**20


def most_unpacked(n_packed: int, packed: int = TEXT_PACKED) -> int:
    """Bytes that an archive of a size may unpack to, so many for each of its own."""
    return min(LARGEST_UNPACKED_BYTES, max(_FREE_UNPACKED_BYTES, packed * n_packed))


def read_packed(path: Path, stream: BinaryIO) -> bytes:
    """The unpacked bytes of a compressed file.

    Args:
        path: The file itself, for its size and the error text.
        stream: Unpacks it.

    Raises:
        DataError: If it unpacks to far more than its size.
    """
    limit = most_unpacked(path.stat().st_size)
    pieces: list[bytes] = []
    n_bytes = 0
    while piece := stream.read(_PIECE_BYTES):
        n_bytes += len(piece)
        if n_bytes > limit:
            raise packed_too_well(path)
        pieces.append(piece)
    return b"".join(pieces)


def packed_too_well(path: Path, packed: int = TEXT_PACKED) -> DataError:
    """The error for an archive that would fill the memory or the disk."""
    return DataError.at(
        path,
        f"unpacks to more than {packed} times its size or 16 GiB, and was not read further",
        "Unpack it yourself if you trust its source.",
    )


def check_table(path: Path, n_rows: int, n_columns: int, n_bytes: int) -> None:
    """Refuses a table of float32 that is out of proportion to the file that asks for it.

    Args:
        path: The file, for the error text.
        n_rows: Rows of the table; one per entity, with a vector or without.
        n_columns: Numbers per row.
        n_bytes: Size of the file.

    Raises:
        DataError: If the table would be larger than the file explains.
    """
    wanted = 4 * n_rows * n_columns
    if wanted > _FREE_TABLE_BYTES and wanted > _MOST_SPREAD * n_bytes:
        raise DataError.at(
            path,
            f"asks for a table of {n_rows} rows and {n_columns} columns, more than a file of "
            f"{n_bytes} bytes explains",
            "Copy or fetch the file again, or use vectors of fewer dimensions.",
        )
