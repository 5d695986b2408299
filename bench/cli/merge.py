"""The verb ``merge``: several results folders into one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from mmea_bench.bench.cli.texts import AsJson, print_json, stderr, stdout, user_errors
from mmea_bench.bench.running.console import say

EXIT_CONFLICTS = 1


def merge_command(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of runs.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for all of them.")],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Joins results folders; the folders themselves stay as they are.

    Equal cells count once. Where numbers of one cell differ, the first counts, the other one is
    kept below conflicts/, and the exit code is 1.
    """
    with user_errors():
        from mmea_bench.results.core.merge import merge_folders

        merge = merge_folders(folders, out)
    if as_json:
        print_json({"out": str(out), **dataclasses.asdict(merge)})
    else:
        say(
            stdout(),
            f"{merge.n_records} cells in {out}; {merge.n_equal} were in several folders with the "
            "same numbers.",
        )
        lines = [f"Note: {sentence}" for sentence in (*merge.replaced, *merge.twins)]
        lines += [f"Warning: {sentence}" for sentence in merge.problems]
        lines += [
            f"Conflict: {found.what}: {found.difference} ({found.kept} against {found.set_aside})."
            for found in merge.conflicts
        ]
        for line in lines:
            say(stderr(), line)
    raise typer.Exit(EXIT_CONFLICTS if merge.conflicts else 0)
