"""Rows of records as tidy tables, to disk and back."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.plans.completeness import Completeness, completeness
from mmea_bench.results.core.plans.plan_file import CellWords
from mmea_bench.results.core.record import Record, Row
from mmea_bench.results.core.safe_text import guarded
from mmea_bench.results.core.schema import (
    CELL_COLUMNS,
    CURVE_COLUMNS,
    DATASET_COLUMNS,
    RESULT_COLUMNS,
    TEXT_KINDS,
    Column,
    check_columns,
)
from mmea_bench.results.core.table_readers import read_csv, read_parquet

TABLE_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "results": RESULT_COLUMNS,
    "cells": CELL_COLUMNS,
    "curves": CURVE_COLUMNS,
    "datasets": DATASET_COLUMNS,
}
_OPTIONAL = ("datasets",)  # folders written by older versions lack it

_CELL_WORDS = ("method", "variant", "dataset", "seed_ratio", "repeat", "protocol")

_SORT_BY = (
    "method",
    "variant",
    "dataset",
    "seed_ratio",
    "repeat",
    *("candidates", "csls", "decoder", "inference", "modality", "similarity", "ties"),
    "metric",
    "direction",
    "links",
    "epoch",
    "protocol",
    "suite",
    "key",
    "dataset_version",
)


@dataclass(frozen=True, eq=False)
class Tables:
    """All results of a folder.

    Attributes:
        results: One row per number (``RESULT_COLUMNS``).
        cells: One row per cell (``CELL_COLUMNS``).
        curves: One row per number measured while training (``CURVE_COLUMNS``).
        problems: Sentences about records that could not be read.
        datasets: One row per count of a dataset (``DATASET_COLUMNS``), each dataset version once,
            source KG before target KG.
        planned: Key to words of every cell that the folder was asked for; empty where it does not
            say.
        folder: Where they were read; None for tables that were put together.
    """

    results: pd.DataFrame
    cells: pd.DataFrame
    curves: pd.DataFrame
    problems: tuple[str, ...] = ()
    datasets: pd.DataFrame = field(default_factory=lambda: _frame([], DATASET_COLUMNS))
    planned: Mapping[str, CellWords] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def completeness(self) -> Completeness:
        """What was planned, and what of it is done, failed or missing; see there how to use it."""
        columns = ("key", "status", *_CELL_WORDS)
        values = zip(*(self.cells[column].tolist() for column in columns), strict=True)
        return completeness(self.planned, [dict(zip(columns, row, strict=True)) for row in values])

    def in_own_similarity(self) -> pd.DataFrame:
        """The results that compare methods: each by its own similarity.

        Under the protocol ``paper`` a cell may be scored by the similarity of its published
        numbers, too; these numbers are for the comparison with the published ones alone.
        """
        own = self.results["key"].map(self.cells.set_index("key")["own_similarity"])
        return self.results[own.isna() | (self.results["similarity"] == own)]


def tables_of(records: Sequence[Record], problems: Sequence[str] = ()) -> Tables:
    """The tables of some records; row order does not depend on the order of the records."""
    return Tables(
        _frame([row for record in records for row in record.results], RESULT_COLUMNS),
        _frame([record.cell for record in records], CELL_COLUMNS),
        _frame([row for record in records for row in record.curves], CURVE_COLUMNS),
        tuple(problems),
        _frame(_dataset_rows(records), DATASET_COLUMNS),
    )


def write_tables(tables: Tables, folder: Path) -> list[Path]:
    """Writes each table as ``.csv`` and ``.parquet``; equal tables give equal bytes.

    Returns:
        The files written.
    """
    written = []
    for name in TABLE_COLUMNS:
        frame = getattr(tables, name)
        text = table_csv(tables, name)
        buffer = io.BytesIO()
        frame.to_parquet(buffer, engine="pyarrow", index=False)
        for suffix, content in ((".csv", text.encode("utf-8")), (".parquet", buffer.getvalue())):
            written.append(folder / f"{name}{suffix}")
            write_atomic(written[-1], content)
    return written


def table_csv(tables: Tables, name: str) -> str:
    """One of ``TABLE_COLUMNS`` as the text of a CSV file."""
    frame = _guarded(getattr(tables, name), TABLE_COLUMNS[name])
    # pandas prints floats with repr precision, so that reading gives the same float back.
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _guarded(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    texts = [column.name for column in columns if column.kind in TEXT_KINDS]
    return frame.assign(**{name: frame[name].map(guarded, na_action="ignore") for name in texts})


def read_table_files(folder: Path) -> Tables | None:
    """The tables written to a folder, from CSV or else parquet; None if there are none.

    Raises:
        ResultsError: If only some are there, or one cannot be read or breaks the schema.
    """
    frames = {name: _read_frame(folder, name) for name in TABLE_COLUMNS}
    needed = {name: frame for name, frame in frames.items() if name not in _OPTIONAL}
    missing = [name for name, frame in needed.items() if frame is None]
    if len(missing) == len(needed):
        return None
    if missing:
        raise ResultsError(
            f"{folder}: {', '.join(f'{name}.csv' for name in missing)} is missing beside the other "
            "tables. Copy it there, or copy the folder 'cells', from which all tables are made."
        )
    results, cells, curves, datasets = (
        _frame([], TABLE_COLUMNS[name]) if frame is None else frame
        for name, frame in frames.items()
    )
    return Tables(results, cells, curves, datasets=datasets)


def _read_frame(folder: Path, name: str) -> pd.DataFrame | None:
    columns = TABLE_COLUMNS[name]
    path = folder / f"{name}.csv"
    if path.is_file():
        values = read_csv(path, columns)
    elif (path := path.with_suffix(".parquet")).is_file():
        values = read_parquet(path, columns)
    else:
        return None
    check_columns(values, columns, str(path))
    return _sorted(_typed(values, columns))


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    return _sorted(
        _typed({column.name: [row[column.name] for row in rows] for column in columns}, columns)
    )


def _dataset_rows(records: Sequence[Record]) -> list[Row]:
    """The rows of each dataset version once: as the newest record has them."""
    newest: dict[tuple[str, str], list[Row]] = {}
    for record in sorted(records, key=lambda item: (item.cell["finished_at"] or "", item.key)):
        if record.dataset:
            newest[record.cell["dataset"], record.cell["dataset_version"]] = record.dataset
    return [row for rows in newest.values() for row in rows]


def _typed(values: Mapping[str, Sequence[Any]], columns: Sequence[Column]) -> pd.DataFrame:
    data = {}
    for column in columns:
        # An empty text is a missing one, as it is in a CSV file.
        cleaned = [None if value == "" else value for value in values[column.name]]
        # A lone \r, as progress bars print it, would end a row of the CSV file.
        if column.kind == "text" and any("\r" in text for text in set(cleaned) if text):
            cleaned = [text and re.sub(r"\r\n?", "\n", text) for text in cleaned]
        try:
            data[column.name] = pd.Series(cleaned, dtype=_dtype(column))
        except TypeError as error:
            raise ResultsError(f"column '{column.name}' is empty in a row. Fill it.") from error
    return pd.DataFrame(data)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    by = [name for name in _SORT_BY if name in frame.columns]
    return frame.sort_values(by, kind="stable", ignore_index=True)


def _dtype(column: Column) -> str:
    if column.kind == "int":
        return "Int64" if column.nullable else "int64"
    return "float64" if column.kind in ("float", "fraction") else "str"
