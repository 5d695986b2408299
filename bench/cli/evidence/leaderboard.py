"""The verb ``leaderboard``: who is best where, from the reference runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmea_bench.bench.cli.evidence.fidelity import spelled_command
from mmea_bench.bench.cli.evidence.measured import MeasuredFolder
from mmea_bench.bench.cli.texts import stdout, user_errors
from mmea_bench.bench.running.console import echo
from mmea_bench.datasets.core.errors import UserError


def leaderboard_command(
    folder: MeasuredFolder = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Markdown file to write, such as a page.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="HTML file to write.")] = None,
    readme: Annotated[
        Path | None,
        typer.Option("--readme", help="Page that shows the first lines between its two marks."),
    ] = None,
) -> None:
    """Ranks methods on each dataset and seed ratio, apart by what they were given."""
    with user_errors():
        from mmea_bench.reports.core.evidence.leaderboard import leaderboard
        from mmea_bench.reports.formats.markdown import render_markdown
        from mmea_bench.reports.formats.terminal import render_terminal
        from mmea_bench.reports.making.evidence import (
            render_small_page,
            rewritten,
            with_first_lines,
        )
        from mmea_bench.results.core.measured.folder import MEASURED_FOLDER
        from mmea_bench.results.core.store import read_tables

        chosen = folder or MEASURED_FOLDER
        command = spelled_command("leaderboard", folder, "--write docs/leaderboard.md")
        document = leaderboard(read_tables(chosen), command)
        pages: dict[Path, str] = {}
        if write is not None:
            pages[write] = render_markdown(document)
        if html is not None:
            pages[html] = render_small_page(document)
        if readme is not None:
            pages[readme] = with_first_lines(_text_of(readme), chosen, "docs/leaderboard.md")
        for path, text in pages.items():
            rewritten(path, text)
    if not pages:
        render_terminal(document, stdout())
    for path in pages:
        echo(str(path))


def _text_of(path: Path) -> str:
    from mmea_bench.results.core.disk.files import read_regular

    try:
        return read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a page ({error}).") from error
