"""The verb ``show``: how one cell was configured, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmea_bench.bench.cli.texts import AsJson, print_json, print_table, stdout, user_errors
from mmea_bench.bench.planning.request import RUNS_FOLDER
from mmea_bench.bench.running.console import echo, say

if TYPE_CHECKING:
    from mmea_bench.results.core.record import Record

_FACTS = (
    *("key", "method", "variant", "dataset", "dataset_version", "seed_ratio", "repeat"),
    *("protocol", "status", "reason", "epochs", "best_epoch", "stopped_on", "rng_seed"),
    *("split_seed", "device", "fit_s", "started_at", "suite", "git_commit", "notes"),
)


def show_command(
    key: Annotated[str, typer.Argument(help="Key of a cell, its beginning, or a record's file.")],
    folder: Annotated[
        Path | None,
        typer.Option("--in", help="Results folder; default: all below results/runs."),
    ] = None,
    source: Annotated[  # noqa: FBT002 - an option without a value
        bool, typer.Option("--source", help="Print the method file as it was, nothing else.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Shows the configuration behind a cell: parameters and what set them, rules, code, seeds.

    `mmea-bench run --from-record KEY` repeats the cell.
    """
    with user_errors():
        from mmea_bench.bench.planning.requests.from_record import find_record

        record = find_record(key, folder, RUNS_FOLDER)
    kept = record.configuration
    if source:
        for file in kept.get("method_files", ()):
            echo(file["text"] or f"# {file['name']} was too large to be kept")
        return
    if as_json:
        print_json({"cell": record.cell, "configuration": kept})
        return
    for name, value in _facts(record):
        say(stdout(), f"{name}: {value}")
    if not kept:
        say(stdout(), "The record does not say how the cell was configured.")
        return
    print_table(["parameter", "value", "set by"], list(_parameters(kept)))
    print_table(["rule", "value"], [[key, _text(v)] for key, v in kept["protocol"].items()])


def _facts(record: Record) -> Iterator[tuple[str, object]]:
    cell = record.cell
    yield from ((name, cell[name]) for name in _FACTS if cell[name] is not None)
    versions = json.loads(cell["versions"])
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    for file in record.configuration.get("method_files", ()):
        yield "method file", f"{file['name']}, SHA-256 {file['sha256']}"
    if record.configuration.get("repository"):
        yield "commit of its repository", record.configuration["repository"]


def _parameters(kept: dict[str, Any]) -> Iterator[list[str]]:
    """Each parameter with what set it last."""
    layers = (("override", "overrides"), ("variant", "variant"), ("published", "published"))
    for name, value in kept["parameters"].items():
        by = next((word for word, layer in layers if name in kept[layer]), "default")
        yield [name, _text(value), by]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
