"""What the verbs ``run``, ``plan`` and ``status`` do once their options are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mmea_bench.bench.cli_options import Request
from mmea_bench.bench.cli_texts import print_json, print_table, stderr, stdout
from mmea_bench.datasets.core.errors import UserError

if TYPE_CHECKING:
    from mmea_bench.bench.estimate import Estimator
    from mmea_bench.bench.executors import Executor
    from mmea_bench.bench.plan import Place, Plan
    from mmea_bench.bench.runner import RunSettings, RunSummary
    from mmea_bench.bench.status import FolderStatus
    from mmea_bench.results.core.store import ResultStore

_MOST_FAILURES = 10


@dataclass(frozen=True)
class RunOutcome:
    """A run that has ended.

    Attributes:
        plan: What was to be done.
        summary: What was done.
        folder: Results folder.
        tables: Files of the tables.
    """

    plan: Plan
    summary: RunSummary
    folder: Path
    tables: list[Path]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "suite": self.plan.suite.name,
            "folder": str(self.folder),
            "n_cells": len(self.plan.cells),
            "n_done_before": len(self.plan.done),
            "n_by_status": dict(self.summary.n_by_status),
            "is_complete": self.summary.is_complete,
            "problem": self.summary.problem,
            "exit_code": self.summary.exit_code,
            "tables": [str(path) for path in self.tables],
        }


def run_request(request: Request, *, fresh: bool, fail_fast: bool, quiet: bool) -> RunOutcome:
    """Runs what is missing of a request and writes the tables, also when it is interrupted.

    Args:
        request: What to run.
        fresh: Whether cells that are done run again.
        fail_fast: Whether the first cell that goes wrong ends the run.
        quiet: Whether nothing is shown meanwhile.

    Raises:
        UserError: If the request cannot be run at all.
    """
    from mmea_bench.bench.cell import cell_words
    from mmea_bench.bench.checkpoints import remove_old
    from mmea_bench.bench.claims import runners_of
    from mmea_bench.bench.plan import make_plan
    from mmea_bench.bench.run_state import note_plan
    from mmea_bench.results.core.store import ResultStore

    suite, place, folder = request.load()
    settings = request.settings(fail_fast=fail_fast)
    console = stderr()
    store = ResultStore(folder)
    plan = make_plan(suite, store, place, fresh=fresh)
    _check(plan)
    others = runners_of(folder)
    if fresh and others:
        raise UserError(
            f"{folder} is in use by {others[0]}, whose cells --fresh would run again. Wait until "
            "it ends, or give another folder with --out."
        )
    with _executor(request, settings) as executor:
        settings = replace(settings, executor=executor)
        remove_old(place.cache_dir)
        if not quiet:
            _announce(plan, folder, console)
        _remove_stale(plan, store, console)
        cells = {key: cell_words(cell) for key, cell in plan.cells}
        note_plan(folder, cells, plan.done, cells)
        summary = _run(plan, place, store, settings, None if quiet else console)
        tables = _write_tables(store, summary)
    for problem in store.problems:
        _say(console, f"Warning: {problem}")
    return RunOutcome(plan, summary, folder, tables)


def _write_tables(store: ResultStore, summary: RunSummary) -> list[Path]:
    """Writes the tables; a disk that refuses them does not hide how the cells ended."""
    from mmea_bench.bench.user_errors import spell_disk_error

    try:
        return store.write_tables()
    except OSError as error:
        text = spell_disk_error(error)
        if text is None:
            raise
        summary.problem = summary.problem or f"{text} The records are stored, the tables are not."
        return []


@contextmanager
def _executor(request: Request, settings: RunSettings) -> Iterator[Executor | None]:
    """Where cells run if not on this machine; connected before anything is moved or written."""
    if not request.cluster:
        yield None
        return
    from mmea_bench.bench.cluster import connected

    with connected(request.cluster) as client:
        from mmea_bench.bench.dask_executor import WAIT_S, DaskExecutor

        per_gpu = 1 if settings.cells_per_gpu == "auto" else settings.cells_per_gpu
        # A batch system starts jobs when it has room, which may be tomorrow.
        wait_s = math.inf if request.cluster.profile else WAIT_S
        yield DaskExecutor(client, per_gpu, wait_s)


def _run(
    plan: Plan, place: Place, store: ResultStore, settings: RunSettings, console: Console | None
) -> RunSummary:
    from mmea_bench.bench.placement import with_needs
    from mmea_bench.bench.plan import jobs_of
    from mmea_bench.bench.progress import Progress, SilentProgress, make_progress
    from mmea_bench.bench.runner import run_jobs

    estimator = _estimator(store)
    jobs = with_needs(jobs_of(plan, place), estimator)
    progress: Progress = SilentProgress()
    if console is not None:
        progress = make_progress(console, jobs, settings.n_jobs, estimator)
    with progress:
        return run_jobs(jobs, store, progress, settings)


def _check(plan: Plan) -> None:
    if not plan.cells:
        raise UserError(f"Suite {plan.suite.name} has no cells.")
    if len(plan.without_data) == len(plan.suite.datasets):
        raise UserError("\n".join(plan.without_data.values()))


def _announce(plan: Plan, folder: Path, console: Console) -> None:
    done = f", {len(plan.done)} of them done already" if plan.done else ""
    _say(console, f"{plan.suite.title}: {len(plan.cells)} cells{done}. Results: {folder}")
    for sentence in plan.suite.left_out:
        _say(console, f"Left out: {sentence}")
    for dataset, sentence in plan.without_data.items():
        _say(console, f"Skipping {dataset}: {sentence}")
    for remarks in plan.remarks.values():
        for sentence in remarks:
            _say(console, f"Note: {sentence}")


def _remove_stale(plan: Plan, store: ResultStore, console: Console) -> None:
    from mmea_bench.bench.stale import set_aside, stale_keys

    keys = stale_keys(store, plan.cells)
    if keys:
        place = set_aside(store, keys)
        _say(console, f"{len(keys)} results of other code, data or rules were moved to {place}.")


def report_outcome(outcome: RunOutcome) -> None:
    """Counts by status, what went wrong and where the tables are, on standard output."""
    console = stdout()
    counts = _spell_counts(outcome.summary.n_by_status) or "nothing was left to run"
    n_done = len(outcome.plan.done)
    before = f", {n_done} done before" if n_done else ""
    _say(console, f"Cells of this run: {counts}{before}.")
    csv_files = [path for path in outcome.tables if path.suffix == ".csv"]
    _say(console, f"Tables: {', '.join(str(path) for path in csv_files)}")
    n_left = len(outcome.plan.missing) - sum(outcome.summary.n_by_status.values())
    if outcome.summary.problem:
        _say(stderr(), f"Error: {outcome.summary.problem}")
    elif not outcome.summary.is_complete:
        _say(
            stderr(),
            f"Stopped with {n_left} cells left. Run the same command again to go on; what is done "
            "stays done.",
        )


def show_plan(request: Request, *, as_json: bool, fresh: bool) -> None:
    """Cells of a request: how many, how many done, and about how long the rest takes.

    Raises:
        UserError: If the request cannot be run at all.
    """
    from mmea_bench.bench.estimate import spell_duration
    from mmea_bench.bench.plan import make_plan
    from mmea_bench.results.core.store import ResultStore

    suite, place, folder = request.load()
    store = ResultStore(folder)
    plan = make_plan(suite, store, place, fresh=fresh)
    seconds = _estimator(store).seconds((cell for _key, cell in plan.missing), request.jobs)
    if as_json:
        print_json(_plan_json(plan, folder, seconds))
        return
    print_table(["method", "dataset", "seed ratio", "cells", "done"], _plan_rows(plan))
    console = stdout()
    left = "unknown until a cell of this folder has ended"
    if not plan.missing:
        left = "none"
    elif seconds is not None:
        left = f"about {spell_duration(seconds)} with --jobs {request.jobs}"
    _say(
        console,
        f"{len(plan.cells)} cells, {len(plan.done)} done, {len(plan.missing)} missing. "
        f"Time left: {left}. Results: {folder}",
    )
    remarks = [sentence for sentences in plan.remarks.values() for sentence in sentences]
    for sentence in (*suite.left_out, *plan.without_data.values(), *remarks):
        _say(console, f"Note: {sentence}")


def _plan_rows(plan: Plan) -> list[list[str]]:
    groups = [(cell.method, cell.dataset, f"{cell.seed_ratio:g}") for _key, cell in plan.cells]
    n_cells = Counter(groups)
    n_done = Counter(
        group for group, (key, _cell) in zip(groups, plan.cells, strict=True) if key in plan.done
    )
    return [[*group, str(count), str(n_done[group])] for group, count in n_cells.items()]


def _plan_json(plan: Plan, folder: Path, seconds: float | None) -> dict[str, Any]:
    return {
        "suite": plan.suite.name,
        "folder": str(folder),
        "n_cells": len(plan.cells),
        "n_done": len(plan.done),
        "n_missing": len(plan.missing),
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
                "dataset": cell.dataset,
                "seed_ratio": cell.seed_ratio,
                "repeat": cell.repeat,
                "protocol": cell.protocol.name,
                "done": key in plan.done,
            }
            for key, cell in plan.cells
        ],
    }


def show_status(folder: Path, *, as_json: bool) -> None:
    """How the cells of a results folder ended, what runs where, and how long the rest takes.

    Raises:
        UserError: If the folder holds neither records nor a plan.
    """
    from mmea_bench.bench.status import folder_status
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
    for words, runner in status.running:
        _say(stdout(), f"running: {_spell_words(words)}: {runner}")
    if status.n_missing is not None:
        _say(stdout(), _spell_missing(status))
    _print_failures(status.failures)
    for problem in status.problems:
        _say(stderr(), f"Warning: {problem}")


def _spell_missing(status: FolderStatus) -> str:
    from mmea_bench.bench.estimate import spell_duration

    n_cells = f"{status.n_missing} cells missing, {len(status.running)} of them running."
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
        "running": [{**words, "runner": runner} for words, runner in status.running],
        "n_missing": status.n_missing,
        "seconds_left": status.seconds_left,
        "failures": [{key: row[key] for key in keys} for row in status.failures],
        "problems": list(status.problems),
    }


def _print_failures(failures: list[dict[str, Any]]) -> None:
    console = stdout()
    for row in failures[:_MOST_FAILURES]:
        _say(console, f"{row['status']}: {_spell_words(row)}: {row['reason']}")
    if len(failures) > _MOST_FAILURES:
        _say(console, f"... and {len(failures) - _MOST_FAILURES} more; --json lists all of them.")


def _estimator(store: ResultStore) -> Estimator:
    from mmea_bench.bench.estimate import Estimator

    estimator = Estimator()
    estimator.learn_records(store.records())
    return estimator


def _spell_counts(n_by_status: Counter[str]) -> str:
    return ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in sorted(n_by_status.items())
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
