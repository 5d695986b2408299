"""From the folder of reference runs to its baseline, the fidelity table and the leaderboard."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mmea_bench.reports.core.document import Document
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.evidence.fidelity import Fidelity, fidelity
from mmea_bench.reports.core.evidence.leaderboard import first_lines
from mmea_bench.reports.core.published.verdicts import check_rows
from mmea_bench.reports.formats.check_files import render_check_csv
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.reports.formats.templates import html_environment
from mmea_bench.results.core.disk.files import read_regular, write_atomic
from mmea_bench.results.core.measured.remarks import read_origins, read_remarks
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import table_csv

BASELINE = "baseline.csv"
BEGIN, END = "<!-- leaderboard: begin -->", "<!-- leaderboard: end -->"


def baseline_text(folder: Path) -> str:
    """The check of the reference runs as CSV: what a later check is held against.

    Raises:
        ResultsError: If the folder holds no results.
    """
    published = read_published()
    check = check_rows(read_tables(folder), published.results, scoring=published.scoring)
    return render_check_csv(check)


def make_fidelity(
    folder: Path, methods: Collection[str], despite: Collection[str] = ()
) -> Fidelity:
    """The fidelity of the runs in a folder.

    Args:
        folder: Reference runs, or any results folder; its ``remarks.csv`` explains misses.
        methods: Catalogue names of all methods that exist.
        despite: Kinds of reasons that do not keep a verdict from being given.

    Raises:
        ReportError: If there is no such kind of reason.
        ResultsError: If the folder holds no results, or its remarks cannot be read.
    """
    published = read_published()
    tables = read_tables(folder)
    check = check_rows(tables, published.results, None, despite, published.scoring)
    return fidelity(check, published.results, read_origins(), read_remarks(folder), methods)


def with_first_lines(page: str, folder: Path, link: str) -> str:
    """A page with the leaderboard's first lines between its two marks.

    Args:
        page: Text that holds ``BEGIN`` and ``END``.
        folder: Reference runs.
        link: Where the whole leaderboard is.

    Raises:
        ReportError: If the page lacks the marks.
        ResultsError: If the folder holds no results.
    """
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ReportError(f"The page has no lines '{BEGIN}' and '{END}' to write between.")
    body = _tables_alone(first_lines(read_tables(folder)))
    more = f"The whole of it: [{link}]({link})."
    return f"{before}{BEGIN}\n{body}\n{more}\n{END}{after}"


def _tables_alone(document: Document) -> str:
    text = render_markdown(document).partition("\n## ")
    # Headings of a page of its own would cut the page that holds these lines.
    return (text[1] + text[2]).replace("\n## ", "\n#### ").strip("\n") + "\n"


def render_small_page(document: Document) -> str:
    """A document of tables as a page that needs no other file, no network and no scripts."""
    return html_environment().get_template("small_page.html.j2").render(document=document)


def rewritten(path: Path, text: str) -> bool:
    """Writes a file unless it says that already; returns whether it was written.

    Raises:
        ReportError: If it cannot be written.
    """
    try:
        if path.is_file() and read_regular(path) == text.encode("utf-8"):
            return False
        write_atomic(path, text.encode("utf-8"))
    except OSError as error:
        raise ReportError(f"{path} cannot be written ({error.strerror}).") from error
    return True


def write_tables(folder: Path) -> list[Path]:
    """Makes the tables that ship beside the records: ``cells.csv`` and the baseline.

    Raises:
        ReportError: If one cannot be written.
        ResultsError: If the folder holds no results.
    """
    texts = _table_texts(folder)
    for path, text in texts.items():
        rewritten(path, text)
    return list(texts)


def outdated_tables(folder: Path) -> list[Path]:
    """Tables beside the records that are missing or say something else than the records.

    Raises:
        ResultsError: If the folder holds no results.
    """
    return [
        path
        for path, text in _table_texts(folder).items()
        if not path.is_file() or read_regular(path) != text.encode("utf-8")
    ]


def _table_texts(folder: Path) -> dict[Path, str]:
    return {
        folder / "cells.csv": table_csv(read_tables(folder), "cells"),
        folder / BASELINE: baseline_text(folder),
    }
