"""``tune``: methods with an equal budget each, on validation links alone."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import (
    AsJson,
    CacheDir,
    DataRoot,
    MethodFiles,
    assignments,
    print_json,
    print_table,
    split_list,
    stderr,
    stdout,
    user_errors,
)
from mmea_bench.bench.planning.request import DEFAULT_EVERY_MIN
from mmea_bench.bench.running.console import say
from mmea_bench.datasets.core.errors import UserError

if TYPE_CHECKING:
    from mmea_bench.bench.planning.cell import Cell
    from mmea_bench.bench.planning.plan import Place
    from mmea_bench.bench.tuning.api import TuningOutcome
    from mmea_bench.bench.tuning.sampler import Finished
    from mmea_bench.bench.tuning.tuner import Budget, Tuned

_NOTHING = "–"
_METRICS = ("mrr", "hits@1", "hits@10")


Methods = Annotated[list[str], typer.Argument(help="Methods, such as gcn_align.")]
Datasets = Annotated[list[str], typer.Option("--dataset", help="Dataset to tune on. Repeatable.")]
Trials = Annotated[
    int | None, typer.Option("--trials", min=1, help="Trials that each method gets.")
]
Minutes = Annotated[
    float | None, typer.Option("--minutes", help="Or: minutes that each method gets.")
]
SeedRatio = Annotated[float, typer.Option("--seed-ratio", help="Share of seeds.")]
Variant = Annotated[str, typer.Option("--variant", help="Variant to tune.")]
Metric = Annotated[str, typer.Option("--metric", help="What is tuned for: mrr, hits@1 or hits@10.")]
CslsSize = Annotated[
    int,
    typer.Option("--csls", min=0, help="Neighbours of CSLS in validation; 0 costs a fraction."),
]
SetValues = Annotated[
    list[str] | None,
    typer.Option("--set", help="method.parameter=value: fixed, not varied. Repeatable."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the values drawn.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds allowed per trial.")]
MemoryLimit = Annotated[
    float | None, typer.Option("--memory-limit", min=0.1, help="GiB allowed per trial.")
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Methods at the same time.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")]
Out = Annotated[Path | None, typer.Option("--out", help="Default: below results/runs.")]


def tune_command(  # noqa: PLR0913 - typer wants every option in the signature
    datasets: Datasets,
    methods: Methods,
    trials: Trials = None,
    minutes: Minutes = None,
    seed_ratio: SeedRatio = 0.3,
    variant: Variant = "full",
    metric: Metric = "mrr",
    csls: CslsSize = 3,
    set_values: SetValues = None,
    seed: Seed = 0,
    timeout: Timeout = None,
    memory_limit: MemoryLimit = None,
    jobs: Jobs = 1,
    device: Device = "auto",
    method_files: MethodFiles = None,
    out: Out = None,
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Tunes methods by validation links under protocol `strict`; no test link is scored.

    The first trial of a method has its defaults. Stop with Ctrl-C; the same command goes on, and a
    larger budget adds to it. Exit code 0: each method has a score; 1: one has none; 2: nothing can
    be tuned; 130: stopped.
    """
    with user_errors():
        from mmea_bench.bench.tuning.api import TuningRequest, tune

        if metric not in _METRICS:
            raise UserError(f"--metric takes {', '.join(_METRICS)}, not '{metric}'.")
        files = tuple(path.resolve() for path in method_files or ())
        where = _place(data_root, cache_dir, device, memory_limit)
        changes: dict[str, object] = {
            "methods": _method_names(methods, files),
            "datasets": split_list(datasets) or [],
            "seed_ratios": [seed_ratio],
            "repeats": 1,
            "variants": [variant],
            "protocol": {"name": "strict", "stop_metric": metric, "csls": _sizes(csls)},
            **({"set": assignments(set_values)} if set_values else {}),
            **({"timeout_s": timeout} if timeout is not None else {}),
        }
        place = replace(where, method_files=files, n_jobs=jobs)
        request = TuningRequest(changes, _budget(trials, minutes), place, seed, timeout, out)
        display = _Display(request.budget, quiet=as_json)
        outcome = tune(request, display, display.say)
    _show(outcome, _further_words(files, data_root), as_json=as_json)
    raise typer.Exit(outcome.exit_code)


def _method_names(given: list[str], files: tuple[Path, ...]) -> list[str]:
    own = [path.stem.replace("-", "_") for path in files]
    return [*(split_list(given) or ()), *own]


def _place(
    data_root: Path | None, cache_dir: Path | None, device: str, memory_limit: float | None
) -> Place:
    from mmea_bench.bench.planning.plan import Place
    from mmea_bench.datasets.core.access.catalogue import default_cache_dir, resolve_data_root

    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        raise UserError(f"--device takes auto, cpu, cuda or cuda:1, not '{device}'.")
    return Place(
        data_root=resolve_data_root(data_root, {}),
        cache_dir=cache_dir or default_cache_dir(),
        device=device,
        states_every_s=60.0 * DEFAULT_EVERY_MIN,
        memory_limit_mib=None if memory_limit is None else 1024.0 * memory_limit,
    )


def _sizes(csls: int) -> list[int]:
    """Sizes of a protocol that stops on this one, and shows the usual ones besides."""
    from mmea_bench.bench.scoring.protocol import Protocol

    return [*(size for size in Protocol().csls if size != csls), csls]


