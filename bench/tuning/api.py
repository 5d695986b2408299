"""Tunes methods: what the command line calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mmea_bench.bench.planning.cell import Cell, configured
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.machine import threads_of_cell
from mmea_bench.bench.planning.plan import Place, Plan, make_plan
from mmea_bench.bench.planning.request import RUNS_FOLDER
from mmea_bench.bench.planning.requests.folder_names import folder_name
from mmea_bench.bench.planning.requests.outlook import with_outlook
from mmea_bench.bench.running.preloaded import preloaded_modules
from mmea_bench.bench.running.runner import RunSummary, stopped_by_signals
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.bench.tuning.files import summary, write_files
from mmea_bench.bench.tuning.sampler import import_optuna
from mmea_bench.bench.tuning.space import Space, space_of
from mmea_bench.bench.tuning.trials import TrialRunner
from mmea_bench.bench.tuning.tuner import Budget, Listener, Rules, Tuned, tune_method
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.catalogue import get_method
from mmea_bench.results.core.disk.files import make_folder
from mmea_bench.results.core.store import ResultStore

_CLAIM = "tuning"


@dataclass(frozen=True)
class TuningRequest:
    """What to tune, and how.

    Attributes:
        suite: The changes of a suite: methods, one seed ratio, datasets, variants, ``set``.
        budget: What each method gets on each dataset.
        place: Where trials run; ``n_jobs`` is how many methods are tuned at a time.
        seed: Of the drawing.
        timeout_s: Seconds allowed per trial.
        out: Folder; None for one below ``results/runs``.
    """

    suite: dict[str, object]
    budget: Budget
    place: Place
    seed: int = 0
    timeout_s: float | None = None
    out: Path | None = None


@dataclass(frozen=True)
class TuningOutcome:
    """A tuning that has ended, or was stopped.

    Attributes:
        tuned: Each method on each dataset.
        left_out: Sentences on methods that cannot be tuned there.
        folder: Folder of the tuning.
        suites: The suite files written.
        budget: What each method got.
        signal_number: Signal that ended it early, None for none.
    """

    tuned: tuple[Tuned, ...]
    left_out: tuple[str, ...]
    folder: Path
    suites: tuple[Path, ...]
    budget: Budget
    signal_number: int | None = field(default=None)

    @property
    def exit_code(self) -> int:
        """0 where each method has a score, 1 where one has none, 128 + signal where stopped."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        return int(any(each.best is None for each in self.tuned))

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            **summary(self.tuned, self.budget),
            "left_out": list(self.left_out),
            "folder": str(self.folder),
            "suites": [str(path) for path in self.suites],
            "exit_code": self.exit_code,
        }


def tune(
    request: TuningRequest, listener: Listener, say: Callable[[str], None] = lambda _text: None
) -> TuningOutcome:
    """Tunes every method of a request on validation links, each with the same budget.

    Args:
        request: What to tune.
        listener: Told of every trial that ends.
        say: Told what will be done, before.

    Raises:
        UserError: If nothing can be tuned.
    """
    import_optuna()
    place = request.place
    suite = load_suite(None, request.suite, place.data_root, place.method_files)
    folder = request.out or RUNS_FOLDER / f"tune_{folder_name(suite, None, place.method_files)}"
    plan = with_outlook(make_plan(suite, ResultStore(folder / "none"), place), place.method_files)
    studies, left_out = _studies(plan, place)
    if not studies:
        raise UserError("\n".join(left_out) or "There is nothing to tune.")
    _announce(plan, [cell for _key, cell, _space in studies], request.budget, left_out, say)
    say(f"Folder: {folder}")
    make_folder(folder)
    n_at_once = min(place.n_jobs, len(studies))
    preload = preloaded_modules({cell.method for _key, cell, _space in studies}, place.method_files)
    threads = threads_of_cell(n_at_once, os.environ)
    runner = TrialRunner(folder, place, dict(plan.versions), threads, preload)
    rules = Rules(folder, runner, request.budget, request.seed, request.timeout_s, listener)
    ended = RunSummary()
    with Claims(folder) as claims, stopped_by_signals(runner, ended):
        if not claims.take(_CLAIM):
            raise UserError(
                f"{folder} is in use by another tuning. Wait until it ends, or give another folder "
                "with --out."
            )
        tuned = _run(rules, studies, n_at_once)
        suites = write_files(folder, tuned, request.budget)
    return TuningOutcome(
        tuple(tuned), left_out, folder, tuple(suites), request.budget, ended.signal_number
    )


def _run(rules: Rules, studies: Sequence[tuple[str, Cell, Space]], n_at_once: int) -> list[Tuned]:
    """Several methods at a time; the trials of one come one after the other."""
    with ThreadPoolExecutor(n_at_once) as pool:
        started = [pool.submit(tune_method, rules, *study) for study in studies]
        try:
            return [each.result() for each in started]
        except BaseException:
            rules.runner.stop()
            raise


def _studies(plan: Plan, place: Place) -> tuple[list[tuple[str, Cell, Space]], tuple[str, ...]]:
    """Key, cell and space of each study; sentences on those that cannot be."""
    left_out = list(plan.without_data.values())
    studies = []
    for key, cell in plan.cells:
        if cell.dataset in plan.without_data:
            continue
        if key in plan.to_skip:
            left_out.append(f"{cell.method} on {cell.dataset}: {plan.to_skip[key]}.")
            continue
        task, _modalities = plan.offers[cell.dataset]
        if task != "entity-alignment":
            left_out.append(
                f"{cell.dataset}: an N-MMKG is not tuned; its validation pairs choose the "
                "thresholds already."
            )
            continue
        method = configured(get_method(cell.method, place.method_files), cell)
        studies.append((key, cell, space_of(method, cell.method, dict(cell.overrides))))
    return studies, tuple(dict.fromkeys(left_out))


def _announce(
    plan: Plan,
    cells: Sequence[Cell],
    budget: Budget,
    left_out: Sequence[str],
    say: Callable[[str], None],
) -> None:
    n_methods, n_datasets, n_ratios = (
        len({getattr(cell, name) for cell in cells}) for name in ("method", "dataset", "seed_ratio")
    )
    places = f" on {n_datasets} datasets" * (n_datasets > 1)
    places += f" at {n_ratios} seed ratios" * (n_ratios > 1)
    say(
        f"Tuning {n_methods} method{'s' * (n_methods > 1)}{places} with {budget.words} each, by "
        f"{cells[0].protocol.stop_metric} on validation links."
    )
    for sentence in left_out:
        say(f"Left out: {sentence}")
    for remarks in plan.remarks.values():
        for sentence in remarks:
            say(f"Note: {sentence}")
