"""An earlier check as a baseline: which cells it had as reproduced, and which no longer are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mmea_bench.reports.core.document import Cell, format_number
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.settings import own_protocols, usual_words_dropped
from mmea_bench.reports.core.published.verdicts import VERDICTS, CheckRow
from mmea_bench.reports.core.rows.identity import protocol_name
from mmea_bench.reports.core.rows.select import PUBLISHED, name_of
from mmea_bench.results.core.disk.files import read_regular
from mmea_bench.results.core.safe_text import unguarded

MISSING = "missing"
_TEXTS = ("method", "variant", "dataset", "protocol", "setting", "metric")
_COLUMNS = (*_TEXTS, "seed_ratio", "verdict")


class CellId(NamedTuple):
    """What a cell of a check is known by.

    The version of the dataset is no part of it: a mended copy must not lose its baseline.

    Attributes:
        method: Catalogue name.
        variant: Variant with its overrides in brackets.
        dataset: Dataset address.
        protocol: Rules of training and stopping, without what is usual.
        setting: Printed setting.
        metric: What was measured.
        seed_ratio: Training share of the anchor links.
        split: ``published``; empty for one that was drawn.
    """

    method: str
    variant: str
    dataset: str
    protocol: str
    setting: str
    metric: str
    seed_ratio: float
    split: str


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
        cell: Which one.
        now: The verdict now, or ``missing``.
        detail: The numbers now, or why there are none.
    """

    cell: CellId
    now: str
    detail: str

    @property
    def name(self) -> str:
        """Printed name of method and variant."""
        return name_of(self.cell.method, self.cell.variant)


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
    protocol = usual_words_dropped(protocol)
    place = (method, variant, dataset, protocol, setting, metric, _rounded(ratio))
    cell = CellId(*place, _split_of(str(row.get("dataset_version") or "")))
    return BaselineRow(cell, str(texts["verdict"]))


def regressions(
    baseline: Iterable[BaselineRow], rows: Iterable[CheckRow], cells: pd.DataFrame
) -> list[Regression]:
    """Cells that the baseline had as reproduced and that are not reproduced now.

    ``better`` is not ``reproduced``: a number that has left the published one upwards has changed
    too, and may as well be a leak. Where a cell has several rows, of versions of the dataset, all
    of them must be reproduced.

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
        worse = [row for row in there if row.verdict != "reproduced"]
        if not there:
            found.append(Regression(cell, MISSING, _why_missing(cell, cells)))
        elif worse:
            version = f"version {worse[0].dataset_version[:6]}: " if len(there) > 1 else ""
            found.append(Regression(cell, worse[0].verdict, version + _numbers(worse[0])))
    return found


def _cell_of(row: CheckRow) -> CellId:
    texts = (row.method, row.variant, row.dataset, row.protocol, row.setting, row.metric)
    return CellId(*texts, _rounded(row.seed_ratio), _split_of(row.dataset_version))


def _split_of(version: str) -> str:
    return "published" if version.endswith(PUBLISHED) else ""


def _rounded(ratio: float) -> float:
    return round(ratio, 9)


def _numbers(row: CheckRow) -> str:
    numbers = Cell(row.mean, row.sd, row.n).plain
    if row.published is not None:
        numbers += f", published {format_number(row.published, 'fraction')}"
    failed = f"{row.n_failed} repeat(s) failed" * bool(row.n_failed)
    return "; ".join(filter(None, (numbers, failed, row.reason)))


def _why_missing(cell: CellId, cells: pd.DataFrame) -> str:
    own = cells[
        (cells["method"] == cell.method)
        & (cells["variant"] == cell.variant)
        & (cells["dataset"] == cell.dataset)
        & ((cells["split"] == "published") == bool(cell.split))
        & ((cells["seed_ratio"] - cell.seed_ratio).abs() < 1e-9)
    ]
    protocols = own_protocols(own)
    own = own[protocols.map(protocol_name) == protocol_name(cell.protocol)]
    if own.empty:
        return "not in these results"
    failed = own[own["status"] != "ok"]
    if len(failed):
        first = failed.iloc[0]
        return f"{str(first['status']).replace('_', ' ')}: {' '.join(str(first['reason']).split())}"
    there = sorted(set(protocols[own.index]))
    if cell.protocol not in there:
        return f"in these results as {', '.join(there)} only"
    return "there is no such number in these results"
