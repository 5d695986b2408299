"""What ``mmea-bench data fetch`` shows: the files that it would get, and how far each one is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from mmea_bench.bench.cli.texts import print_json, stderr, stdout
from mmea_bench.bench.running.console import echo

if TYPE_CHECKING:
    from mmea_bench.datasets.core.access.base import RemoteFile
    from mmea_bench.datasets.core.access.fetch import FetchOutcome


def agreed(files: Sequence[RemoteFile], root: Path, *, as_json: bool) -> bool:
    """Whether the user wants the files, after seeing which; with ``--json`` only the plan."""
    plan = [
        {
            "path": file.path,
            "url": file.url,
            "n_bytes": file.n_bytes,
            "sha256": file.sha256,
            "is_there": (root / file.path).exists(),
        }
        for file in files
    ]
    if as_json:
        print_json({"data_root": str(root), "plan": plan})
        return False
    table = Table("file", "size", "checksum", "from", title=f"Files below {escape(str(root))}")
    for file, row in zip(files, plan, strict=True):
        size = f"{file.n_bytes / 1e6:.1f} MB" if file.n_bytes else "unknown"
        source = "already there, not replaced" if row["is_there"] else file.url or "a browser"
        checksum = "known" if file.sha256 else "recorded on first sight"
        table.add_row(file.path, size, checksum, escape(source))
    stdout().print(table)
    is_agreed = typer.confirm("Download what is not there?")
    if not is_agreed:
        echo("Nothing was downloaded.")
    return is_agreed


def fetched(files: Sequence[RemoteFile], root: Path, *, with_progress: bool) -> list[FetchOutcome]:
    """What became of each file; a bar for each where progress is wanted."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from mmea_bench.datasets.core.access.fetch import fetch_files

    if not with_progress:
        return fetch_files(files, root)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=stderr()) as bars:
        tasks = {file.path: bars.add_task(file.path, total=None, visible=False) for file in files}

        def show(path: str, n_done: int, total: int) -> None:
            bars.update(tasks[path], completed=n_done, total=total or None, visible=True)

        return fetch_files(files, root, progress=show)
