"""The command line; what draws and tabulates is imported inside functions, for it takes time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mmea_bench.bench.cli.listing.one_method
import mmea_bench.bench.cli.listing.parameters  # noqa: F401 - adds its verb
from mmea_bench.bench.cli import run as cli_run
from mmea_bench.bench.cli.about.cite import cite_command
from mmea_bench.bench.cli.about.doctor import doctor_command
from mmea_bench.bench.cli.check import check_command
from mmea_bench.bench.cli.checked_values import CheckedValues
from mmea_bench.bench.cli.data import data_app
from mmea_bench.bench.cli.evidence.fidelity import fidelity_command
from mmea_bench.bench.cli.evidence.leaderboard import leaderboard_command
from mmea_bench.bench.cli.evidence.measured import measured_app
from mmea_bench.bench.cli.evidence.published import published_command
from mmea_bench.bench.cli.evidence.replicate import replicate_command
from mmea_bench.bench.cli.listing.catalogues import list_app, show_rows
from mmea_bench.bench.cli.merge import merge_command
from mmea_bench.bench.cli.method_battery import battery_command
from mmea_bench.bench.cli.options import takes_report_options, takes_request
from mmea_bench.bench.cli.records.errors import errors_command
from mmea_bench.bench.cli.records.predict import predict_command
from mmea_bench.bench.cli.records.show import show_command
from mmea_bench.bench.cli.serve import serve_command
from mmea_bench.bench.cli.studies.compare import compare_command
from mmea_bench.bench.cli.studies.tune import tune_command
from mmea_bench.bench.cli.texts import (
    AsJson,
    print_json,
    split_list,
    stdout,
    user_errors,
)
from mmea_bench.bench.planning.request import Request
from mmea_bench.bench.running.console import echo
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.reports.core.options import ReportOptions

if TYPE_CHECKING:
    from mmea_bench.bench.api import RunOutcome
    from mmea_bench.reports.making.build import ReportSummary

MAIN_TABLE = "main_table"

ReportFolder = Annotated[
    Path | None,
    typer.Argument(help="Results folder of a run; none needed with --published and --out."),
]
app = typer.Typer(
    name="mmea-bench",
    cls=CheckedValues,
    help="Benchmark of multi-modal entity alignment: plan, run, measure, report.",
    epilog="Example: mmea-bench run --suite quick",
    no_args_is_help=True,
    # A defect of the program keeps its plain traceback, which a bug report can quote.
    pretty_exceptions_enable=False,
)
app.add_typer(list_app, name="list")
app.add_typer(data_app, name="data")
app.add_typer(measured_app, name="measured")
app.command("fidelity", epilog="Example: mmea-bench fidelity --write docs/fidelity.md")(
    fidelity_command
)
app.command("leaderboard", epilog="Example: mmea-bench leaderboard --write docs/leaderboard.md")(
    leaderboard_command
)
app.command("replicate", epilog="Example: mmea-bench replicate seu dbp15k-zh-en")(replicate_command)
app.command("serve", epilog="Example: mmea-bench serve results/runs/quick")(serve_command)
app.command("published", epilog="Example: mmea-bench published --method mclea")(published_command)
app.command("check", epilog="Example: mmea-bench check results/runs/quick --baseline check.csv")(
    check_command
)
app.command("errors", epilog="Example: mmea-bench errors results/runs/quick")(errors_command)
app.command("test-method", epilog="Example: mmea-bench test-method my_methods/neighbour_means.py")(
    battery_command
)
app.command("doctor", epilog="Example: mmea-bench doctor --data-root data")(doctor_command)
app.command("cite", epilog="Example: mmea-bench cite mclea fb15k-db15k > used.bib")(cite_command)
app.command("show", epilog="Example: mmea-bench show 3f0a9c21 --in results/runs/quick")(
    show_command
)
app.command("predict", epilog="Example: mmea-bench predict results/runs/quick 3f0a9c21")(
    predict_command
)
app.command("merge", epilog="Example: mmea-bench merge node1/out node2/out --out joint")(
    merge_command
)

app.command("compare", epilog="Example: mmea-bench compare results/runs/before results/runs/after")(
    compare_command
)
app.command(
    "tune", epilog="Example: mmea-bench tune gcn_align mclea --dataset dbp15k-zh-en --trials 20"
)(tune_command)


def _print_version(*, asked: bool) -> None:
    if asked:
        from mmea_bench.bench.planning.machine import code_version, library_versions

        commit = code_version()
        echo(f"mmea-bench {library_versions()['mmea-bench']} (commit {commit})")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _print_version(asked=asked),
            is_eager=True,
            help="Print the version of the program and its commit.",
        ),
    ] = False,
) -> None:
    """Benchmark of multi-modal entity alignment: plan, run, measure, report."""


@app.command("run", epilog="Example: mmea-bench run --suite quick --jobs 2")
@takes_request()
def run_command(
    request: Request,
    no_report: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--no-report",
            help="Make no report at the end; `mmea-bench report DIR` makes it later.",
        ),
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Runs the cells of a suite that are missing in its results folder.

    Stop it with Ctrl-C and run it again: what is done stays done, what failed is tried again.
    Exit code 0: all cells ended well; 1: some did not; 2: the request cannot be run; 130: stopped.
    """
    with user_errors():
        outcome = cli_run.run(request, quiet=as_json)
    _show_outcome(outcome, with_report=not no_report, as_json=as_json)
    raise typer.Exit(outcome.summary.exit_code)


