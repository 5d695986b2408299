"""An earlier check as a baseline: which cells it had as reproduced, and which no longer are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmea_bench.reports.core.document import Cell, format_number
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.verdicts import VERDICTS, CheckRow
from mmea_bench.reports.core.rows.select import name_of
from mmea_bench.results.core.disk.files import read_regular
from mmea_bench.results.core.safe_text import unguarded

MISSING = "missing"
_TEXTS = ("method", "variant", "dataset", "protocol", "setting", "metric")
_COLUMNS = (*_TEXTS, "seed_ratio", "verdict")

CellId = tuple[str, str, str, str, str, str, float]
"""Method, variant, dataset, protocol, setting, metric and seed ratio. The version of the dataset is
no part of it: a mended copy must not lose its baseline."""


@dataclass(frozen=True)
class BaselineRow:
    """One cell of an earlier check.

    Attributes:
        cell: Which one.
        verdict: What it was.
    """

    cell: CellId
    verdict: str


@dataclass(frozen=True)
class Regression:
    """A cell that was reproduced and no longer is.

    Attributes:
        method: Catalogue name.
        variant: Variant with its overrides in brackets.
        dataset: Dataset address.
        protocol: Rules of training and stopping.
        setting: Printed setting.
        metric: What was measured.
        seed_ratio: Training share of the anchor links.
        now: The verdict now, or ``missing``.
        detail: The numbers now, or why there are none.
    """

    method: str
    variant: str
    dataset: str
    protocol: str
    setting: str
    metric: str
    seed_ratio: float
    now: str
    detail: str

    @property
    def name(self) -> str:
        """Printed name of method and variant."""
        return name_of(self.method, self.variant)


def read_baseline(path: Path) -> list[BaselineRow]:
    """The cells of an earlier check, from the CSV or the JSON that it wrote.

    Raises:
        ReportError: If the file is not there or is no such file.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
        rows = _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
        return [_baseline_row(row, number) for number, row in enumerate(rows, 1)]
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except (ValueError, csv.Error) as error:
        problem = str(error)
    raise ReportError(
        f"Baseline {path} cannot be used: {problem}. Give the check.csv of an earlier check, or "
        "the JSON that it printed."
    )


def _csv_rows(text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    found = reader.fieldnames or ()
    missing = [name for name in _COLUMNS if name not in found]
    if missing:
        raise ValueError(f"it has no column '{missing[0]}'")
    return [
        {name: unguarded(value or "") for name, value in row.items() if name is not None}
        for row in reader
    ]


def _json_rows(text: str) -> list[dict[str, Any]]:
    content = json.loads(text)
    rows = content.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it holds no list 'rows'")
    return rows


def _baseline_row(row: Mapping[str, Any], number: int) -> BaselineRow:
    texts = {name: row.get(name) for name in (*_TEXTS, "verdict")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"row {number} has no text in '{name}'")
    if texts["verdict"] not in VERDICTS:
        raise ValueError(f"row {number} has the unknown verdict '{texts['verdict']}'")
    try:
        ratio = float(row.get("seed_ratio", ""))
    except (TypeError, ValueError):
        raise ValueError(f"row {number} has no number in 'seed_ratio'") from None
    method, variant, dataset, protocol, setting, metric = (str(texts[name]) for name in _TEXTS)
    cell = (method, variant, dataset, protocol, setting, metric, _rounded(ratio))
    return BaselineRow(cell, str(texts["verdict"]))


def regressions(
    baseline: Iterable[BaselineRow], rows: Iterable[CheckRow], cells: pd.DataFrame
) -> list[Regression]:
    """Cells that the baseline had as reproduced and that are not reproduced now.

    ``better`` is not ``reproduced``: a number that has left the published one upwards has changed
    too, and may as well be a leak.

    Args:
        baseline: Of ``read_baseline``.
        rows: The check now.
        cells: One row per cell that was run, to say why a number is missing.
    """
    now: dict[CellId, list[CheckRow]] = {}
    for row in rows:
        now.setdefault(_cell_of(row), []).append(row)
    wanted = dict.fromkeys(row.cell for row in baseline if row.verdict == "reproduced")
    found = []
    for cell in wanted:
        there = now.get(cell, [])
        if any(row.verdict == "reproduced" for row in there):
            continue
        verdict = there[0].verdict if there else MISSING
        detail = _numbers(there[0]) if there else _why_missing(cell, cells)
        found.append(Regression(*cell, verdict, detail))
    return found


def _cell_of(row: CheckRow) -> CellId:
    texts = (row.method, row.variant, row.dataset, row.protocol, row.setting, row.metric)
    return (*texts, _rounded(row.seed_ratio))


def _rounded(ratio: float) -> float:
    return round(ratio, 9)


def _numbers(row: CheckRow) -> str:
    numbers = Cell(row.mean, row.sd, row.n).plain
    if row.published is not None:
        numbers += f", published {format_number(row.published, 'fraction')}"
    return f"{numbers}; {row.reason}" if row.reasons else numbers


def _why_missing(cell: CellId, cells: pd.DataFrame) -> str:
    method, variant, dataset, protocol, _setting, _metric, ratio = cell
    own = cells[
        (cells["method"] == method)
        & (cells["variant"] == variant)
        & (cells["dataset"] == dataset)
        & (cells["protocol"] == protocol)
        & ((cells["seed_ratio"] - ratio).abs() < 1e-9)
    ]
    if own.empty:
        return "not in these results"
    failed = own[own["status"] != "ok"]
    if failed.empty:
        return "there is no such number in these results"
    first = failed.iloc[0]
    return f"{str(first['status']).replace('_', ' ')}: {' '.join(str(first['reason']).split())}"
