"""Small published tables and measured cells to hold against them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from mmea_bench.results.core.record import Record
from tests.reports.reports_factory import own_numbers

RANKED = {"candidates": "test", "ties": "realistic"}


def published_row(value: float, **changes: Any) -> dict[str, Any]:
    """A printed number of GCN-Align on FB15K-DB15K, or whatever the changes say."""
    row: dict[str, Any] = {
        "source": "loginmea2024",
        "table": "Table 1",
        "method": "GCN-Align",
        "variant": "",
        "dataset": "fb15k-db15k",
        "seed_ratio": 0.2,
        "setting": "no-names",
        "metric": "hits@1",
        "note": "reported",
        "trust": "trusted",
        "tolerance": math.nan,
        "contradictions": "",
        "why": "",
        **changes,
    }
    return {"value": value, "use_value": value, "reads_as": row["metric"], **row}


def published_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Published results as the reader gives them."""
    return pd.DataFrame(list(rows)).assign(row=lambda frame: range(1, len(frame) + 1))


def measured_cell(value: float, **changes: Any) -> Record:
    """A cell of GCN-Align under the published rules, with one number; CSLS adds nothing.

    Changes named ``metric``, ``inference``, ``csls`` (a tuple) and ``words`` (columns of scoring)
    concern the number, all others the cell.
    """
    metric = changes.pop("metric", "hits@1")
    inference = changes.pop("inference", "")
    words = {
        "similarity": "cosine",
        "decoder": "none",
        **({"candidates": "all-pairs", "inference": inference} if inference else RANKED),
        **changes.pop("words", {}),
    }
    sizes = changes.pop("csls", (0, 3))
    cell: dict[str, Any] = {
        "method": "gcn_align",
        "variant": "full",
        "dataset": "fb15k-db15k",
        "seed_ratio": 0.2,
        "repeat": 1,
        "protocol": "paper",
        "status": "ok",
        "stopped_on": "last",
        "suite": "demo",
        "dataset_version": "aaaaaaaaaaaa",
        "versions": "{}",
        "overrides": "{}",
        "names": "no",
        "iterative": "no",
        **changes,
    }
    place = [str(cell[name]) for name in ("method", "variant", "dataset", "seed_ratio", "repeat")]
    letters = "-".join([*place, cell["protocol"]])
    cell.setdefault("key", "".join(c if c.isalnum() or c in "_" else "-" for c in letters))
    if cell["status"] != "ok":
        return Record.of(cell)
    is_pairs = bool(inference) and metric != "hits@1"
    numbers = [
        {
            **words,
            "csls": size,
            "metric": metric,
            "direction": direction,
            # Only the published direction may be read.
            "value": value if direction != "tgt2src" else 0.999,
            "n": 90,
        }
        for size in ((0,) if inference else sizes)
        for direction in (("pairs",) if is_pairs else ("src2tgt", "tgt2src"))
    ]
    return Record.of(cell, numbers)


def three_repeats(record: Record) -> list[Record]:
    """The same cell in three repeats of equal numbers: as many as a verdict needs."""
    numbers = own_numbers(record)
    return [
        Record.of({**record.cell, "repeat": n, "key": f"{record.key}-{n}"}, numbers)
        for n in (1, 2, 3)
    ]
