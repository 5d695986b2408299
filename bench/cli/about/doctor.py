"""The verb ``doctor``: what is installed and found here, and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from mmea_bench.bench.cli.texts import AsJson, CacheDir, DataRoot, print_json, stdout, user_errors
from mmea_bench.bench.running.console import say

if TYPE_CHECKING:
    from mmea_bench.bench.cli.about.checks import Check

EXIT_WRONG = 1
_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def doctor_command(
    data_root: DataRoot = None,
    cache_dir: CacheDir = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """What is installed and found here: packages, extras, devices, memory, folders, data, models.

    Nothing is downloaded or written. Exit code 0: fine, or with notes only; 1: something is wrong,
    and the text says what to do; 2: bad options.
    """
    with user_errors():
        from mmea_bench.bench.cli.about.checks import all_checks
        from mmea_bench.datasets.core.access.catalogue import default_cache_dir, resolve_data_root

        # The option already carries MMEA_DATA; the program reads no environment anywhere else.
        root = resolve_data_root(data_root, {})
        checks = all_checks(
            root, cache_dir or default_cache_dir(), is_root_given=data_root is not None
        )
    wrong = [check for check in checks if check.state == "wrong"]
    if as_json:
        print_json({"ok": not wrong, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks, n_wrong=len(wrong))
    if wrong:
        raise typer.Exit(EXIT_WRONG)


def _print(checks: list[Check], *, n_wrong: int) -> None:
    console = stdout()
    table = Table("", "what", "state", "found")
    topic = ""
    for check in checks:
        if check.topic != topic:
            table.add_section()
        style = _STYLES[check.state]
        state = f"[{style}]{check.state}[/{style}]"
        shown = check.topic if check.topic != topic else ""
        table.add_row(shown, escape(check.name), state, escape(check.text))
        topic = check.topic
    console.print(table)
    n_notes = sum(check.state == "note" for check in checks)
    notes = f" {n_notes} note{'s' * (n_notes != 1)}." if n_notes else ""
    if not n_wrong:
        say(console, f"Nothing is wrong.{notes}")
        return
    many = n_wrong != 1
    say(console, f"{n_wrong} thing{'s are' if many else ' is'} wrong.{notes}")
