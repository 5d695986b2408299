"""Calls for scripts and notebooks; each makes a ``Request`` as the command line does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from mmea_bench.bench.api.outcomes import RunOutcome
from mmea_bench.bench.api.requests import run_request
from mmea_bench.bench.planning.request import Request
from mmea_bench.bench.planning.suite_files import suite_names
from mmea_bench.bench.running.console import PlainConsole
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.bench.tracking.tracker import Tracker
from mmea_bench.datasets.core.access import catalogue as datasets
from mmea_bench.datasets.core.errors import UserError, unknown_name
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.methods.core import catalogue as methods
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.schema import DONE_STATUSES
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import Tables

if TYPE_CHECKING:
    from mmea_bench.reports.core.options import ReportOptions
    from mmea_bench.reports.making.build import ReportSummary

Names = str | Path | Sequence[str | Path]
TABLES = ("results", "cells", "curves", "datasets")


@dataclass(frozen=True, eq=False)
class Result:
    """A run that has ended, also where some of its cells did not end well.

    Attributes:
        outcome: What was planned and done; ``outcome.folder`` is the results folder.
    """

    outcome: RunOutcome

    @property
    def folder(self) -> Path:
        """The results folder, which ``mmea-bench status`` and ``report`` take."""
        return self.outcome.folder

    @property
    def is_complete(self) -> bool:
        """Whether every cell ended well (the command line's exit code 0)."""
        return self.outcome.summary.exit_code == 0

    @cached_property
    def tables(self) -> Tables:
        """All tables of the results folder, earlier runs into it included.

        Raises:
            UserError: If the folder holds no results.
        """
        with _user_errors():
            return read_tables(self.folder)

    @property
    def results(self) -> pd.DataFrame:
        """One row per number; columns as in ``results.csv``."""
        return self.tables.results

    @property
    def cells(self) -> pd.DataFrame:
        """One row per training, with status, reason, time and memory; as in ``cells.csv``."""
        return self.tables.cells

    @property
    def problems(self) -> list[str]:
        """A sentence for each cell that did not end well, and one where the run was cut short.

        Cells of earlier runs into the folder count. A cell that was skipped ended well: it cannot
        be run here, and ``cells`` says why.
        """
        bad = self.cells[~self.cells["status"].isin(DONE_STATUSES)]
        rows = bad[["status", "method", "dataset", "repeat", "reason"]].itertuples(index=False)
        found = [
            f"{status}: {method} on {dataset}, repeat {repeat}: {reason}"
            for status, method, dataset, repeat, reason in rows
        ]
        why = self.outcome.summary.problem
        return [*found, why] if why else found

    def metric(self, name: str = "hits@1", *, csls: int = 0, direction: str = "src2tgt") -> float:
        """Mean of a metric over all repeats and cells of the folder, without a decoder.

        Each method counts by its own similarity, as in every table. Where links were ranked among
        several sets of candidates, those among the entities of the test links count.

        Args:
            name: Such as ``hits@1``, ``hits@10``, ``mrr``.
            csls: Neighbourhood size of the scores.
            direction: ``src2tgt``, ``tgt2src`` or ``mean``.

        Raises:
            UserError: If no row has such a number.
        """
        rows = self.tables.in_own_similarity()
        chosen = rows[
            (rows["metric"] == name)
            & (rows["direction"] == direction)
            & (rows["csls"].fillna(0) == csls)
            & (rows["decoder"].fillna("none") == "none")
        ]
        is_usual = chosen["candidates"].fillna("") == "test"
        chosen = chosen[is_usual | (not is_usual.any())]
        if not len(chosen):
            known = sorted(set(rows["metric"].dropna()))
            raise UserError(
                f"{self.folder} has no number {name} with CSLS {csls}, direction {direction}. "
                f"Metrics there: {', '.join(known) or 'none'}."
            )
        return float(chosen["value"].mean())


def load_dataset(
    address: str | Path,
    data_root: Path | str | None = None,
    cache_dir: Path | str | None = None,
    *,
    dataset_files: Sequence[Path | str] = (),
) -> KGPair:
    """The pair of knowledge graphs behind an address.

    Args:
        address: As on the command line: ``fb15k-db15k``, ``synthetic[n=500,seed=1]``, or the path
            of a folder of your own, ``./my_pair``; or the path of a dataset file, ``films.py``.
        data_root: Folder that holds the published files; else MMEA_DATA, else the user's.
        cache_dir: Folder for parsed datasets; else MMEA_CACHE, else the user's.
        dataset_files: Dataset files of yours that the address may name.

    Returns:
        ``source`` and ``target`` (entities, names, triples), ``anchor_links`` [n_links, 2],
        ``features`` by modality and ``version``, the content hash.

    Raises:
        UserError: If the address is unknown or the files are missing or malformed.
    """
    root = _path(data_root) or datasets.resolve_data_root(None, os.environ)
    cache = _path(cache_dir or os.environ.get("MMEA_CACHE")) or datasets.default_cache_dir()
    (name,), own = _named((address,))
    with datasets.own_dataset_files([*own, *map(Path, dataset_files)]):
        return datasets.load_pair(datasets.open_dataset(name, root), cache)


def list_methods() -> list[methods.CatalogueEntry]:
    """Every method: ``name``, ``method_type`` (the class) and, where it cannot be used, ``error``.

    ``method_type`` tells ``paper``, ``modalities``, ``variants`` and ``Params`` with the defaults.
    """
    return methods.catalogue_entries()


def list_datasets() -> list[datasets.CatalogueEntry]:
    """Every dataset: ``name``, ``dataset_type`` (the class), and ``error`` where there is one."""
    return datasets.catalogue_entries()


def list_suites() -> list[str]:
    """Names of the suites that come with the program."""
    return list(suite_names())


def run(
    method: Names,
    dataset: Names,
    *,
    seed_ratio: float | Sequence[float] = 0.3,
    parameters: Mapping[str, object] | None = None,
    quiet: bool = True,
    trackers: Sequence[Tracker] = (),
    **options: Any,
) -> Result:
    """Trains and scores methods on datasets, every cell in a process of its own.

    What is done already in the results folder is not run again.

    Args:
        method: Name, or the path of a method file of yours (``Path("mine.py")``), or several.
        dataset: Address, or the path of a dataset file of yours, or several.
        seed_ratio: Share of the anchor links that trains, or several.
        parameters: Parameter to value; ``method.parameter`` where several methods run.
        quiet: Whether nothing is printed but warnings.
        trackers: Listeners of yours, beside those that ``track`` names.
        **options: Any further field of ``Request``, which are the options of ``mmea-bench run``:
            ``repeats``, ``variants``, ``protocol``, ``decoders``, ``device``, ``jobs``,
            ``timeout``, ``memory_limit``, ``data_root``, ``cache_dir``, ``out``, ``fresh``,
            ``track``, ...

    Raises:
        UserError: If the request cannot be run at all; a training that fails is a row with its
            reason (``Result.problems``).
        KeyboardInterrupt: If it was interrupted; the same call goes on where it was.
    """
    methods_named, method_files = _named(_several(method))
    datasets_named, dataset_files = _named(_several(dataset))
    if not isinstance(parameters, Mapping | None):
        raise UserError(
            'parameters are a mapping such as {"eva.epochs": 2}, not '
            f"a {type(parameters).__name__}."
        )
    set_values = {
        name if "." in name else f"*.{name}": value for name, value in (parameters or {}).items()
    }
    return _run(
        {
            "methods": methods_named,
            "datasets": datasets_named,
            "seed_ratios": _several(seed_ratio),
            "set_values": set_values or None,
            **options,
            "method_files": (*method_files, *_several(options.get("method_files"))),
            "dataset_files": (*dataset_files, *_several(options.get("dataset_files"))),
        },
        quiet=quiet,
        trackers=trackers,
    )


def run_suite(
    suite: str | Path, *, quiet: bool = True, trackers: Sequence[Tracker] = (), **options: Any
) -> Result:
    """Runs a suite, as ``mmea-bench run --suite``.

    Args:
        suite: Name (``list_suites``), or the path of a TOML file.
        quiet: Whether nothing is printed but warnings.
        trackers: Listeners of yours, as for ``run``.
        **options: Any further field of ``Request``, as for ``run``.

    Raises:
        UserError: If the suite does not exist, is wrong, or an option does not exist.
        KeyboardInterrupt: If it was interrupted; the same call goes on where it was.
    """
    return _run({"suite": str(suite), **options}, quiet=quiet, trackers=trackers)


def read_results(folder: Path | str, table: str = "results") -> pd.DataFrame:
    """A table of a results folder; its columns are those of the CSV file.

    Args:
        folder: Results folder of a run, complete or not.
        table: ``results`` (one row per number), ``cells`` (per training), ``curves`` (per number
            measured while training) or ``datasets`` (per count of a dataset).

    Raises:
        UserError: If the folder holds no results, or there is no such table.
    """
    if table not in TABLES:
        raise UserError(unknown_name("table", table, TABLES))
    with _user_errors():
        frame: pd.DataFrame = getattr(read_tables(Path(folder)), table)
    return frame


def report(
    folder: Path | str,
    out: Path | str | None = None,
    *,
    only: Sequence[str] | None = None,
    formats: Sequence[str] | None = None,
    options: ReportOptions | None = None,
) -> ReportSummary:
    """Tables and figures of a results folder, as ``mmea-bench report``.

    Args:
        folder: Results folder of a run, complete or not.
        out: Where to write; ``folder/report`` where None.
        only: Names of reports; all where None.
        formats: Of ``csv``, ``md``, ``tex``, ``pdf``, ``png``, ``svg``, ``html``; all where None.
        options: Choices of the reader (``mmea_bench.reports.core.options.ReportOptions``).

    Raises:
        UserError: If the folder holds no results, or a report or format does not exist.
    """
    # Imported here: drawing takes a second to import, and not every script draws.
    from mmea_bench.reports.making.build import FORMATS, build_reports

    with _user_errors():
        chosen = FORMATS if formats is None else _several(formats)
        wanted = None if only is None else _several(only)
        return build_reports(Path(folder), _path(out), wanted, chosen, options)


def _run(asked: Mapping[str, Any], *, quiet: bool, trackers: Sequence[Tracker]) -> Result:
    for tracker in trackers:
        if not isinstance(tracker, Tracker):
            raise UserError(f"A tracker must be a Tracker, not {tracker!r}.")
    with _user_errors():
        outcome = run_request(_request(asked), _console(), quiet=quiet, trackers=trackers)
    if outcome.summary.signal_number == signal.SIGINT:
        raise KeyboardInterrupt
    return Result(outcome)


def _console() -> Console:
    return PlainConsole(stderr=True)


_ARGUMENTS = {
    "method": "methods",
    "dataset": "datasets",
    "seed_ratio": "seed_ratios",
    "parameters": "set_values",
}
"""What ``run`` calls fields of a request, which is what its users may have misspelt."""


def _request(asked: Mapping[str, Any]) -> Request:
    """The request of some fields; a text, a path or a number may stand for a tuple of one.

    Raises:
        UserError: If there is no such field.
    """
    known = {each.name: each for each in fields(Request)}
    for name in asked:
        if name not in known:
            valid = {*_ARGUMENTS, *known} - set(_ARGUMENTS.values())
            raise UserError(unknown_name("option", name, valid, "mmea-bench run --help"))
    values: dict[str, Any] = {}
    for name, given in asked.items():
        kind = str(known[name].type)
        if kind.startswith("tuple"):
            given = tuple(map(Path, _several(given))) if "Path" in kind else _several(given)
        elif "Path" in kind:
            given = _path(given)
        elif name == "grid" and given is not None:
            given = _swept(given)
        elif kind == "str":
            given = str(given)
        values[name] = given
    for name, each in known.items():
        variable = os.environ.get(each.metadata.get("envvar", ""))
        if values.get(name) is None and variable:
            values[name] = Path(variable)
    return Request(**values)


def _swept(given: Any) -> dict[str, tuple[Any, ...]]:
    """The values of a grid by parameter; one value stands for a sweep of one."""
    if not isinstance(given, Mapping):
        raise UserError(
            f"grid must map parameters to their values, such as {{'eva.tau': [0.1, 0.2]}}, not "
            f"{given!r}."
        )
    return {str(name): _several(values) for name, values in given.items()}


def _several(given: Any) -> tuple[Any, ...]:
    if given is None:
        return ()
    return tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def _named(given: Sequence[str | Path]) -> tuple[list[str], list[Path]]:
    """Names, where a Python file stands for what it defines, and those files."""
    files = [Path(name) for name in given if str(name).endswith(".py")]
    names = [Path(name).stem if str(name).endswith(".py") else _spelled(name) for name in given]
    return names, files


def _spelled(name: str | Path) -> str:
    """A name as given; a path drops the ``./`` that tells a folder from a dataset of its name."""
    is_bare = isinstance(name, Path) and len(name.parts) == 1 and name.is_dir()
    return f"./{name}" if is_bare else str(name)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


@contextmanager
def _user_errors() -> Iterator[None]:
    """Errors of results and reports, and a disk's refusal, as errors of the user."""
    try:
        yield
    except ResultsError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        text = spell_disk_error(error)
        if text is None:
            raise
        raise UserError(text) from error