@app.command("plan", epilog="Example: mmea-bench plan --suite quick --jobs 2")
@takes_request(plans_only=True)
def plan_command(
    request: Request,
    pilot: Annotated[
        Path | None,
        typer.Option(
            "--pilot",
            help="Results folder of short trainings (such as --set epochs=2), whose epochs tell "
            "how long those of the plan take.",
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Counts the cells of a suite, those done and those missing; runs nothing."""
    with user_errors():
        cli_run.show_plan(request, pilot, as_json=as_json)


@app.command("status", epilog="Example: mmea-bench status results/runs/quick")
def status_command(
    folder: Annotated[Path, typer.Argument(help="Results folder of a run.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """How the cells of a results folder ended, and what went wrong."""
    with user_errors():
        cli_run.show_status(folder, as_json=as_json)


@app.command("report", epilog="Example: mmea-bench report results/runs/quick --only main_table")
@takes_report_options
def report_command(
    options: ReportOptions,
    folder: ReportFolder = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these reports.")] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="Only these file formats.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", help="TOML file of printed names; default: those of the suite."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: DIR/report.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Turns the results of a run into tables and figures for a paper."""
    if folder is None:
        _write_published(out, split_list(formats), is_asked=options.published, as_json=as_json)
        return
    with user_errors():
        from mmea_bench.reports.core.names import read_names
        from mmea_bench.reports.making.build import FORMATS, build_reports

        if names is not None:
            options = replace(options, names=read_names(names))
        chosen = split_list(formats) or FORMATS
        summary = build_reports(folder, out, split_list(only), chosen, options)
    if as_json:
        files = [str(path) for path in summary.files]
        print_json({"files": files, "skipped": dict(summary.skipped)})
        return
    _print_tables(summary)
    if summary.unused_names:
        listed = ", ".join(summary.unused_names)
        echo(f"{names}: no cell of {folder} has {listed}.", err=True)
    for path in summary.files:
        echo(str(path))
    _say_left_out(summary)


def _say_left_out(summary: ReportSummary) -> None:
    for name, reason in summary.skipped:
        echo(f"Left out: {name}: {reason}", err=True)
    if not summary.documents:  # whose notes would say it
        for problem in summary.problems:
            echo(f"Warning: {problem}", err=True)


def _write_published(
    out: Path | None, formats: list[str] | None, *, is_asked: bool, as_json: bool
) -> None:
    """The tables of the papers from the published numbers alone."""
    with user_errors():
        from mmea_bench.reports.making.published_tables import PUBLISHED_FORMATS, write_published

        if not is_asked or out is None:
            raise UserError(
                "Name the results folder of a run, or give --published and --out DIR for the "
                "published tables alone."
            )
        made = write_published(out, formats or PUBLISHED_FORMATS)
    if as_json:
        print_json({"files": [str(path) for path in made.files], "problem": made.problem})
        return
    for path in made.files:
        echo(str(path))
    if made.problem:
        echo(made.problem, err=True)


@list_app.command("reports", epilog="Example: mmea-bench list reports")
def list_reports(as_json: AsJson = False) -> None:  # noqa: FBT002
    """Every report that can be made, and what it shows."""
    from mmea_bench.reports.making.catalogue import catalogue_entries

    entries = catalogue_entries()
    rows = [
        {"report": entry.name, "shows": entry.summary, "problem": entry.error or ""}
        for entry in entries
    ]
    show_rows(rows, as_json=as_json)


def _show_outcome(outcome: RunOutcome, *, with_report: bool, as_json: bool) -> None:
    if as_json:
        print_json(outcome.as_json())
        return
    # Whoever has just stopped a run waits for the prompt, not for figures.
    if with_report and outcome.summary.signal_number is None and outcome.tables:
        _show_report(outcome.folder)
    cli_run.report_outcome(outcome)


def _show_report(folder: Path) -> None:
    """Writes the reports of a run and prints its main table."""
    from mmea_bench.reports.making.build import build_reports

    with user_errors():
        try:
            summary = build_reports(folder)
        except OSError as error:
            text = spell_disk_error(error)
            if text is None:
                raise
            # How the cells ended matters more than their report.
            echo(f"Warning: there is no report: {text}", err=True)
            return
    _print_tables(summary, only=MAIN_TABLE)
    echo(f"Report: {summary.index}")


def _print_tables(summary: ReportSummary, only: str | None = None) -> None:
    from mmea_bench.reports.making.build import render_terminal

    for document in summary.documents:
        if document.tables and only in (None, document.name):
            render_terminal(document, stdout())


def main() -> None:
    """Entry point of ``mmea-bench`` and ``python -m bench``."""
    # Reports need no backend; a method or report of the user's that imports matplotlib does. A
    # notebook names one of its own here, which may not be installed.
    os.environ["MPLBACKEND"] = "agg"
    app()
