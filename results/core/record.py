"""Everything one cell leaves behind, and its form on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmea_bench.results.core.errors import NewerSchemaError, ResultsError, shown
from mmea_bench.results.core.schema import (
    CELL_COLUMNS,
    CURVE_COLUMNS,
    DATASET_COLUMNS,
    GAINED_COLUMNS,
    LINK_SETS,
    RESULT_COLUMNS,
    SCHEMA_VERSION,
    Column,
    check_columns,
    check_names,
    check_record,
)
from mmea_bench.results.core.upgrades import schema_1

Row = dict[str, Any]

STOP_CSLS = "stop_csls"
"""CSLS size of the curves, told where a score chose the checkpoint."""


@dataclass(frozen=True, eq=True)
class Record:
    """One cell with its numbers.

    Attributes:
        cell: Row of cells.csv.
        results: Rows of results.csv; empty unless the cell ended ok.
        curves: Rows of curves.csv.
        schema_version: Schema that the rows follow.
        dataset: Rows of datasets.csv; empty if the cell ended before it had loaded its dataset,
            and in records that older versions wrote.
        configuration: How the cell was configured, so that it can be repeated: resolved parameters,
            what set them, protocol settings, the user's method files as they were. Empty where the
            cell could not say, and in records that older versions wrote.
    """

    cell: Row
    results: list[Row]
    curves: list[Row]
    schema_version: int = SCHEMA_VERSION
    dataset: list[Row] = field(default_factory=list)
    configuration: Row = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of the cell."""
        return str(self.cell["key"])

    @classmethod
    def of(
        cls,
        cell: Mapping[str, Any],
        results: Sequence[Mapping[str, Any]] = (),
        curves: Sequence[Mapping[str, Any]] = (),
        dataset: Sequence[Mapping[str, Any]] = (),
    ) -> Record:
        """A checked record; what the rows share with the cell is filled in.

        Args:
            cell: Row of cells.csv; nullable columns may be left out.
            results: Columns of scoring, metric, direction, value and n of each number.
            curves: epoch, loss, links, columns of scoring, metric, direction and value of each
                point. Nullable columns may be left out in both.
            dataset: kg, statistic and value of each count.

        Raises:
            ResultsError: If a row breaks the schema.
        """
        nulls = {column.name: None for column in CELL_COLUMNS if column.nullable}
        full = {**nulls, **cell}
        record = cls(
            _in_order(full, CELL_COLUMNS),
            _fill(results, full, RESULT_COLUMNS),
            _fill(curves, full, CURVE_COLUMNS),
            dataset=_fill(dataset, full, DATASET_COLUMNS),
        )
        record.check()
        return record

    def check(self) -> None:
        """Raises unless all rows follow the schema and belong to the cell.

        Raises:
            ResultsError: At the first violation.
        """
        if self.schema_version != SCHEMA_VERSION:
            raise ResultsError(
                f"the record follows schema {shown(self.schema_version)}, this program reads "
                f"schema {SCHEMA_VERSION}. Run the cell again."
            )
        check_record(self.cell)
        if not isinstance(self.configuration, dict):
            raise ResultsError(f"cell {self.key}: its configuration is no table.")
        what = f"cell {self.key}"
        # The key is a file name.
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.key):
            raise ResultsError(
                f"cell {shown(self.key)}: a key holds letters, digits, '_' and '-' only."
            )
        if self.results and self.cell["status"] != "ok":
            raise ResultsError(
                f"{what}: has results although its status is {self.cell['status']}. "
                "Only cells that ended ok have results."
            )
        _check_rows(self.results, self.cell, RESULT_COLUMNS, f"{what}, results")
        _check_rows(self.curves, self.cell, CURVE_COLUMNS, f"{what}, curves")
        _check_rows(self.dataset, self.cell, DATASET_COLUMNS, f"{what}, dataset")

    def to_json(self) -> str:
        """The record as JSON text; what rows share with the cell is written once."""
        content = {
            "schema_version": self.schema_version,
            "cell": self.cell,
            "results": _packed(self.results, RESULT_COLUMNS),
            "curves": _packed(self.curves, CURVE_COLUMNS),
        }
        if self.dataset:
            content["dataset"] = _packed(self.dataset, DATASET_COLUMNS)
        if self.configuration:
            content["configuration"] = self.configuration
        return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """The checked record behind the text of ``to_json``, or of what schema 1 wrote.

        Raises:
            NewerSchemaError: If a newer version of the program wrote it.
            ResultsError: If the text is not a record that follows the schema.
        """
        try:
            content = json.loads(text, parse_constant=_reject_constant)
            version = content["schema_version"]
            if type(version) is int and version > SCHEMA_VERSION:
                raise NewerSchemaError(
                    f"the record follows schema {shown(version)}, this program reads schema "
                    f"{SCHEMA_VERSION}. Use the version of the program that wrote it."
                )
            if version == schema_1.VERSION:
                content = schema_1.upgraded(content)
            cell = {**dict.fromkeys(GAINED_COLUMNS), **content["cell"]}
            dataset = content.get("dataset")
            record = cls(
                _in_order(cell, CELL_COLUMNS),
                _unpacked(content["results"], cell, RESULT_COLUMNS),
                _unpacked(content["curves"], cell, CURVE_COLUMNS),
                content["schema_version"],
                [] if dataset is None else _unpacked(dataset, cell, DATASET_COLUMNS),
                content.get("configuration") or {},
            )
            record.check()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ResultsError(f"not a complete record ({shown(error)}).") from error
        return record


