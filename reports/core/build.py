"""From a results folder to report files."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmea_bench.reports.core.catalogue import CatalogueEntry, catalogue_entries
from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.terminal import render_terminal
from mmea_bench.reports.formats.files import write_document
from mmea_bench.reports.formats.markdown import render_index
from mmea_bench.results.core.files import write_atomic
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import Tables

FORMATS = ("csv", "md", "tex", "pdf", "png", "svg")
INDEX = "report.md"

__all__ = ["FORMATS", "ReportOptions", "ReportSummary", "build_reports", "render_terminal"]


@dataclass(frozen=True)
class ReportSummary:
    """What ``build_reports`` made.

    Attributes:
        index: The file that links all others.
        files: All files, the index first.
        skipped: Name and reason of each report that was not made.
        documents: The reports without a format.
    """

    index: Path
    files: list[Path]
    skipped: list[tuple[str, str]]
    documents: list[Document]


def build_reports(
    folder: Path,
    out: Path | None = None,
    only: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    options: ReportOptions | None = None,
) -> ReportSummary:
    """Makes the reports of a results folder.

    Args:
        folder: Results folder of a run, complete or not.
        out: Where to write; ``folder/report`` if None.
        only: Names of the reports to make; all if None.
        formats: Of ``FORMATS``.
        options: Choices of the reader.

    Raises:
        ReportError: If a report or a format does not exist.
        ResultsError: If the folder holds no results.
    """
    for suffix in formats:
        if suffix not in FORMATS:
            raise ReportError(f"Unknown format '{suffix}'. Valid: {', '.join(FORMATS)}.")
    entries = catalogue_entries(None if only is None else list(only))
    tables = read_tables(folder)
    target = folder / "report" if out is None else out
    made: list[tuple[Document, list[Path]]] = []
    skipped: list[tuple[str, str]] = []
    for entry in entries:
        try:
            outcome = _make(entry, tables, options or ReportOptions())
            if isinstance(outcome, Document):
                made.append((outcome, write_document(outcome, target, formats)))
            else:
                skipped.append((entry.name, outcome))
        except OSError:
            raise  # a full disk or a missing right concerns all reports
        except Exception as error:  # one broken report must not take the others away
            skipped.append((entry.name, _crash(entry.name, error)))
    index = target / INDEX
    write_atomic(index, render_index(tables, made, skipped).encode("utf-8"))
    files = [index, *(path for _, paths in made for path in paths)]
    return ReportSummary(index, files, skipped, [document for document, _ in made])


def _make(entry: CatalogueEntry, tables: Tables, options: ReportOptions) -> Document | str:
    if entry.build is None:
        return entry.error or "its file cannot be used"
    outcome = entry.build(tables, options)
    return outcome if isinstance(outcome, Document) else outcome.reason


def _crash(name: str, error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = traceback.format_exception_only(error)[-1].strip()
    return (
        f"reports/{name}.py failed: {what} ({Path(place.filename).name}, line {place.lineno}). "
        "This is a defect of the report; the results are not touched."
    )
