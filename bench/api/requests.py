"""Plans and runs what a ``Request`` asks for: the calls behind the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path

from rich.console import Console

from mmea_bench.bench.api.announcing import (
    announce_plan,
    compare_with_record,
    say_other_versions,
)
from mmea_bench.bench.api.outcomes import PlanOutcome, RunOutcome
from mmea_bench.bench.cells.kept_states import remove_old
from mmea_bench.bench.clusters.connect import ClusterRequest, connected
from mmea_bench.bench.metering.energy import check_energy
from mmea_bench.bench.planning.cell import cell_words
from mmea_bench.bench.planning.job import Length
from mmea_bench.bench.planning.keeping import keeping_of
from mmea_bench.bench.planning.load_suite import load_suite
from mmea_bench.bench.planning.plan import Place, Plan, jobs_of, make_plan
from mmea_bench.bench.planning.request import RUNS_FOLDER, WHAT, Request
from mmea_bench.bench.planning.requests.folder_names import folder_name
from mmea_bench.bench.planning.requests.from_record import (
    find_record,
    method_files_of,
    suite_of,
)
from mmea_bench.bench.planning.requests.kept import keep_twins, keeping_notes
from mmea_bench.bench.planning.requests.outlook import configured_cells, with_outlook
from mmea_bench.bench.planning.requests.twins import write_twins
from mmea_bench.bench.planning.suite import Suite
from mmea_bench.bench.running.console import say
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.bench.running.estimate import CellTimes, length_of
from mmea_bench.bench.running.executor import Executor
from mmea_bench.bench.running.pilot import pilot_times
from mmea_bench.bench.running.placement import CellsPerGpu, with_needs
from mmea_bench.bench.running.progress import Progress, SilentProgress, make_progress
from mmea_bench.bench.running.run_state import note_names, note_plan
from mmea_bench.bench.running.runner import RunSettings, RunSummary, run_jobs
from mmea_bench.bench.running.stale import (
    n_replaced,
    planned_identities,
    set_aside,
    stale_keys,
)
from mmea_bench.bench.sharing.claims import Claims
from mmea_bench.bench.tracking.adapters import trackers_of
from mmea_bench.bench.tracking.telling import telling
from mmea_bench.bench.tracking.tracker import TrackedRun, Tracker
from mmea_bench.datasets.core.access.catalogue import (
    default_cache_dir,
    own_dataset_files,
    resolve_data_root,
)
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.user_files import user_name
from mmea_bench.methods.core.catalogue import check_own_names
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import check_distinct, names_of
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.store import ResultStore

_WHAT = {each.name for each in fields(Request) if each.metadata["panel"] == WHAT}
_BESIDE_A_RECORD = {each.name for each in fields(Request)} - _WHAT | {"from_record"}
"""Options that may stand beside --from-record: how and where, not what."""


def plan_request(request: Request, pilot: Path | None = None) -> PlanOutcome:
    """Counts the cells of a request; runs nothing and writes nothing.

    Args:
        request: What would be run.
        pilot: Results folder of short trainings of the same methods, whose epochs tell how long
            those of the plan take.

    Raises:
        UserError: If the request cannot be run at all, or the pilot has no cells.
    """
    with own_dataset_files(request.dataset_files):
        return _planned(request, pilot)


def _planned(request: Request, pilot: Path | None) -> PlanOutcome:
    records = [] if pilot is None else list(ResultStore(pilot).records())
    if pilot is not None and not records:
        raise UserError(f"--pilot {pilot} holds no cells: give the results folder of a run.")
    suite, place, folder = _loaded(request)
    store = ResultStore(folder)
    plan = with_outlook(make_plan(suite, store, place, fresh=request.fresh), place.method_files)
    _check_names(plan)
    records = records or list(store.records())
    if not records:
        return PlanOutcome(plan, folder, None)
    methods = dict(configured_cells(plan, place.method_files))
    work = ((cell, asdict(methods[key].params)) for key, cell in plan.to_train)
    times = pilot_times(work, records)
    known = [one.seconds for one in times if one.seconds is not None]
    seconds = sum(known) / max(1, request.jobs) if known else None
    return PlanOutcome(plan, folder, seconds, tuple(times))


def run_request(
    request: Request,
    console: Console,
    *,
    quiet: bool = False,
    display: Progress | None = None,
    trackers: Sequence[Tracker] = (),
) -> RunOutcome:
    """Runs what is missing of a request and writes the tables, also when it is interrupted.

    Args:
        request: What to run.
        console: Where progress and warnings go.
        quiet: Whether only warnings are shown.
        display: Shows the cells that run, in place of the usual display.
        trackers: Whom to tell of the run besides those that the request names.

    Raises:
        UserError: If the request cannot be run at all.
    """
    if request.energy is not None:
        check_energy(request.energy)
    with own_dataset_files(request.dataset_files):
        return _run(request, console, quiet, display, [*trackers, *trackers_of(request.track)])


def _run(
    request: Request,
    console: Console,
    quiet: bool,  # noqa: FBT001
    display: Progress | None,
    trackers: Sequence[Tracker],
) -> RunOutcome:
    suite, place, folder = _loaded(request)
    settings = _settings(request)
    if not ClusterRequest(request.scheduler, request.scheduler_file, request.profile):
        _check_device(request.device)
    store = _writable(folder)
    keeping = replace(keeping_of(request.keep, request.top_k), folder=folder.resolve())
    place = replace(place, keeping=keeping)
    plan = with_outlook(make_plan(suite, store, place, fresh=request.fresh), place.method_files)
    _check(plan)
    _check_names(plan)
    _check_keeping(request)
    planned = planned_identities(plan.cells)
    with _executor(request, settings) as executor, Claims(folder, planned=planned) as claims:
        settings = replace(settings, executor=executor)
        stale = stale_keys(store, plan.cells, plan.without_data)
        _check_others(folder, claims, planned, stale, fresh=request.fresh)
        remove_old(place.cache_dir)
        if not quiet:
            announce_plan(plan, folder, console)
            say_other_versions(plan, store, console)
            for sentence in keeping_notes(plan, keeping):
                say(console, sentence)
        _remove_stale(stale, store, console)
        cells = {
            key: {**cell_words(cell), "protocol": cell.protocol.name} for key, cell in plan.cells
        }
        note_plan(folder, cells, plan.done, cells)
        note_names(folder, plan.suite.names)
        times = CellTimes(store.records())
        jobs = with_needs(jobs_of(plan, place), times, _lengths(plan, place))
        usual = SilentProgress() if quiet else make_progress(console, jobs, request.jobs, times)
        facts = TrackedRun(plan.suite.name, folder, len(jobs))
        with telling(display or usual, trackers, facts, console) as progress:
            summary = run_jobs(jobs, store, progress, settings, claims)
        tables = _write_tables(plan, place, store, summary)
        for sentence in keep_twins(plan, store, keeping):
            say(console, f"Warning: {sentence}")
    for problem in store.problems:
        say(console, f"Warning: {problem}")
    if request.from_record is not None and not quiet:
        compare_with_record(
            plan, store, find_record(request.from_record, None, RUNS_FOLDER), console
        )
    return RunOutcome(plan, summary, folder, tables)


def _check_device(name: str) -> None:
    """Refuses a GPU that is not there before anything is written.

    Raises:
        UserError: If there is no such GPU.
    """
    if name.startswith("cuda"):
        from mmea_bench.bench.cells.execute import device_of  # loads all that trains

        device_of(name)


def _writable(folder: Path) -> ResultStore:
    """The records of a folder that a run may change, after broken ones were set aside.

    Raises:
        UserError: If the folder holds records that the run must not change.
    """
    store = ResultStore(folder)
    try:
        store.quarantine()
    except ResultsError as error:
        raise UserError(str(error)) from error
    return store


def _check_others(
    folder: Path,
    claims: Claims,
    planned: Mapping[str, str],
    stale: Sequence[str],
    *,
    fresh: bool,
) -> None:
    """Refuses what would take the results of a run that goes on in the same folder.

    Raises:
        UserError: If there is such a run.
    """

    def concerns(theirs: Mapping[str, str] | None) -> bool:
        if fresh or theirs is None:
            return fresh or bool(stale)
        return n_replaced(planned, theirs) > 0

    other = claims.other(concerns)
    if other is None:
        return
    what = "--fresh" if fresh else "this run, with other settings, code or data,"
    raise UserError(
        f"{folder} is in use by {other}, whose cells {what} would run again. Wait until it ends, "
        "or give another folder with --out."
    )


def _loaded(request: Request) -> tuple[Suite, Place, Path]:
    """The checked suite, where it runs, and its results folder."""
    place = _place(request)
    if request.from_record is not None:
        return _repeated(request, place)
    if request.suite is None and not request.datasets:
        # Whoever names a file wants to see its dataset.
        own = tuple(user_name(path).replace("_", "-") for path in request.dataset_files)
        request = replace(request, datasets=own)
    has_methods = request.methods or request.method_files
    if request.suite is None and not (request.datasets and has_methods):
        raise UserError(
            "Name a suite with --suite (see `mmea-bench list suites`), or give both --methods "
            "and --datasets."
        )
    check_own_names(place.method_files)
    changes = request.suite_changes()
    suite = load_suite(request.suite, changes, place.data_root, place.method_files)
    return suite, place, request.out or RUNS_FOLDER / _folder_name(request, suite, place)


def _repeated(request: Request, place: Place) -> tuple[Suite, Place, Path]:
    """The cell of a record in a folder of its own, with the method file as it was."""
    if request != replace(Request(), **{name: getattr(request, name) for name in _BESIDE_A_RECORD}):
        raise UserError(
            "--from-record says what to run; give with it only how and where (--device, --jobs, "
            "--out, --data-root, ...)."
        )
    record = find_record(request.from_record or "", None, RUNS_FOLDER)
    changes = suite_of(record)
    folder = request.out or RUNS_FOLDER / f"repeat_{record.key}"
    files = method_files_of(record, folder)
    place = replace(place, method_files=tuple(path.resolve() for path in files))
    suite = load_suite(None, changes, place.data_root, place.method_files)
    return replace(suite, only_repeat=int(record.cell["repeat"])), place, folder


def _folder_name(request: Request, suite: Suite, place: Place) -> str:
    files = (*place.method_files, *place.dataset_files)
    if request.suite is None:
        return folder_name(suite, None, files)
    try:
        base = load_suite(request.suite, None, place.data_root)
    except UserError:  # it names no datasets, say, and the command line does
        base = suite
    return folder_name(suite, base, files)


def _place(request: Request) -> Place:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", request.device):
        raise UserError(
            f"--device takes auto, cpu, cuda or one GPU such as cuda:1, not '{request.device}'."
        )
    limit = request.memory_limit
    return Place(
        # The request already carries MMEA_DATA; no environment is read anywhere else.
        data_root=resolve_data_root(request.data_root, {}),
        cache_dir=request.cache_dir or default_cache_dir(),
        device=request.device,
        method_files=tuple(path.resolve() for path in request.method_files),
        dataset_files=tuple(path.resolve() for path in request.dataset_files),
        n_jobs=request.jobs,
        memory_limit_mib=None if limit is None else 1024.0 * limit,
        states_every_s=60.0 * request.checkpoint_every or None,
        energy=request.energy or "",
    )


def _settings(request: Request) -> RunSettings:
    given = request.cells_per_gpu
    if given != "auto" and not (given.isdecimal() and int(given) > 0):
        raise UserError(f"--cells-per-gpu takes a number from 1 on, or auto, not '{given}'.")
    per_gpu: CellsPerGpu = "auto" if given == "auto" else int(given)
    return RunSettings(n_jobs=request.jobs, fail_fast=request.fail_fast, cells_per_gpu=per_gpu)


def _write_tables(plan: Plan, place: Place, store: ResultStore, summary: RunSummary) -> list[Path]:
    """Writes what is made of the records; a disk that refuses it hides not how the cells ended."""
    try:
        summary.n_by_status.update(write_twins(plan, store, place.method_files))
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
    cluster = ClusterRequest(request.scheduler, request.scheduler_file, request.profile)
    if not cluster:
        yield None
        return
    with connected(cluster) as client:
        from mmea_bench.bench.clusters.executor import WAIT_S, DaskExecutor  # an optional extra

        per_gpu = 1 if settings.cells_per_gpu == "auto" else settings.cells_per_gpu
        # A batch system starts jobs when it has room, which may be tomorrow.
        wait_s = math.inf if cluster.profile else WAIT_S
        yield DaskExecutor(client, per_gpu, wait_s)


def _check_keeping(request: Request) -> None:
    if request.keep and ClusterRequest(request.scheduler, request.scheduler_file, request.profile):
        raise UserError(
            "--keep writes beside the results on this machine, which the workers of a cluster may "
            "not see. Run there without it, and then `mmea-bench predict DIR KEY` here."
        )


def _check(plan: Plan) -> None:
    if not plan.cells:
        raise UserError(f"Suite {plan.suite.name} has no cells.")
    if len(plan.without_data) == len(plan.suite.datasets):
        raise UserError("\n".join(plan.without_data.values()))


def _check_names(plan: Plan) -> None:
    """Refuses printed names that reports would refuse when all is trained."""
    words = [cell_words(cell) for _, cell in plan.cells]
    try:
        check_distinct(
            names_of(plan.suite.names, f"Suite {plan.suite.name}"),
            [(each["method"], each["variant"]) for each in words],
            [each["dataset"] for each in words],
        )
    except ReportError as error:
        raise UserError(str(error)) from error


def _remove_stale(keys: Sequence[str], store: ResultStore, console: Console) -> None:
    if keys:
        place = set_aside(store, keys)
        say(console, f"{len(keys)} results of other code, data or rules were moved to {place}.")


def _lengths(plan: Plan, place: Place) -> dict[str, Length]:
    """How long each missing cell of a plan trains, by key."""
    methods = dict(configured_cells(plan, place.method_files))
    return {key: length_of(cell, asdict(methods[key].params)) for key, cell in plan.to_run}
