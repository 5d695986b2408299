"""Where each reference run came from: command, commit, data, machine and time."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.published_files import (
    Parser,
    any_text,
    check_unique,
    filled_text,
    read_csv_lines,
)
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.safe_text import guarded, unguarded

FILE_NAME = "provenance.csv"


@dataclass(frozen=True)
class Provenance:
    """One reference run; every field is a column of ``provenance.csv``.

    Attributes:
        key: Key of its record.
        command: Command that runs it, up to its repeat.
        commit: Commit of the program.
        dataset_version: Content hash of the dataset.
        machine: Processor, memory and graphics card, in words.
        finished_at: ISO 8601, UTC.
        seconds: Wall time of training and scoring.
    """

    key: str
    command: str
    commit: str
    dataset_version: str
    machine: str
    finished_at: str
    seconds: str


def provenance_of(record: Record, machine: str) -> Provenance:
    """What ``provenance.csv`` says of a record."""
    cell = record.cell
    seconds = [cell[name] for name in ("fit_s", "eval_s") if cell[name] is not None]
    return Provenance(
        record.key,
        command_of(cell),
        str(cell["git_commit"] or ""),
        str(cell["dataset_version"] or ""),
        machine,
        str(cell["finished_at"] or ""),
        f"{sum(seconds):.1f}" if seconds else "",
    )


def command_of(cell: Mapping[str, Any]) -> str:
    """The command that runs a cell, with the repeats before it; ``DATA`` is the user's folder."""
    variant = str(cell["variant"]).partition("[")[0]
    words = ["mmea-bench", "run", "--methods", str(cell["method"])]
    if variant != "full":
        words += ["--variants", variant]
    for name, value in sorted(json.loads(cell["overrides"]).items()):
        words += ["--set", f"{name}={_toml(value)}"]
    words += ["--datasets", str(cell["dataset"]), "--seed-ratios", f"{cell['seed_ratio']:g}"]
    words += ["--repeats", str(cell["repeat"]), "--protocol", str(cell["protocol"])]
    if cell["split"]:
        words += ["--split", str(cell["split"])]
    return shlex.join([*words, "--data-root", "DATA"])


def read_provenance(folder: Path) -> dict[str, Provenance]:
    """Key to what is said of its record; empty where the folder has no such file.

    Raises:
        ResultsError: If the file holds something else.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return {}
    parsers: dict[str, Parser] = {each.name: any_text for each in fields(Provenance)}
    parsers |= dict.fromkeys(("key", "command", "machine"), filled_text)
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["key"])
    for line in lines:
        for name, parse in parsers.items():
            try:
                parse(line.texts[name])
            except ValueError as error:
                raise line.error(name, str(error)) from None
    rows = [{name: unguarded(text) for name, text in line.texts.items()} for line in lines]
    return {row["key"]: Provenance(**row) for row in rows}


def write_provenance(folder: Path, rows: Iterable[Provenance]) -> Path:
    """Writes ``provenance.csv``, sorted by key."""
    buffer = io.StringIO()
    names = [each.name for each in fields(Provenance)]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: row.key):
        writer.writerow({name: guarded(text) for name, text in asdict(row).items()})
    path = folder / FILE_NAME
    write_atomic(path, buffer.getvalue().encode("utf-8"))
    return path


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
