"""The verbs of ``measured``: runs join those that ship with the program, and are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmea_bench.bench.cli.checked_values import CheckedValues
from mmea_bench.bench.cli.texts import stderr, stdout, user_errors
from mmea_bench.bench.running.console import echo, say

measured_app = typer.Typer(
    cls=CheckedValues,
    name="measured",
    help="The reference runs that ship with the program: add to them, check them.",
    epilog="Example: mmea-bench measured check",
    no_args_is_help=True,
)
MeasuredFolder = Annotated[
    Path | None,
    typer.Argument(help="Reference runs, or any results folder; default: those that ship."),
]
MANY = 10


@measured_app.command(
    "add",
    epilog="Example: mmea-bench measured add results/runs/seu --machine '2 cores, no GPU'",
)
def add_command(
    runs: Annotated[list[Path], typer.Argument(help="Results folders of runs.")],
    machine: Annotated[str, typer.Option("--machine", help="What they were made on, in words.")],
    to: Annotated[Path | None, typer.Option("--to", help="Default: the folder that ships.")] = None,
) -> None:
    """Adds slim copies of records, then makes the tables of the folder again.

    Curves are thinned to 30 epochs and paths lose their folders. A newer record of the same cell
    replaces the one that is there. All together may weigh 5 MB.
    """
    with user_errors():
        from mmea_bench.reports.making.evidence import write_tables
        from mmea_bench.results.core.measured.folder import MEASURED_FOLDER, add_runs

        folder = to or MEASURED_FOLDER
        added = add_runs(runs, folder, machine)
        written = write_tables(folder)
    for sentence in added.left_out[:MANY]:
        say(stderr(), f"Left out: {sentence}")
    for sentence in added.replaced[:MANY]:
        say(stderr(), f"Replaced: {sentence}")
    if added.n_dirty:
        say(stderr(), f"Warning: {added.n_dirty} records come from code that was not committed.")
    more = max(0, len(added.left_out) - MANY) + max(0, len(added.replaced) - MANY)
    if more:
        say(stderr(), f"And {more} more.")
    say(
        stdout(),
        f"{added.n_added} {'record' if added.n_added == 1 else 'records'} added, "
        f"{len(added.replaced)} replaced, {added.n_equal} were there, "
        f"{len(added.left_out)} left out; {added.n_bytes / 1e6:.2f} MB in {folder}.",
    )
    for path in written:
        echo(str(path))


@measured_app.command("check", epilog="Example: mmea-bench measured check")
def check_command(folder: MeasuredFolder = None) -> None:
    """Says whether the folder's tables are what its records give. Exit code 1: they are not."""
    with user_errors():
        from mmea_bench.reports.making.evidence import outdated_tables
        from mmea_bench.results.core.measured.folder import MEASURED_FOLDER, problems_of

        chosen = folder or MEASURED_FOLDER
        found = problems_of(chosen)
        found += [
            f"{path} is not what the records give. Make it again with `mmea-bench measured add`."
            for path in outdated_tables(chosen)
        ]
    for sentence in found:
        say(stdout(), sentence)
    if found:
        raise typer.Exit(1)
    say(stdout(), f"The tables of {chosen} are what its records give.")
