"""From a results folder to report files."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

from mmea_bench.reports.core.document import Block, Document, Figure
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import BY_ID, check_distinct, names_of, unused_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.chosen import choice_notes, chosen_tables
from mmea_bench.reports.core.rows.origins import kept_apart
from mmea_bench.reports.core.stated.completeness import state_sentence, with_state
from mmea_bench.reports.core.stated.interpretations import with_interpretations
from mmea_bench.reports.formats.files import write_document
from mmea_bench.reports.formats.markdown import render_index
from mmea_bench.reports.formats.terminal import render_terminal
from mmea_bench.reports.formats.web import (
    WEB_PAGE,
    PageState,
    WebSection,
    render_page,
    web_section,
)
from mmea_bench.reports.making.catalogue import CatalogueEntry, catalogue_entries
from mmea_bench.reports.making.kept import Kept, read_kept, remove_left_out
from mmea_bench.reports.making.paper_names import paper_names
from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.plans.plan_file import NAMES_FILE, names_content
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import Tables

WEB = "html"
FORMATS = ("csv", "md", "tex", "pdf", "png", "svg", WEB)
INDEX = "report.md"

Made = TypeVar("Made")

__all__ = ["FORMATS", "ReportOptions", "ReportSummary", "build_reports", "render_terminal"]


@dataclass(frozen=True)
class ReportSummary:
    """What ``build_reports`` made.

    Attributes:
        index: The file that links all others.
        files: All files, the index first.
        skipped: Name and reason of each report that was not made.
        documents: The reports without a format.
        problems: Sentences about records that could not be read.
        unused_names: Ids, such as ``methods.evaa``, that the reader gave a printed name and that
            stand in no cell.
    """

    index: Path
    files: list[Path]
    skipped: list[tuple[str, str]]
    documents: list[Document]
    problems: tuple[str, ...] = ()
    unused_names: tuple[str, ...] = ()


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
        only: Names of the reports to make, beside which the others stay as they are; all if None.
        formats: Of ``FORMATS``.
        options: Choices of the reader.

    Raises:
        ReportError: If a report or a format does not exist, or names would print two methods,
            variants or datasets alike.
        ResultsError: If the folder holds no results.
    """
    for suffix in formats:
        if suffix not in FORMATS:
            raise ReportError(f"Unknown format '{suffix}'. Valid: {', '.join(FORMATS)}.")
    entries = catalogue_entries(None if only is None else list(only))
    of_folder = read_tables(folder)
    unused = unused_names(options.names, *_addresses(of_folder)) if options else []
    options = with_names(options or ReportOptions(), folder)
    tables = chosen_tables(kept_apart(of_folder, options.apart), options)
    target = folder / "report" if out is None else out
    paper = _paper(entries, tables, options) if "tex" in formats else {}

    def write(document: Document) -> _Made:
        files = write_document(document, target, formats, paper.get(document.name))
        names = [path.name for path in files]
        section = web_section(document, names) if WEB in formats else None
        return _Made(document, tuple(files), section)

    made, skipped = make_reports(entries, tables, options, write)
    kept = Kept() if only is None else _beside(entries, target)
    remove_left_out(target / INDEX, {name for name, _reason in skipped})
    remarks = (state_sentence(tables), *choice_notes(options))
    page: list[Path] = []
    if WEB in formats:
        page = _write_page(target / WEB_PAGE, tables, made, skipped, kept, options, remarks)
    index = target / INDEX
    text = render_index(
        tables,
        [(each.document, each.files) for each in made],
        skipped,
        [WEB_PAGE] if page or kept.has_page else [],
        kept.lines,
        title=options.title,
        remarks=remarks,
    )
    write_atomic(index, text.encode("utf-8"))
    files = [index, *page, *(path for each in made for path in each.files)]
    documents = [each.document for each in made]
    return ReportSummary(index, files, skipped, documents, tables.problems, tuple(unused))


def with_names(options: ReportOptions, folder: Path) -> ReportOptions:
    """The options with the printed names of the folder's suite, where the reader gave none.

    Raises:
        ReportError: If the folder's names were written by something else.
    """
    if options.names != BY_ID:
        return options
    return replace(options, names=names_of(names_content(folder), str(folder / NAMES_FILE)))


def _beside(entries: Sequence[CatalogueEntry], target: Path) -> Kept:
    """What an earlier report has of those that are not made this time."""
    return read_kept(target / INDEX, target / WEB_PAGE, {entry.name for entry in entries})


