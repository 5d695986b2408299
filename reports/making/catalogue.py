"""Finds reports by their file names."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmea_bench.reports.core.document import Document, Missing
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.results.core.table import Tables

BuildReport = Callable[[Tables, ReportOptions], Document | Missing]

# By path, because the folder has no __init__.py and importlib.resources fails on such folders.
_REPORTS_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class CatalogueEntry:
    """One report file.

    Attributes:
        name: File name without ``.py``.
        build: Its function from tables to a document, None if the file cannot be used.
        error: Why it cannot be used, None if it can.
        summary: First line of its file: what it shows.
    """

    name: str
    build: BuildReport | None
    error: str | None
    summary: str = ""


def report_names() -> list[str]:
    """Names of all report files, broken ones included."""
    return sorted(
        path.stem
        for path in _REPORTS_FOLDER.glob("*.py")
        if not path.stem.startswith(("_", "template"))
    )


def catalogue_entries(only: list[str] | None = None) -> list[CatalogueEntry]:
    """The named reports, or all; a broken file stays in the list with its reason.

    Raises:
        ReportError: If a name does not exist.
    """
    names = report_names()
    wanted = names if only is None else [name.replace("-", "_") for name in only]
    for name in wanted:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise ReportError(f"Unknown report '{name}'.{hint} Valid: {', '.join(names)}.")
    return [_load(name) for name in wanted]


def _load(name: str) -> CatalogueEntry:
    where = f"reports/{name}.py"
    try:
        module = importlib.import_module(f"mmea_bench.reports.{name}")
    except Exception as error:  # a file under work must not take the other reports away
        last = traceback.format_exception_only(error)[-1].strip()
        return CatalogueEntry(name, None, f"{where} cannot be imported: {last}")
    build = getattr(module, "build", None)
    if getattr(module, "NAME", None) != name or not callable(build):
        return CatalogueEntry(
            name, None, f"{where} must define NAME = '{name}' and build(tables, options)."
        )
    return CatalogueEntry(name, build, None, (module.__doc__ or "").strip().partition("\n")[0])
