"""The verb ``errors``: which links the methods of a run find and miss."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmea_bench.bench.cli.texts import AsJson, print_json, split_list, stdout, user_errors
from mmea_bench.bench.running.console import echo
from mmea_bench.reports.core.options import ReportOptions

REPORT = "link_errors"
FILE_FORMATS = ("csv", "md", "tex")


def errors_command(  # noqa: PLR0913 - typer wants every option in the signature
    folder: Annotated[Path, typer.Argument(help="Results folder of a run.")],
    methods: Annotated[
        list[str] | None, typer.Option("--methods", help="Show these methods only.")
    ] = None,
    datasets: Annotated[
        list[str] | None, typer.Option("--datasets", help="Show these datasets only.")
    ] = None,
    csls: Annotated[
        int | None, typer.Option("--csls", min=0, help="Neighbours of CSLS; 0 is none.")
    ] = None,
    direction: Annotated[str, typer.Option("--direction", help="src2tgt or tgt2src.")] = "src2tgt",
    correction: Annotated[
        str, typer.Option("--correction", help="Of p-values: holm, none, bonferroni or fdr_bh.")
    ] = "holm",
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Files to write: csv, md, tex, html; default csv, md, tex."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: DIR/report.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Which test links each method finds, by slices, in pairs, and which all of them miss.

    Reads what `mmea-bench run --keep predictions` or `mmea-bench predict` kept.
    Exit code 0: done; 2: there is nothing to show, or the request cannot be carried out.
    """
    with user_errors():
        from mmea_bench.reports.core.errors import ReportError
        from mmea_bench.reports.making.build import build_reports, render_terminal

        options = ReportOptions(
            methods=tuple(split_list(methods) or ()),
            datasets=tuple(split_list(datasets) or ()),
            csls=csls,
            direction=direction,
            correction=correction,
        )
        chosen = split_list(formats) or FILE_FORMATS
        summary = build_reports(folder, out, [REPORT], chosen, options)
        for _name, reason in summary.skipped:
            raise ReportError(reason)
        if as_json:
            print_json({**_content(folder, options), "files": list(map(str, summary.files))})
            return
    for document in summary.documents:
        render_terminal(document, stdout())
    for path in summary.files:
        echo(str(path))


def _content(folder: Path, options: ReportOptions) -> dict[str, Any]:
    from mmea_bench.reports.core.links.document import family_json
    from mmea_bench.reports.core.links.systems import families
    from mmea_bench.reports.core.rows.chosen import chosen_tables
    from mmea_bench.results.core.store import read_tables

    found, notes = families(folder, chosen_tables(read_tables(folder), options), options)
    return {"families": [family_json(each, options) for each in found], "notes": list(notes)}
