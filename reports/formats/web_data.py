"""What the web page knows about a run: the numbers, runs and curves behind its leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmea_bench.reports.core.certain import certain_rows
from mmea_bench.reports.core.document import format_number
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import metric_style
from mmea_bench.reports.core.rows.outcomes import never_run
from mmea_bench.reports.core.rows.select import (
    PAIRS,
    choose_csls,
    current_cells,
    dataset_labels,
    percent,
    with_sections,
)
from mmea_bench.reports.core.words import DIRECTION_NAMES, LESS_IS_BETTER, METRIC_NAMES
from mmea_bench.reports.formats.web_runs import curves_of, run_rows
from mmea_bench.results.core.schema import DANGLING_METRICS, NO_DECODER, RANK_METRICS
from mmea_bench.results.core.table import Tables

PAIRS_VIEW = "pairs"
"""View of the numbers on predicted pairs, which have no direction and no CSLS."""

ANY_CSLS = "any"
"""Stands in views of decoded numbers, which are shown whatever CSLS is chosen."""


@dataclass(frozen=True, order=True)
class RowId:
    """One row of the leaderboard: what was run and by which rules.

    Attributes:
        protocol: Rules of training and stopping.
        rules: Rules of scoring, without those that belong to a method.
        section: What the method was given: names or not, pseudo-labels or not; and the decoder.
        method: Its name.
        is_variant: Whether it is not the full method, so that variants follow it.
        variant: Name of the variant.
        scoring: Similarity where a method was scored with several, and how pairs were predicted.
    """

    protocol: str
    rules: str
    section: str
    method: str
    is_variant: bool
    variant: str
    scoring: str = ""


@dataclass(frozen=True, order=True)
class PlaceId:
    """Where numbers can be compared; the version is empty where no cell knew it."""

    dataset: str
    version: str
    seed_ratio: float


def page_data(tables: Tables, options: ReportOptions) -> dict[str, Any]:
    """Everything that the script of the page shows, ready for JSON.

    Numbers are grouped by row and place; ``groups`` names the runs behind them, ``numbers`` of a
    group are lists of metric, view (direction and CSLS), printed mean, printed deviation, the
    value of each run (None where a run has none), and 1 where no scores could miss it.
    """
    current = current_cells(tables).tables
    cells = pd.concat(
        [current.cells, never_run(current)] if len(current.cells) else [current.cells],
        ignore_index=True,
    )
    numbers = _leaderboard_numbers(current.in_own_similarity())
    rows_of, places_of = _row_ids(numbers, cells), _place_ids(numbers, cells)
    runs_of: dict[tuple[RowId, PlaceId], list[int]] = {}
    for position in cells.sort_values(["repeat", "key"], kind="stable").index:
        for row in rows_of[position]:
            for place in places_of[position]:
                runs_of.setdefault((row, place), []).append(position)
    on_test = {
        row for position in cells.index[cells["stopped_on"] == "test"] for row in rows_of[position]
    }
    rows = sorted({row for row, _ in runs_of}, key=lambda row: _row_order(row, on_test))
    places = sorted({place for _, place in runs_of})
    found = set(numbers["metric"])
    metrics = [metric for metric in METRIC_NAMES if metric in found]
    views = sorted(set(numbers["view"]))
    values, certain = _values(numbers), _certain(numbers)
    keys = cells["key"].tolist()
    labels = dataset_labels(current.cells)
    partial = _partial_datasets(cells)
    groups = [
        {
            "row": rows.index(row),
            "place": places.index(place),
            "runs": runs,
            "numbers": _group_numbers(
                values.get((row, place), {}),
                certain.get((row, place), set()),
                [keys[run] for run in runs],
                metrics,
                views,
            ),
        }
        for (row, place), runs in sorted(runs_of.items(), key=lambda item: item[0])
    ]
    return {
        "rows": [_row_data(row, row in on_test) for row in rows],
        "places": [_place_data(place, labels, partial) for place in places],
        "metrics": [_metric_data(metric) for metric in metrics],
        "mainMetrics": [metrics.index(m) for m in options.metrics if m in metrics],
        "views": views,
        "start": _start(options, numbers),
        "directions": dict(DIRECTION_NAMES),
        "groups": groups,
        **run_rows(cells),
        **curves_of(current.curves, cells, options),
    }


def _leaderboard_numbers(results: pd.DataFrame) -> pd.DataFrame:
    """Numbers of ranks and pairs, each with its row, place and view."""
    is_kept = results["metric"].isin(METRIC_NAMES) & results["modality"].isna()
    numbers = with_sections(results[is_kept])
    numbers = numbers.assign(undecoded=numbers["decoder"] == NO_DECODER)
    n_similarities = numbers.groupby(["method", "variant"])["similarity"].transform("nunique")
    similarity = numbers["similarity"].where(n_similarities > 1, "")
    numbers = numbers.assign(shown_similarity=similarity)
    scoring = [
        ", ".join(filter(None, words))
        for words in _columns(numbers, "shown_similarity", "inference")
    ]
    identity = _columns(numbers, "protocol", "rules", "section", "method", "variant")
    rows = [
        RowId(protocol, rules, section, method, variant != "full", variant, how)
        for (protocol, rules, section, method, variant), how in zip(identity, scoring, strict=True)
    ]
    place = _columns(numbers, "dataset", "dataset_version", "seed_ratio")
    views = [
        PAIRS_VIEW if direction == PAIRS else f"{direction} {csls if is_undecoded else ANY_CSLS}"
        for direction, csls, is_undecoded in _columns(numbers, "direction", "csls", "undecoded")
    ]
    return numbers.assign(
        row=pd.Series(rows, numbers.index, dtype=object),
        place=pd.Series([PlaceId(*found) for found in place], numbers.index, dtype=object),
        view=pd.Series(views, numbers.index, dtype=object),
    )


def _row_ids(numbers: pd.DataFrame, cells: pd.DataFrame) -> list[list[RowId]]:
    """Rows of each cell; one without numbers stands where its siblings with numbers stand."""
    by_key: dict[str, set[RowId]] = {}
    siblings: dict[tuple[str, str, str], set[RowId]] = {}
    rules: dict[str, str] = {}
    for key, row in _columns(numbers, "key", "row"):
        by_key.setdefault(key, set()).add(row)
        siblings.setdefault((row.protocol, row.method, row.variant), set()).add(row)
        rules[row.protocol] = min(row.rules, rules.get(row.protocol, row.rules))
    found = []
    for key, protocol, method, variant in _columns(cells, "key", "protocol", "method", "variant"):
        alone = RowId(protocol, rules.get(protocol, ""), "", method, variant != "full", variant)
        known = by_key.get(key) or siblings.get((protocol, method, variant)) or {alone}
        found.append(sorted(known))
    return found


def _place_ids(numbers: pd.DataFrame, cells: pd.DataFrame) -> list[list[PlaceId]]:
    """Places of each cell; one that never read its dataset belongs to every version of it."""
    versions: dict[str, set[str]] = {}
    for dataset, version in _columns(cells, "dataset", "dataset_version"):
        if pd.notna(version):
            versions.setdefault(dataset, set()).add(version)
    known = set(numbers["place"])
    found = []
    for dataset, version, ratio in _columns(cells, "dataset", "dataset_version", "seed_ratio"):
        own = [version] if pd.notna(version) else sorted(versions.get(dataset, {""}))
        places = [PlaceId(dataset, name, ratio) for name in own]
        found.append([place for place in places if place in known] or places[:1])
    return found


def _columns(frame: pd.DataFrame, *names: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(frame[name].tolist() for name in names), strict=True)


def _row_order(row: RowId, on_test: set[RowId]) -> tuple[object, ...]:
    words = row.section.split(", ")
    return row in on_test, not row.section, "names" in words, "iterative" in words, row


def _row_data(row: RowId, is_on_test: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "method": row.method,
        "variant": row.variant,
        "scoring": row.scoring,
        "section": row.section,
        "protocol": row.protocol,
        "rules": row.rules,
        "onTest": is_on_test,
    }


def _place_data(
    place: PlaceId, labels: Mapping[tuple[str, str], str], partial: set[str]
) -> dict[str, Any]:
    return {
        "dataset": labels.get((place.dataset, place.version), place.dataset),
        "ratio": percent(place.seed_ratio).replace(" ", "\u00a0"),
        "isPartial": place.dataset in partial,
    }


def _metric_data(metric: str) -> dict[str, Any]:
    return {
        "id": metric,
        "name": METRIC_NAMES[metric],
        "lessIsBetter": metric in LESS_IS_BETTER,
        "isOfRanks": metric in (*RANK_METRICS, *DANGLING_METRICS),
    }


def _partial_datasets(cells: pd.DataFrame) -> set[str]:
    """Datasets whose copy lacks part of what a method reads."""
    return set(cells.loc[cells["lacking"].notna(), "dataset"])


def _start(options: ReportOptions, numbers: pd.DataFrame) -> dict[str, Any]:
    ranked = numbers[(numbers["view"] != PAIRS_VIEW) & numbers["undecoded"]]
    csls = choose_csls(set(ranked["csls"]), options.csls)
    return {"direction": options.direction, "csls": 0 if csls is None else csls}


Values = dict[tuple[str, str], dict[str, list[float]]]


def _values(numbers: pd.DataFrame) -> dict[tuple[RowId, PlaceId], Values]:
    """Values by row and place, then by metric and view, then by key."""
    found: dict[tuple[RowId, PlaceId], Values] = {}
    for row, place, metric, view, key, value in _columns(
        numbers, "row", "place", "metric", "view", "key", "value"
    ):
        of_group = found.setdefault((row, place), {})
        of_group.setdefault((metric, view), {}).setdefault(key, []).append(value)
    return found


def _certain(numbers: pd.DataFrame) -> dict[tuple[RowId, PlaceId], set[tuple[str, str]]]:
    """Metrics and views, by row and place, of Hits@k that no scores could miss."""
    found: dict[tuple[RowId, PlaceId], set[tuple[str, str]]] = {}
    by = _columns(numbers[certain_rows(numbers)], "row", "place", "metric", "view")
    for row, place, metric, view in by:
        found.setdefault((row, place), set()).add((metric, view))
    return found


def _group_numbers(
    values: Values,
    certain: set[tuple[str, str]],
    keys: list[str],
    metrics: list[str],
    views: list[str],
) -> list[list[Any]]:
    made = []
    for (metric, view), by_key in values.items():
        means = {key: sum(found) / len(found) for key, found in by_key.items()}
        sample = np.array(list(means.values()))
        style = metric_style(metric)
        made.append(
            [
                metrics.index(metric),
                views.index(view),
                format_number(float(sample.mean()), style),
                format_number(float(sample.std(ddof=1)), style) if len(sample) >= 2 else "",
                [round(means[key], 5) if key in means else None for key in keys],
                *(1,) * ((metric, view) in certain),
            ]
        )
    return sorted(made, key=lambda entry: entry[:2])


def as_script_data(data: Mapping[str, Any]) -> str:
    """JSON that is safe inside a script element, whatever names it holds."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # No browser reads the end of the script, or a comment, in these.
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
