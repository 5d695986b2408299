"""The verb ``serve``: the report of a results folder in the browser, while its run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmea_bench.bench.cli.texts import user_errors
from mmea_bench.bench.running.console import echo
from mmea_bench.bench.running.run_state import run_state
from mmea_bench.datasets.core.errors import UserError

if TYPE_CHECKING:
    from mmea_bench.reports.making.serve import PageServer

_LARGEST_PORT = 65535


def serve_command(
    folder: Annotated[Path, typer.Argument(help="Results folder of a run, also of one under way.")],
    port: Annotated[
        int, typer.Option("--port", min=0, max=_LARGEST_PORT, help="0 takes any free one.")
    ] = 0,
    open_browser: Annotated[  # noqa: FBT002 - an option without a value
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Shows the report as a web page on this machine, and follows the run. Ctrl-C ends it."""
    with user_errors():
        server = make_server(folder, port)
    echo(f"{folder} is shown at {server.address} (Ctrl-C ends it).")
    if open_browser:
        typer.launch(server.address)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            echo()


def make_server(folder: Path, port: int = 0) -> PageServer:
    """A server for a folder that is there; it listens, and answers once ``serve_forever`` runs.

    Raises:
        UserError: If there is no such folder.
        ResultsError: If the port cannot be had.
    """
    from mmea_bench.reports.core.options import ReportOptions
    from mmea_bench.reports.making.serve import LivePage, PageServer

    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give the results folder of a run.")
    folder = folder.resolve()
    return PageServer(LivePage(folder, ReportOptions(), lambda: _progress(folder)), port)


def _progress(folder: Path) -> dict[str, object]:
    state = run_state(folder)
    since = state.running_since
    return {
        "nEnded": state.n_ended,
        "nPlanned": state.n_planned,
        "running": None if since is None else {"since": f"{since:%Y-%m-%d %H:%M} UTC"},
    }