@dataclass(frozen=True)
class _Made:
    """A report that was written."""

    document: Document
    files: tuple[Path, ...]
    section: WebSection | None


def _paper(
    entries: Sequence[CatalogueEntry], tables: Tables, options: ReportOptions
) -> dict[str, Document]:
    """The reports by name, with the names of papers."""
    variants, datasets = _addresses(tables)
    names = paper_names(options.names, {method for method, _ in variants}, datasets)
    made, _ = make_reports(entries, tables, replace(options, names=names), _itself)
    return {document.name: document for document in made}


def _itself(document: Document) -> Document:
    return document


def _write_page(
    path: Path,
    tables: Tables,
    made: Sequence[_Made],
    skipped: list[tuple[str, str]],
    kept: Kept,
    options: ReportOptions,
    remarks: tuple[str, ...],
) -> list[Path]:
    """Writes the web page; a defect of it becomes one more left-out report."""
    sections = [each.section for each in made if each.section is not None]
    state = PageState(
        time_of_making(), kept=kept.sections, kept_left_out=kept.left_out, remarks=remarks
    )
    try:
        text = render_page(tables, sections, skipped, options, state)
    except Exception as error:  # whatever a record holds, the other formats stay
        skipped.append((WEB_PAGE, crash_sentence("formats/web", error)))
        return []
    write_atomic(path, text.encode("utf-8"))
    return [path]


def make_reports(
    entries: Sequence[CatalogueEntry],
    tables: Tables,
    options: ReportOptions,
    use: Callable[[Document], Made],
) -> tuple[list[Made], list[tuple[str, str]]]:
    """Builds each report and hands it on; one broken report does not take the others away.

    Args:
        entries: The reports to make.
        tables: What they are made from.
        options: Choices of the reader.
        use: What to do with a document; its errors count as those of the report.

    Returns:
        What ``use`` returned, and name and reason of each report that was not made.

    Raises:
        OSError: If a file cannot be written: a full disk or a missing right concerns all reports.
        ReportError: If two methods, variants or datasets would be printed alike: reports group
            their rows by printed names.
    """
    check_distinct(options.names, *_addresses(tables))
    made: list[Made] = []
    skipped: list[tuple[str, str]] = []
    for entry in entries:
        try:
            outcome = _make(entry, tables, options)
            if isinstance(outcome, Document):
                made.append(use(outcome))
            else:
                skipped.append((entry.name, outcome))
        except OSError:
            raise
        except Exception as error:
            skipped.append((entry.name, crash_sentence(entry.name, error)))
    return made, skipped


def _addresses(tables: Tables) -> tuple[set[tuple[str, str]], set[str]]:
    """Every method and variant, and every dataset, that was run or planned."""
    cells = tables.completeness.cells.values()
    variants = {
        (str(cell["method"]), str(cell["variant"]))
        for cell in cells
        if cell.get("method") and cell.get("variant")
    }
    return variants, {str(cell["dataset"]) for cell in cells if cell.get("dataset")}


def time_of_making() -> str:
    """Now, as the web page prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _make(entry: CatalogueEntry, tables: Tables, options: ReportOptions) -> Document | str:
    if entry.build is None:
        return entry.error or "its file cannot be used"
    outcome = entry.build(tables, options)
    if not isinstance(outcome, Document):
        return outcome.reason
    notes = (*choice_notes(options), *outcome.notes)
    chosen = replace(outcome, blocks=_with_own_names(outcome.blocks), notes=notes)
    told = with_interpretations(chosen, tables.cells, options.names)
    return with_state(told, tables, options.names)


def _with_own_names(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks, with a number behind the name of a figure that one before it has.

    Names of figures are names of files, from which signs are gone: those of MCLEA and MCLEA+, or
    of tau=1 and tau=-1, are the same.
    """
    taken: set[str] = set()
    made: list[Block] = []
    for block in blocks:
        if not isinstance(block, Figure):
            made.append(block)
            continue
        numbered = (f"{block.name}-{number}" for number in count(2))
        name = next(name for name in chain([block.name], numbered) if name not in taken)
        taken.add(name)
        made.append(replace(block, name=name))
    return tuple(made)


def crash_sentence(name: str, error: Exception) -> str:
    """What the reader is told of a defect.

    Args:
        name: File below ``reports/`` without suffix.
        error: What it raised.
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = traceback.format_exception_only(error)[-1].strip()
    return (
        f"reports/{name}.py failed: {what} ({Path(place.filename).name}, line {place.lineno}). "
        "This is a defect of the report; the results are not touched."
    )