def _budget(trials: int | None, minutes: float | None) -> Budget:
    from mmea_bench.bench.tuning.tuner import SHORTEST_TRIAL_S, Budget

    if (trials is None) == (minutes is None):
        raise UserError("Give the budget of each method: --trials N, or --minutes M.")
    if minutes is not None and not 0 < minutes < math.inf:
        raise UserError(f"--minutes must be above 0 and finite, not {minutes:g}.")
    if minutes is not None and 60.0 * minutes < SHORTEST_TRIAL_S:
        raise UserError(
            f"--minutes {minutes:g} is less than the {SHORTEST_TRIAL_S:g} s that a trial needs to "
            "begin. Give more."
        )
    return Budget(trials, None if minutes is None else 60.0 * minutes)


class _Display:
    """One line for each trial that ends.

    Args:
        budget: Of each method.
        quiet: Says nothing.
    """

    def __init__(self, budget: Budget, *, quiet: bool) -> None:
        self._budget, self._quiet, self._console = budget, quiet, stderr()

    def say(self, text: str) -> None:
        """One line, unless it is to be quiet."""
        if not self._quiet:
            say(self._console, text)

    def __call__(self, cell: Cell, trial: Finished, best: Finished | None) -> None:
        """Says how a trial ended."""
        of = "" if self._budget.n_trials is None else f"/{self._budget.n_trials}"
        ended = trial.status.replace("_", " ") if trial.value is None else f"{trial.value:.4f}"
        reason = f": {trial.reason.splitlines()[0]}" if trial.reason else ""
        so_far = "" if best is None or best.value is None else f" (best {best.value:.4f})"
        values = _spell(trial.values)
        self.say(
            f"{cell.method} on {cell.dataset}, trial {trial.number}{of}: {ended}{reason}{so_far} "
            f"({trial.seconds:.1f} s) {values}",
        )


def _spell(values: object) -> str:
    pairs = dict(values).items() if isinstance(values, dict) else ()
    return ", ".join(
        f"{name}={'+'.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in pairs
    )


def _further_words(files: tuple[Path, ...], data_root: Path | None) -> list[str]:
    """What the printed runs need besides their suites: own methods, and where the data lie."""
    words = [word for path in files for word in ("--method-file", str(path))]
    return words if data_root is None else [*words, "--data-root", str(data_root)]


def _show(outcome: TuningOutcome, further: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(outcome.as_json())
        return
    console = stdout()
    metric = outcome.tuned[0].cell.protocol.stop_metric if outcome.tuned else "mrr"
    name = {"mrr": "MRR"}.get(metric, metric.capitalize())
    headers = ["method", "dataset", "trials", "pruned", "failed", "minutes"]
    headers += [f"default {name}", f"tuned {name}", "gain", "tuned values"]
    places = {(each.cell.dataset, each.cell.seed_ratio) for each in outcome.tuned}
    has_ratios = len(places) > len({dataset for dataset, _ratio in places})
    print_table(headers, [list(_row(each, has_ratios=has_ratios)) for each in outcome.tuned])
    for sentence in (*_notes(outcome), *_next_steps(outcome, further)):
        say(console, sentence)


def _row(each: Tuned, *, has_ratios: bool) -> Iterator[str]:
    default, best = each.default, each.best
    yield f"{each.cell.method}{'†' if each.simulated else ''}"
    yield each.cell.dataset + f" at {each.cell.seed_ratio:g}" * has_ratios
    pruned = each.n("pruned")
    yield str(len(each.trials))
    yield str(pruned)
    yield str(len(each.trials) - pruned - each.n("ok"))
    yield f"{sum(trial.seconds for trial in each.trials) / 60:.1f}"
    yield _NOTHING if default is None else f"{default.value:.3f}"
    yield _NOTHING if best is None else f"{best.value:.3f}"
    both = None if default is None or best is None else (best.value or 0) - (default.value or 0)
    yield _NOTHING if both is None else f"{both:+.3f}"
    yield _spell(each.overrides) or ("the defaults" if best is not None else _NOTHING)


def _notes(outcome: TuningOutcome) -> Iterator[str]:
    yield (
        f"Both columns are of validation links, under {outcome.budget.words} per method. The tuned "
        "one is the highest of several and flatters; test links were not scored."
    )
    for each in outcome.tuned:
        if each.simulated:
            yield f"† {each.cell.method} read simulated features: {each.simulated}."
        if each.best is None and each.trials:
            last = each.trials[-1]
            yield f"{each.cell.method} has no score; the last trial: {last.status}, {last.reason}"
    for sentence in outcome.left_out:
        yield f"Left out: {sentence}"
    if outcome.signal_number is not None:
        yield "Stopped. Run the same command again to go on."


def _next_steps(outcome: TuningOutcome, further: list[str]) -> Iterator[str]:
    """The commands that measure both suites of each dataset, and compare them."""
    from mmea_bench.bench.tuning.files import results_folder

    if outcome.signal_number is not None or not outcome.suites:
        return
    yield "Measure both on the test links with ordinary runs:"
    for tuned, default in zip(outcome.suites[::2], outcome.suites[1::2], strict=True):
        folders = {suite: str(results_folder(suite)) for suite in (tuned, default)}
        for suite, folder in folders.items():
            words = ["run", "--suite", str(suite), "--out", folder, *further]
            yield f"  {shlex.join(['mmea-bench', *words])}"
        yield f"  {shlex.join(['mmea-bench', 'compare', folders[default], folders[tuned]])}"