def _own(columns: Sequence[Column]) -> list[str]:
    """Names of the columns that a cell's rows do not share with the cell."""
    shared = {column.name for column in CELL_COLUMNS}
    return [column.name for column in columns if column.name not in shared]


def _in_order(row: Mapping[str, Any], columns: Sequence[Column]) -> Row:
    """The row in schema order, with unknown columns kept at the end for the check to find."""
    known = {column.name: row[column.name] for column in columns if column.name in row}
    return {**known, **row}


def _fill(rows: Sequence[Mapping[str, Any]], cell: Row, columns: Sequence[Column]) -> list[Row]:
    nulls = {column.name: None for column in columns if column.nullable}
    shared = {column.name: cell[column.name] for column in columns if column.name in cell}
    return [_in_order({**nulls, **shared, **row}, columns) for row in rows]


def _packed(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, Any]:
    own = _own(columns)
    return {"columns": own, "rows": [[row[name] for name in own] for row in rows]}


def _unpacked(packed: Mapping[str, Any], cell: Row, columns: Sequence[Column]) -> list[Row]:
    own = packed["columns"]
    if own != _own(columns):
        raise ResultsError(
            f"its columns are {shown(own)}, schema {SCHEMA_VERSION} has {_own(columns)}."
        )
    names = [column.name for column in columns]
    template = {name: cell.get(name) for name in names}
    return [{**template, **dict(zip(own, row, strict=True))} for row in packed["rows"]]


def _check_rows(rows: Sequence[Row], cell: Row, columns: Sequence[Column], what: str) -> None:
    if not rows:
        return
    for names in {tuple(row) for row in rows}:
        check_names(names, columns, what, ordered=False)
    values = {column.name: [row[column.name] for row in rows] for column in columns}
    check_columns(values, columns, what)
    own = set(_own(columns))
    for name in values.keys() - own:
        if set(values[name]) != {cell[name]}:
            raise ResultsError(
                f"{what}: column '{name}' differs from the cell, which has {shown(cell[name])}. "
                "Rows must carry the identity of their cell."
            )


def _reject_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def telling_settings(text: object, stopped_on: object = None) -> dict[str, Any]:
    """The settings of a protocol that belong to what a cell is; none where they are not told.

    CSLS sizes and decoders only add numbers, which say their own. The last size is told as
    ``stop_csls`` where a score chose the checkpoint: it is that of the curves.

    Args:
        text: Column ``protocol_settings``.
        stopped_on: Column ``stopped_on``; None asks for no ``stop_csls``.
    """
    if not isinstance(text, str):
        return {}
    found: dict[str, Any] = json.loads(text)
    sizes = found.pop("csls", None)
    found.pop("decoders", None)
    if sizes and stopped_on in LINK_SETS:
        found[STOP_CSLS] = sizes[-1]
    return found
