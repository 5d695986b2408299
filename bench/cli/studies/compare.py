"""``compare``: two results folders, or two parts of one, held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import (
    AsJson,
    print_json,
    print_table,
    split_list,
    stdout,
    user_errors,
)
from mmea_bench.bench.running.console import echo, say
from mmea_bench.datasets.core.errors import UserError

if TYPE_CHECKING:
    from mmea_bench.reports.core.comparing.result import Comparing
    from mmea_bench.reports.core.comparing.sides import Kind
    from mmea_bench.reports.core.document import Document

_TWO = tuple[str, str] | None


def compare_command(  # noqa: PLR0913 - typer wants every option in the signature
    first: Annotated[Path, typer.Argument(metavar="A", help="Results folder of a run.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="[B]", help="Another one, to be held against it.")
    ] = None,
    variants: Annotated[
        _TWO, typer.Option("--variants", metavar="A B", help="Two variants of one folder.")
    ] = None,
    methods: Annotated[
        _TWO, typer.Option("--methods", metavar="A B", help="Two methods of one folder.")
    ] = None,
    commits: Annotated[
        _TWO, typer.Option("--commits", metavar="A B", help="Two commits of one folder.")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option("--metrics", help="Default: hits@1,mrr and those of pairs.")
    ] = None,
    csls: Annotated[int | None, typer.Option("--csls", min=0, help="Neighbours of CSLS.")] = None,
    direction: Annotated[
        str, typer.Option("--direction", help="src2tgt, tgt2src or mean.")
    ] = "src2tgt",
    correction: Annotated[
        str, typer.Option("--correction", help="Of p-values: holm, none, bonferroni or fdr_bh.")
    ] = "holm",
    despite: Annotated[
        list[str] | None,
        typer.Option(
            "--despite", help="Pair cells although this differs: data, protocol. Repeatable."
        ),
    ] = None,
    markdown: Annotated[  # noqa: FBT002
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Says what changed between two sides, and what came of it, with intervals over repeats.

    Cells are paired by dataset, content, seed ratio, split, repeat, protocol, input and scoring.
    Exit code 0: nothing is significantly worse; 1: something is; 2: nothing can be compared.
    """
    with user_errors():
        if markdown and as_json:
            raise UserError("--markdown and --json are two forms of output. Choose one.")
        asked = {"variants": variants, "methods": methods, "commits": commits}
        folders = [first, *([second] if second is not None else [])]
        from mmea_bench.reports.core.options import ReportOptions

        options = ReportOptions(
            csls=csls,
            direction=direction,
            metrics=tuple(dict.fromkeys(split_list(metrics) or _METRICS)),
            correction=correction,
        )
        comparing = _compared(folders, asked, options, tuple(split_list(despite) or ()))
    _show(comparing, markdown=markdown, as_json=as_json)
    raise typer.Exit(comparing.exit_code)


_METRICS = ("hits@1", "mrr", "f1")


def _compared(
    folders: list[Path],
    asked: dict[str, tuple[str, str] | None],
    options: object,
    despite: tuple[str, ...],
) -> Comparing:
    from mmea_bench.reports.core.comparing.result import compare, nothing_in_common
    from mmea_bench.reports.core.comparing.sides import read_sides

    given: dict[Kind, tuple[str, str]] = {k: v for k, v in asked.items() if v}  # type: ignore[misc]
    if len(given) > 1:
        raise UserError("Give one of --variants, --methods and --commits, not several.")
    kind, names = next(iter(given.items()), ("folders", ("", "")))
    comparing = compare(read_sides(folders, kind, names), options, despite)  # type: ignore[arg-type]
    if not comparing.differences:
        raise nothing_in_common(comparing)
    return comparing


def _show(comparing: Comparing, *, markdown: bool, as_json: bool) -> None:
    if as_json:
        print_json(comparing.as_json())
        return
    from mmea_bench.reports.core.comparing.document import comparing_document

    document = comparing_document(comparing)
    if markdown:
        from mmea_bench.reports.formats.markdown import render_markdown

        echo(render_markdown(document).rstrip("\n"))
    else:
        _print(document)


def _print(document: Document) -> None:
    from mmea_bench.reports.core.document import Table

    console = stdout()
    for block in document.blocks:
        if isinstance(block, Table):
            say(console, f"\n{block.title}")
            print_table(list(block.label_names), [row.labels for row in block.rows])
            for note in block.notes:
                say(console, note)
        else:
            say(console, getattr(block, "text", ""))
    for note in document.notes:
        say(console, f"Warning: {note}")
