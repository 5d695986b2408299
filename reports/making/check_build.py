"""From a results folder to a check against published numbers, with its files and exit code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import BY_ID
from mmea_bench.reports.core.published.baseline import Regression, read_baseline, regressions
from mmea_bench.reports.core.published.document import check_document
from mmea_bench.reports.core.published.verdicts import Check, check_rows
from mmea_bench.reports.core.stated.completeness import state_sentence
from mmea_bench.reports.core.stated.interpretations import (
    interpretation_notes,
    interpreted_methods,
)
from mmea_bench.reports.formats.check_files import (
    render_check_csv,
    render_check_html,
    render_check_json,
)
from mmea_bench.reports.formats.markdown import render_markdown
from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.published import read_published
from mmea_bench.results.core.store import read_tables
from mmea_bench.results.core.table import Tables

CHECK_FORMATS = ("md", "csv", "html", "json")
DEFAULT_FORMATS = ("md", "csv", "html")
EXIT_REGRESSION = 1


@dataclass(frozen=True)
class CheckOutcome:
    """A check that was made.

    Attributes:
        check: What was found.
        regressions: Cells that the baseline had as reproduced and that no longer are; None
            without a baseline.
        files: The files written.
    """

    check: Check
    regressions: tuple[Regression, ...] | None
    files: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0, or 1 where the baseline is no longer met."""
        return EXIT_REGRESSION if self.regressions else 0


def make_check(
    folder: Path,
    baseline: Path | None = None,
    out: Path | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    *,
    csls: int | None = None,
    despite: Collection[str] = (),
    methods: Collection[str] = (),
) -> CheckOutcome:
    """Holds the results of a folder against the published numbers and writes what it finds.

    Args:
        folder: Results folder of a run, complete or not.
        baseline: CSV or JSON of an earlier check.
        out: Where to write; ``folder/check`` if None.
        formats: Of ``CHECK_FORMATS``.
        csls: Neighbourhood size of the scores to compare; None takes that of the published number.
        despite: Kinds of reasons that do not keep a verdict from being given.
        methods: Only these are checked, and only these bind of the baseline; empty for all.

    Raises:
        ReportError: If a format, a kind of reason or a method does not exist, nothing was scored
            with this ``csls``, the baseline cannot be used, or a file cannot be written.
        ResultsError: If the folder holds no results.
    """
    for suffix in formats:
        if suffix not in CHECK_FORMATS:
            raise ReportError(f"Unknown format '{suffix}'. Valid: {', '.join(CHECK_FORMATS)}.")
    tables = read_tables(folder)
    published = read_published()
    check = check_rows(tables, published.results, csls, despite, published.scoring)
    wanted = _known_methods(methods, tables)
    rows = tuple(row for row in check.rows if row.method in wanted)
    shown = tables.cells[tables.cells["method"].isin({row.method for row in rows})]
    told = interpretation_notes(interpreted_methods(shown), BY_ID)
    check = replace(check, rows=rows, notes=(state_sentence(tables), *told, *check.notes))
    found: tuple[Regression, ...] | None = None
    if baseline is not None:
        # Read before anything is written: the new check may replace the file of the old one.
        bound = [row for row in read_baseline(baseline) if not methods or row.cell[0] in wanted]
        found = tuple(regressions(bound, check.rows, tables.cells))
    render: dict[str, Callable[[], str]] = {
        "md": lambda: render_markdown(check_document(check, found)),
        "csv": lambda: render_check_csv(check),
        "html": lambda: render_check_html(check, found),
        "json": lambda: render_check_json(check, found),
    }
    target = folder / "check" if out is None else out
    files = [(target / f"check.{suffix}", render[suffix]) for suffix in dict.fromkeys(formats)]
    for path, rendered in files:
        _write(path, rendered())
    return CheckOutcome(check, found, tuple(path for path, _rendered in files))


def _known_methods(methods: Collection[str], tables: Tables) -> set[str]:
    """The methods to check: those asked for, or all that were run."""
    run = set(tables.cells["method"])
    asked = {name.replace("-", "_") for name in methods}
    unknown = sorted(asked - run)
    if unknown:
        raise ReportError(
            f"Method '{unknown[0]}' is not in these results. There: {', '.join(sorted(run))}."
        )
    return asked or run


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text.encode("utf-8"))
    except OSError as error:
        raise ReportError(
            f"{path} cannot be written ({error.strerror}). Choose another folder with --out."
        ) from error
