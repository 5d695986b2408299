"""``check``: the results of a run against published numbers, for the terminal and for CI."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmea_bench.bench.cli.texts import AsJson, print_json, split_list, stdout, user_errors
from mmea_bench.bench.running.console import echo

if TYPE_CHECKING:
    from mmea_bench.reports.core.published.document import Section
    from mmea_bench.reports.making.check_build import CheckOutcome

_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "reproduced": "green",
        "close": "cyan",
        "better": "magenta",
        "off": "red",
        "not comparable": "dim",
        "missing": "red",
    }
)
_NUMBER_COLUMNS = ("ours (repeats)", "published", "difference")


def check_command(  # noqa: PLR0913 - typer wants every option in the signature
    folder: Annotated[Path, typer.Argument(help="Results folder of a run.")],
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", help="check.csv or JSON of an earlier check that must still hold."
        ),
    ] = None,
    csls: Annotated[
        int | None, typer.Option("--csls", min=0, help="Neighbours of CSLS; default as published.")
    ] = None,
    despite: Annotated[
        list[str] | None,
        typer.Option(
            "--despite",
            help="Give a verdict despite this kind of reason, such as partial; see "
            "docs/regression_check.md.",
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--methods", help="Only these, of the results and of the baseline."),
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="Only these: md, csv, html, json.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: DIR/check.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Holds the results of a run against the published numbers, cell by cell.

    Exit code 0: done; 1: a cell that the baseline had as reproduced no longer is; 2: the request
    cannot be carried out.
    """
    with user_errors():
        from mmea_bench.reports.making.check_build import DEFAULT_FORMATS, make_check

        outcome = make_check(
            folder,
            baseline,
            out,
            split_list(formats) or DEFAULT_FORMATS,
            csls=csls,
            despite=split_list(despite) or (),
            methods=split_list(methods) or (),
        )
    if as_json:
        from mmea_bench.reports.formats.check_files import check_json

        content = check_json(outcome.check, outcome.regressions)
        print_json({**content, "files": [str(path) for path in outcome.files]})
    else:
        _show(outcome)
    raise typer.Exit(outcome.exit_code)


def _show(outcome: CheckOutcome) -> None:
    from mmea_bench.reports.core.published import document as check_document

    console = stdout()
    for section in check_document.sections(outcome.check.rows):
        console.print(Text(section.title, style="bold"))
        console.print(_section_table(section, check_document.COLUMNS))
        for note in section.notes:
            console.print(Text(note, style="dim"))
        console.print()
    for note in check_document.document_notes(outcome.check):
        console.print(Text(note, style="dim"))
    console.print(Text(check_document.summary(outcome.check), style="bold"))
    if outcome.regressions is not None:
        _show_regressions(outcome, console)
    for path in outcome.files:
        echo(str(path))


def _section_table(section: Section, columns: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        is_number = name in _NUMBER_COLUMNS
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    for row in section.rows:
        *texts, verdict = section.texts(row)
        table.add_row(*map(Text, texts), Text(verdict, style=_COLOURS[row.verdict]))
    return table


def _show_regressions(outcome: CheckOutcome, console: Console) -> None:
    from mmea_bench.reports.core.published import document as check_document

    found = outcome.regressions or ()
    style = "bold red" if found else "bold green"
    console.print(Text(check_document.regression_summary(found), style=style))
    for regression in found:
        *where, now, detail = check_document.regression_texts(regression)
        console.print(
            Text.assemble(f"  {', '.join(where)}: ", (now, _COLOURS.get(now, "")), f" ({detail})"),
            soft_wrap=True,
        )
