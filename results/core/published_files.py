"""CSV files of published numbers, each row checked on the way in."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmea_bench.results.core.disk.files import open_regular_text
from mmea_bench.results.core.errors import ResultsError

METRICS = ("hits@1", "hits@5", "hits@10", "mrr", "precision", "recall", "f1")
VERDICTS = ("use", "avoid", "loose", "note")
HOLDS = ("yes", "no", "open")

Parser = Callable[[str], object]
"""Turns the text of a field into its value; a ``ValueError`` says what the field must hold."""


@dataclass(frozen=True)
class CsvLine:
    """One row of a file with its place.

    Attributes:
        path: The file.
        number: Line in the file, from 1; the header is line 1.
        texts: Column to field, as in the file.
    """

    path: Path
    number: int
    texts: Mapping[str, str]

    def error(self, column: str, problem: str) -> ResultsError:
        """The error for one field: file, line, column, problem and value."""
        return ResultsError(
            f"{self.path}, line {self.number}, column '{column}': {problem}, "
            f"not '{self.texts[column]}'. Correct this field."
        )


def read_csv_lines(path: Path, columns: Sequence[str]) -> list[CsvLine]:
    """The rows of a CSV file that has exactly these columns.

    Args:
        path: File in UTF-8 with a header.
        columns: Names and order that the header must have.

    Raises:
        ResultsError: If the file or a column is missing, or a row has too few or many fields.
    """
    lines = []
    try:
        with open_regular_text(path) as stream:
            reader = csv.reader(stream, strict=True)
            _check_header(path, next(reader, []), columns)
            for fields in reader:
                if len(fields) != len(columns):
                    raise ResultsError(
                        f"{path}, line {reader.line_num}: {len(fields)} fields where the header "
                        f"has {len(columns)}. Put texts that hold a comma in quotes."
                    )
                texts = dict(zip(columns, fields, strict=True))
                lines.append(CsvLine(path, reader.line_num, texts))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(
            f"{path}: cannot be read ({error}). Put the file of the project there again."
        ) from error
    return lines


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise ResultsError(f"{path}, line 1: column '{missing[0]}' is missing. Add it.")
    if list(header) != list(columns):
        raise ResultsError(
            f"{path}, line 1: the columns must be {','.join(columns)}, not {','.join(header)}."
        )


def typed_frame(lines: Sequence[CsvLine], parsers: Mapping[str, Parser]) -> pd.DataFrame:
    """A table of rows; columns without a parser stay text, "" where nothing is written.

    Args:
        lines: Rows of one file.
        parsers: Column to the parser of its fields; its columns come in this order.

    Raises:
        ResultsError: If a parser refuses a field.
    """
    data: dict[str, list[object]] = {column: [] for column in parsers}
    for line in lines:
        for column, parse in parsers.items():
            try:
                data[column].append(parse(line.texts[column]))
            except ValueError as error:
                raise line.error(column, str(error)) from None
    return pd.DataFrame(data)


def any_text(text: str) -> str:
    """The field as it is."""
    return text


def filled_text(text: str) -> str:
    """The field, which must not be empty."""
    if not text.strip():
        raise ValueError("must be filled")
    return text


def one_of(*valid: str) -> Parser:
    """A parser that accepts these words alone."""

    def parse(text: str) -> str:
        if text not in valid:
            raise ValueError(f"must be one of {', '.join(valid)}")
        return text

    return parse


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must hold a number") from None
    if not math.isfinite(value):
        raise ValueError("must hold a finite number")
    return value


def whole_number(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("must hold a whole number from 1")
    return int(text)


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0.0 <= value <= 1.0:
        raise ValueError("must hold a fraction between 0 and 1")
    return value


def fraction_or_nan(text: str) -> float:
    """As ``fraction``; NaN for an empty field."""
    return fraction(text) if text else math.nan


def number_or_nan(text: str) -> float:
    """As ``number``; NaN for an empty field."""
    return number(text) if text else math.nan


def check_unique(lines: Sequence[CsvLine], key: Sequence[str]) -> None:
    """Refuses a file in which two rows have the same key.

    Raises:
        ResultsError: If there is such a pair; the text names both lines.
    """
    seen: dict[tuple[str, ...], int] = {}
    for line in lines:
        values = tuple(line.texts[column] for column in key)
        if values in seen:
            raise ResultsError(
                f"{line.path}, line {line.number}: the same {', '.join(key)} stand in line "
                f"{seen[values]}. Remove one of the two rows."
            )
        seen[values] = line.number
