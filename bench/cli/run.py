"""What the verbs ``run``, ``plan`` and ``status`` do once their options are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmea_bench.bench.cli.texts import print_json, print_table, stderr, stdout
from mmea_bench.bench.planning.request import Request
from mmea_bench.bench.running.console import say

if TYPE_CHECKING:
    from mmea_bench.bench.api import RunOutcome
    from mmea_bench.bench.planning.plan import Plan
    from mmea_bench.bench.running.pilot import MethodTime
    from mmea_bench.bench.running.status import FolderStatus

_MOST_FAILURES = 10
_MOST_ROWS = 40
"""Rows of a plan beyond which the points of a method share one; --json lists every cell."""


def run(request: Request, *, quiet: bool) -> RunOutcome:
    """Runs a request; progress and warnings go to standard error.

    Raises:
        UserError: If the request cannot be run at all.
    """
    from mmea_bench.bench.api import run_request

    return run_request(request, stderr(), quiet=quiet)


def report_outcome(outcome: RunOutcome) -> None:
    """Counts by status, what went wrong and where the tables are, on standard output."""
    console = stdout()
    none = "nothing was left to run" if outcome.summary.is_complete else "none has ended"
    counts = _spell_counts(outcome.summary.n_by_status) or none
    n_done = len(outcome.plan.done)
    before = f", {n_done} done before" if n_done else ""
    say(console, f"Cells of this run: {counts}{before}.")
    csv_files = [path for path in outcome.tables if path.suffix == ".csv"]
    say(console, f"Tables: {', '.join(str(path) for path in csv_files)}")
    n_left = len(outcome.plan.missing) - sum(outcome.summary.n_by_status.values())
    if outcome.summary.problem:
        say(stderr(), f"Error: {outcome.summary.problem}")
    elif not outcome.summary.is_complete:
        say(
            stderr(),
            f"Stopped with {n_left} cells left. Run the same command again to go on; what is done "
            "stays done.",
        )


def show_plan(request: Request, pilot: Path | None = None, *, as_json: bool) -> None:
    """Cells of a request: how many, how many done, and about how long the rest takes.

    Args:
        request: What would be run.
        pilot: Results folder of short trainings that tell how long the planned ones take.
        as_json: Whether JSON is printed.

    Raises:
        UserError: If the request cannot be run at all.
    """
    from mmea_bench.bench.api import plan_request
    from mmea_bench.bench.planning.requests.outlook import spell_plan
    from mmea_bench.bench.running.estimate import spell_duration

    planned = plan_request(request, pilot)
    plan, folder, seconds = planned.plan, planned.folder, planned.seconds
    if as_json:
        times = [] if pilot is None else list(map(asdict, planned.times))
        print_json({**_plan_json(plan, folder, seconds), "pilot": times})
        return
    for title, rows in _plan_tables(plan):
        print_table(title, rows)
    if pilot is not None:
        print_table(*_pilot_table(planned.times))
    console = stdout()
    left = "unknown until a cell of this folder has ended"
    if not plan.to_train:
        left = "none"
    elif seconds is not None:
        left = f"about {spell_duration(seconds)} with --jobs {request.jobs}"
        left += _grounds(planned.times, pilot or folder)
    elif planned.times:
        left = f"unknown, since {pilot or folder} has no cell of these methods"
    say(console, f"{spell_plan(plan)}. Time left: {left}. Results: {folder}")
    remarks = [sentence for sentences in plan.remarks.values() for sentence in sentences]
    too_long = _too_long(planned.times, plan.suite.timeout_s)
    for sentence in (*plan.suite.left_out, *plan.without_data.values(), *remarks, *too_long):
        say(console, f"Note: {sentence}")


def _grounds(times: Sequence[MethodTime], place: Path) -> str:
    """What an estimate rests on, and what it leaves out."""
    text = f", from the epochs of {place}"
    unknown = [one.method for one in times if one.seconds is None]
    if unknown:
        text += f", without {', '.join(unknown)}, of which it has no cell"
    elsewhere = {name: None for one in times if one.seconds is not None for name in one.elsewhere}
    if elsewhere:
        text += f"; for lack of cells on {', '.join(elsewhere)}, those on other datasets count"
    return text


def _too_long(times: Sequence[MethodTime], limit: float | None) -> Iterator[str]:
    """Of which methods the cells would not end in the time that the suite allows."""
    from mmea_bench.bench.running.estimate import spell_duration

    for one in times:
        seconds = (one.seconds or 0.0) / max(1, one.n_cells)
        if limit is not None and seconds > limit:
            yield (
                f"a cell of {one.method} takes about {spell_duration(seconds)}, and is stopped "
                f"after {spell_duration(limit)}; `run --timeout` allows it more."
            )


def _pilot_table(times: Sequence[MethodTime]) -> tuple[list[str], list[list[str]]]:
    """Hours and memory by method, the longest first."""
    ordered = sorted(times, key=lambda one: -(one.seconds or 0.0))
    columns = ["method", "to train", "hours", "GiB", "GiB of the GPU"]
    return columns, [
        [
            one.method,
            str(one.n_cells),
            "-" if one.seconds is None else f"{one.seconds / 3600:.1f}",
            "-" if one.memory_mib is None else f"{one.memory_mib / 1024:.1f}",
            f"{one.gpu_memory_mib / 1024:.1f}" if one.gpu_memory_mib else "-",
        ]
        for one in ordered
    ]


def _plan_tables(plan: Plan) -> Iterator[tuple[list[str], list[list[str]]]]:
    """What runs, by method and point of a sweep, and where, and what will not.

    Long lists are joined.
    """
    from mmea_bench.bench.planning.requests.outlook import skip_reasons

    counts = ("cells", "done", "to train", "to skip")
    names = [(cell.method, cell.label) for _key, cell in plan.cells]
    if len(set(names)) > _MOST_ROWS:
        n_points = Counter(method for method, _point in dict.fromkeys(names))
        names = [
            (method, point if n_points[method] == 1 else f"{n_points[method]} variants and points")
            for method, point in names
        ]
    yield ["method", "variant", *counts], _plan_rows(plan, names)
    places = [(cell.dataset, f"{cell.seed_ratio:g}") for _key, cell in plan.cells]
    yield ["dataset", "seed ratio", *counts], _plan_rows(plan, places)
    reasons = skip_reasons(plan)
    if reasons:
        yield (
            ["skipped", "methods", "datasets", "why"],
            [
                [str(one.n_cells), ", ".join(one.methods), ", ".join(one.datasets), one.reason]
                for one in reasons
            ],
        )


def _plan_rows(plan: Plan, groups: list[tuple[str, str]]) -> list[list[str]]:
    to_train = {key for key, _cell in plan.to_train}
    counted: dict[tuple[str, str], Counter[str]] = {}
    for group, (key, _cell) in zip(groups, plan.cells, strict=True):
        counter = counted.setdefault(group, Counter())
        counter["cells"] += 1
        counter["done"] += key in plan.done
        counter["to train"] += key in to_train
        counter["to skip"] += key in plan.to_skip and key not in plan.done
    columns = ("cells", "done", "to train", "to skip")
    return [
        [*group, *(str(counter[name]) for name in columns)] for group, counter in counted.items()
    ]


def _plan_json(plan: Plan, folder: Path, seconds: float | None) -> dict[str, Any]:
    return {
        "suite": plan.suite.name,
        "folder": str(folder),
        "n_cells": len(plan.cells),
        "n_done": len(plan.done),
        "n_missing": len(plan.missing),
        "n_to_train": len(plan.to_train),
        "n_to_skip": sum(key in plan.to_skip for key, _cell in plan.missing),
        "estimated_s": seconds,
        "without_data": dict(plan.without_data),
        "left_out": list(plan.suite.left_out),
        "remarks": {dataset: list(sentences) for dataset, sentences in plan.remarks.items()},
        "cells": [
            {
                "key": key,
                "method": cell.method,
                "variant": cell.variant,
                "overrides": dict(cell.overrides),
                "partitions": cell.partitions,
                "precision": cell.precision,
                "dataset": cell.dataset,
                "seed_ratio": cell.seed_ratio,
                "repeat": cell.repeat,
                "protocol": cell.protocol.name,
                "done": key in plan.done,
                "to_skip": plan.to_skip.get(key),
                "same_training_as": plan.twins.get(key),
            }
            for key, cell in plan.cells
        ],
    }


def show_status(folder: Path, *, as_json: bool) -> None:
    """How the cells of a results folder ended, what runs where, and how long the rest takes.

    Raises:
        UserError: If the folder holds neither records nor a plan.
    """
    from mmea_bench.bench.planning.machine import library_versions
    from mmea_bench.bench.running.status import folder_status
    from mmea_bench.bench.running.versions import other_versions_note
    from mmea_bench.results.core.schema import STATUSES

    status = folder_status(folder)
    if as_json:
        print_json(_status_json(folder, status))
        return
    statuses = [name for name in STATUSES if status.n_by_status[name]]
    by_method = Counter((row["method"], row["status"]) for row in status.rows)
    methods = sorted({row["method"] for row in status.rows})
    if methods:
        print_table(
            ["method", *statuses],
            [[method, *(str(by_method[method, s]) for s in statuses)] for method in methods],
        )
    for cell in status.running:
        say(stdout(), f"running: {_spell_words(cell.words)}: {cell.spell_advance()}{cell.runner}")
    if status.n_missing is not None:
        say(stdout(), f"{status.completeness.counts().sentence()}.")
        say(stdout(), _spell_missing(status))
    _print_failures(status.failures)
    versions = other_versions_note(status.rows, library_versions(), "cells")
    if versions:
        say(stdout(), f"Note: {versions}")
    for problem in status.problems:
        say(stderr(), f"Warning: {problem}")


def _spell_missing(status: FolderStatus) -> str:
    from mmea_bench.bench.running.estimate import spell_duration

    cells = "1 cell" if status.n_missing == 1 else f"{status.n_missing} cells"
    n_cells = f"{cells} missing, {len(status.running)} of them running."
    if not status.n_missing:
        return "No cell is missing."
    if status.seconds_left is None:
        return f"{n_cells} Time left: unknown until a cell has ended."
    at_once = max(1, len(status.running))
    return (
        f"{n_cells} Time left: about {spell_duration(status.seconds_left)} with {at_once} at once."
    )


def _spell_words(words: Mapping[str, Any]) -> str:
    what = f"{words['method']} ({words['variant']}) on {words['dataset']}"
    return f"{what}, ratio {words['seed_ratio']:g}, repeat {words['repeat']}"


def _status_json(folder: Path, status: FolderStatus) -> dict[str, Any]:
    keys = ("key", "method", "variant", "dataset", "seed_ratio", "repeat", "status", "reason")
    return {
        "folder": str(folder),
        "n_by_status": dict(status.n_by_status),
        "running": [
            {
                **cell.words,
                "runner": cell.runner,
                "advance": None if cell.advance is None else asdict(cell.advance),
            }
            for cell in status.running
        ],
        "n_missing": status.n_missing,
        "cells": asdict(status.completeness.counts()),
        "seconds_left": status.seconds_left,
        "failures": [{key: row[key] for key in keys} for row in status.failures],
        "problems": list(status.problems),
    }


def _print_failures(failures: list[dict[str, Any]]) -> None:
    console = stdout()
    for row in failures[:_MOST_FAILURES]:
        say(console, f"{row['status']}: {_spell_words(row)}: {row['reason']}")
    if len(failures) > _MOST_FAILURES:
        say(console, f"... and {len(failures) - _MOST_FAILURES} more; --json lists all of them.")


def _spell_counts(n_by_status: Counter[str]) -> str:
    return ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in sorted(n_by_status.items())
    )
