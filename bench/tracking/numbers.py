"""A cell and its record as flat names and values, which is what trackers take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmea_bench.bench.cells.messages import CurvePoint
from mmea_bench.bench.planning.cell import cell_words
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.progress import spell_cell
from mmea_bench.bench.tracking.tracker import TrackedCell
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import CELL_COLUMNS

_COUNTS = ("rng_seed", "split_seed", "repeat")
_COSTS = tuple(
    column.name
    for column in CELL_COLUMNS
    if column.kind in ("int", "float") and column.name not in _COUNTS
)
_FURTHER = ("similarity", "candidates", "ties", "inference")
_WORDS = {"csls": (0, "csls"), "decoder": ("none", ""), "modality": (None, "")}
"""Column of scoring to its plain value, which is not spelled, and what stands before another."""


def tracked(job: Job) -> TrackedCell:
    """A job as trackers see it."""
    words = {**cell_words(job.cell), "protocol": job.cell.protocol.name, "device": job.device}
    settings = {**words, **{f"set.{name}": value for name, value in job.cell.overrides}}
    return TrackedCell(job.key, spell_cell(job.cell), dict(_plain(settings)))


def curve_name(point: CurvePoint) -> str:
    """Name of a number of a learning curve."""
    return f"{point.links}/{point.metric}/{point.direction}"


def points_of_record(record: Record) -> Iterator[CurvePoint]:
    """Every point of the learning curve in a record."""
    for row in record.curves:
        names = ("epoch", "links", "metric", "direction", "value")
        yield CurvePoint(*(row[name] for name in names))


def by_epoch(points: Iterable[CurvePoint]) -> dict[int, dict[str, float]]:
    """Epoch to name to value, epochs in order; what is not finite is left out."""
    found: dict[int, dict[str, float]] = {}
    for point in sorted(points, key=lambda each: each.epoch):
        if math.isfinite(point.value):
            found.setdefault(point.epoch, {})[curve_name(point)] = float(point.value)
    return found


def final_numbers(record: Record) -> dict[str, float]:
    """Every number of a record by a name of its own, and what the cell cost.

    ``final/hits@1/mean`` is a plain number; CSLS, decoder and modality follow where there are any
    (``final/hits@1/mean/csls3``). Where two numbers would share a name, the later one says in what
    else it was scored otherwise: ``final/hits@1/mean/manhattan`` beside that of the own similarity.
    """
    numbers: dict[str, float] = {}
    plain_rows: dict[str, Mapping[str, Any]] = {}
    for row in record.results:
        name = f"final/{row['metric']}/{row['direction']}"
        for column, (plain, prefix) in _WORDS.items():
            if row.get(column) not in (plain, None):
                name += f"/{prefix}{row[column]}"
        beside = plain_rows.setdefault(name, row)
        name += "".join(
            f"/{row.get(word) or 'none'}" for word in _FURTHER if row.get(word) != beside.get(word)
        )
        numbers[name] = float(row["value"])
    for column in _COSTS:
        if record.cell.get(column) is not None:
            numbers[f"cell/{column}"] = float(record.cell[column])
    return numbers


def final_settings(record: Record) -> dict[str, str | int | float]:
    """Resolved parameters and where they ran: what was not known before the cell trained."""
    parameters = record.configuration.get("parameters") or {}
    words = {
        "trained_on": record.cell["device"],
        "git_commit": record.cell["git_commit"],
        "rng_seed": record.cell["rng_seed"],
        "dataset_version": record.cell["dataset_version"],
        **{f"parameter.{name}": value for name, value in parameters.items()},
    }
    return dict(_plain(words))


def _plain(values: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    for name, value in values.items():
        if isinstance(value, (str, int, float)):
            yield name, value
        elif value is not None:
            yield name, json.dumps(value, default=str)
