"""Parquet of this room: a table with one JSON of ours in its metadata, checked when read."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from mmea_bench.results.core.disk.files import open_regular, write_atomic
from mmea_bench.results.core.errors import NewerSchemaError, ResultsError, shown
from mmea_bench.results.core.predictions.schema import FORMAT_VERSION

_MARK = b"mmea_bench"
_FREE_ROWS = 2 * 10**6
_FREE_BYTES = 32 * 2**20
_MOST_PACKED = 100  # bytes that one byte of a file may stand for
REMEDY = "Make it again with `mmea-bench predict DIR KEY`."


def write_parquet(path: Path, kind: str, about: dict[str, Any], columns: dict[str, Any]) -> None:
    """Writes a table at once.

    Args:
        path: The file.
        kind: What it holds.
        about: Facts on the table as a whole.
        columns: Name to Arrow array.
    """
    mark = {"kind": kind, "format": FORMAT_VERSION, **about}
    text = json.dumps(mark, ensure_ascii=False, allow_nan=False, sort_keys=True)
    table = pa.table(columns).replace_schema_metadata({_MARK: text.encode()})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())


def read_about(path: Path, kind: str) -> dict[str, Any]:
    """Facts on a table, without its rows.

    Raises:
        ResultsError: If the file is not of this kind, or cannot be read.
    """
    return _read(path, kind, ())[0]


def read_parquet(
    path: Path, kind: str, columns: Sequence[str] = ()
) -> tuple[dict[str, Any], pa.Table]:
    """Facts on a table, and its rows.

    Args:
        path: The file.
        kind: What it must hold.
        columns: Columns to read.

    Raises:
        ResultsError: If the file is not of this kind, cannot be read, lacks a column, or stands for
            far more than its size.
    """
    about, table = _read(path, kind, columns)
    return about, table


def _read(path: Path, kind: str, columns: Sequence[str]) -> tuple[dict[str, Any], pa.Table]:
    try:
        with open_regular(path) as stream, parquet.ParquetFile(stream) as file:
            about = _about(path, kind, file.schema_arrow.metadata or {})
            lacking = [name for name in columns if name not in file.schema_arrow.names]
            if lacking:
                raise ResultsError(f"{path}: has no column '{lacking[0]}'. {REMEDY}")
            _check_size(path, file.metadata)
            table = file.read(columns=list(columns), use_threads=False) if columns else None
    except ResultsError:
        raise
    except OSError as error:
        why = error.strerror or shown(error)
        raise ResultsError(f"{path}: cannot be read ({why}). {REMEDY}") from error
    except Exception as error:  # a damaged file can raise nearly every type
        raise ResultsError(f"{path}: cannot be read ({shown(error)}). {REMEDY}") from error
    return about, table


def _about(path: Path, kind: str, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        about = json.loads(metadata[_MARK])
        version = about["format"]
        if type(version) is int and version > FORMAT_VERSION:
            raise NewerSchemaError(
                f"{path}: a newer version of this program wrote it (format {version}); use that."
            )
        if about["kind"] != kind or version != FORMAT_VERSION:
            raise ValueError(kind)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ResultsError(f"{path}: no {kind} file of this program. {REMEDY}") from error
    return dict(about)


def _check_size(path: Path, facts: Any) -> None:
    n_bytes = path.stat().st_size
    unpacked = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
    if unpacked > _FREE_BYTES + _MOST_PACKED * n_bytes or facts.num_rows > _FREE_ROWS + n_bytes:
        raise ResultsError(
            f"{path}: stands for far more rows than its size explains, and was not read. {REMEDY}"
        )
