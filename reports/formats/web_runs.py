"""The single runs behind the web page's leaderboard: outcome, environment and learning curve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import pandas as pd

from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.curves import chosen_points
from mmea_bench.reports.core.rows.select import with_sections
from mmea_bench.reports.core.words import DIRECTION_NAMES, METRIC_NAMES
from mmea_bench.results.core.schema import LINK_SETS

_RUN_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "key": "key",
        "repeat": "repeat",
        "status": "status",
        "reason": "reason",
        "epochs": "epochs",
        "bestEpoch": "best_epoch",
        "stoppedOn": "stopped_on",
        "nTrain": "n_train",
        "nValid": "n_valid",
        "nTest": "n_test",
        "nParameters": "n_parameters",
        "fitSeconds": "fit_s",
        "evalSeconds": "eval_s",
        "memory": "peak_memory_mib",
        "gpuMemory": "peak_gpu_memory_mib",
        "simulated": "simulated_features",
        "modalities": "modalities",
        "partialCopy": "partial_copy",
        "startedAt": "started_at",
        "finishedAt": "finished_at",
        "rngSeed": "rng_seed",
        "splitSeed": "split_seed",
        "datasetVersion": "dataset_version",
        "overrides": "overrides",
        "notes": "notes",
        "suite": "suite",
    }
)
_MOST_POINTS = 60
_FEWEST_POINTS = 12
# Keeps the curves of thousands of cells below a megabyte.
_POINTS_OF_PAGE = 120_000


def run_rows(cells: pd.DataFrame) -> dict[str, Any]:
    """Cells as lists of the fields in ``runFields``; the last is the number of its environment."""
    environments: dict[str, int] = {}
    columns = [_plain(cells[name]) for name in _RUN_FIELDS.values()]
    places = [_plain(cells[name]) for name in ("device", "git_commit", "versions")]
    rows = []
    for values, place in zip(zip(*columns, strict=True), zip(*places, strict=True), strict=True):
        environment = _environment(*place)
        rows.append([*values, environments.setdefault(environment, len(environments))])
    return {
        "runFields": [*_RUN_FIELDS, "environment"],
        "runs": rows,
        "environments": [json.loads(text) for text in environments],
    }


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Values as JSON knows them."""
    values = column.astype(object).where(column.notna(), None)
    return [round(value, 3) if isinstance(value, float) else value for value in values.tolist()]


def _environment(device: str | None, commit: str | None, versions: str | None) -> str:
    """Canonical JSON of what a cell ran on."""
    libraries = json.loads(versions or "{}")
    found = {"device": device, "program": commit, **libraries}
    return json.dumps({name: str(value) for name, value in found.items() if value})


def curves_of(curves: pd.DataFrame, cells: pd.DataFrame, options: ReportOptions) -> dict[str, Any]:
    """Thinned learning curves by number of the run: metric, then epochs and values per link set.

    Lists of epochs are shared (``epochLists``), because most runs are scored at the same ones.
    """
    points = chosen_points(with_sections(curves), options) if len(curves) else curves
    names = ("key", "links", "epoch", "value", "metric", "direction")
    lines: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for key, links, *point in zip(*(points[name].tolist() for name in names), strict=True):
        lines.setdefault((key, links), []).append(tuple(point))
    n_points = max(_FEWEST_POINTS, min(_MOST_POINTS, _POINTS_OF_PAGE // max(1, len(lines))))
    numbers = {key: number for number, key in enumerate(cells["key"])}
    epoch_lists: dict[tuple[int, ...], int] = {}
    found: dict[int, dict[str, Any]] = {}
    for (key, links), line in sorted(lines.items()):
        epochs, values, metrics, directions = zip(
            *_thinned(sorted(line, key=itemgetter(0)), n_points), strict=True
        )
        words = {
            "metric": METRIC_NAMES.get(metrics[0], metrics[0]),
            "direction": DIRECTION_NAMES[directions[0]],
        }
        found.setdefault(numbers[key], words)[links] = [
            epoch_lists.setdefault(epochs, len(epoch_lists)),
            [round(value, 4) for value in values],
        ]
    return {
        "curves": found,
        "epochLists": [list(epochs) for epochs in epoch_lists],
        "linkSets": list(LINK_SETS),
    }


def _thinned(line: list[tuple[Any, ...]], n_points: int) -> list[tuple[Any, ...]]:
    """At most so many points of a line, evenly chosen, the first and the last among them."""
    if len(line) <= n_points:
        return line
    last = len(line) - 1
    return [line[round(step * last / (n_points - 1))] for step in range(n_points)]
