"""Table files of a results folder, which may be another's: rows as columns of plain values."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from mmea_bench.results.core.disk.files import open_regular, open_regular_text
from mmea_bench.results.core.errors import ResultsError, shown
from mmea_bench.results.core.safe_text import unguarded
from mmea_bench.results.core.schema import GAINED_COLUMNS, TEXT_KINDS, Column, check_names

Values = dict[str, list[Any]]
"""Column name to its values, None for an empty field."""

_REMEDY = "Write it again from the records in 'cells'."
_FREE_ROWS = 100_000
_FREE_BYTES = 32 * 2**20
_MOST_PACKED = 100  # bytes that one byte of a Parquet file may stand for


def read_csv(path: Path, columns: Sequence[Column]) -> Values:
    """The columns of a CSV file that has exactly these.

    Raises:
        ResultsError: If the file cannot be read, or a field does not fit its column; the text
            names the line.
    """
    values: Values = {}
    try:
        with open_regular_text(path) as stream:
            reader = csv.reader(stream, strict=True)
            known = _checked_header(path, next(reader, []), columns)
            values = {column.name: [] for column in known}
            for fields in reader:
                if len(fields) != len(known):
                    raise _wrong(path, reader.line_num, f"{len(fields)} fields", len(known))
                for column, text in zip(known, fields, strict=True):
                    values[column.name].append(_value(path, reader.line_num, column, text))
    except (OSError, ValueError, csv.Error) as error:
        raise ResultsError(f"{path}: cannot be read ({shown(error)}). {_REMEDY}") from error
    return _with_gained(values, columns)


def _checked_header(
    path: Path, names: Sequence[str], columns: Sequence[Column]
) -> Sequence[Column]:
    """The columns that the file has: all, but for those that its older program did not know."""
    if "setting" in names:
        raise ResultsError(
            f"{path}: follows schema 1, of which records alone are converted. Copy the folder "
            "'cells' there, from which all tables are made."
        )
    known = [c for c in columns if c.name in names or c.name not in GAINED_COLUMNS]
    check_names(names, known, str(path))
    return known


def _with_gained(values: Values, columns: Sequence[Column]) -> Values:
    """The values with empty ones for columns that the file does not have."""
    n_rows = len(next(iter(values.values()), []))
    return {column.name: values.get(column.name, [None] * n_rows) for column in columns}


def _value(path: Path, line: int, column: Column, text: str) -> Any:
    # A method may be called "NA" or "null": only an empty field is missing.
    if not text:
        return None
    try:
        return _PARSERS[column.kind](text)
    except ValueError:
        wanted = "a whole number" if column.kind == "int" else "a number"
        raise _wrong(path, line, f"column '{column.name}' holds {shown(text)}", wanted) from None


def _wrong(path: Path, line: int, found: str, wanted: object) -> ResultsError:
    return ResultsError(f"{path}, line {line}: {found}, not {wanted}. {_REMEDY}")


def _whole(text: str) -> int:
    # int() alone would also take "1_0", and digits of other scripts without end.
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ValueError(text)
    return int(text)


# float() reads back exactly what was printed; the parsers of pandas differ by version.
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "text": unguarded,
    "word": unguarded,
    "json": str,
    "int": _whole,
    "float": float,
    "fraction": float,
}


def read_parquet(path: Path, columns: Sequence[Column]) -> Values:
    """The columns of a Parquet file that has exactly these.

    Raises:
        ResultsError: If the file cannot be read or stands for far more than its size.
    """
    try:
        n_bytes = path.stat().st_size
        with open_regular(path) as stream:
            known = _checked_header(path, parquet.read_schema(stream).names, columns)
        # Texts stay in dictionaries: a repeated one is then held once, however long it is.
        texts = [column.name for column in known if column.kind in (*TEXT_KINDS, "json")]
        with (
            open_regular(path) as stream,
            parquet.ParquetFile(stream, read_dictionary=texts) as file,
        ):
            facts = file.metadata
            unpacked = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
            if (
                facts.num_rows > _FREE_ROWS + n_bytes
                or unpacked > _FREE_BYTES + _MOST_PACKED * n_bytes
            ):
                raise _too_much(path)
            table = file.read(use_threads=False)
        values = {column.name: _plain(path, table.column(column.name), n_bytes) for column in known}
        return _with_gained(values, columns)
    except ResultsError:
        raise
    except Exception as error:  # a damaged file can raise nearly every type
        raise ResultsError(f"{path}: cannot be read ({shown(error)}). {_REMEDY}") from error


def _plain(path: Path, column: Any, n_bytes: int) -> list[Any]:
    values: list[Any] = []
    n_letters = 0
    for chunk in column.chunks:
        if not hasattr(chunk, "dictionary"):
            values += chunk.to_pylist()
            continue
        words = chunk.dictionary.to_pylist()
        places = chunk.indices.to_pylist()
        n_letters += sum(len(words[place] or "") for place in places if place is not None)
        if n_letters > _FREE_BYTES + _MOST_PACKED * n_bytes:
            raise _too_much(path)
        values += [None if place is None else words[place] for place in places]
    return values


def _too_much(path: Path) -> ResultsError:
    return ResultsError(
        f"{path}: stands for far more rows or text than its size explains, and was not read. "
        f"{_REMEDY}"
    )
