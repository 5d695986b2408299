"""The folder of reference runs: how runs join it, and what it may weigh."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.measured.provenance import (
    provenance_of,
    read_provenance,
    write_provenance,
)
from mmea_bench.results.core.measured.slim import slim
from mmea_bench.results.core.record import Record, telling_settings
from mmea_bench.results.core.store import ResultStore

MEASURED_FOLDER = Path(__file__).resolve().parents[2] / "measured"
"""The reference runs that ship with the program."""
MOST_BYTES = 5 * 10**6
"""Of all records together; whoever installs the program downloads them."""

_IDENTITY = ("method", "variant", "dataset", "seed_ratio", "repeat", "protocol", "split")


@dataclass
class Added:
    """What joining runs to the folder did.

    Attributes:
        n_added: Records that are new.
        n_equal: Records that were there already.
        replaced: Sentences about records that gave way to a newer one of the same cell.
        left_out: Sentences about records that were not taken.
        n_bytes: Size of all records now.
        n_dirty: Records now that were made with uncommitted changes of the program.
    """

    n_added: int = 0
    n_equal: int = 0
    replaced: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    n_bytes: int = 0
    n_dirty: int = 0


def add_runs(
    folders: Sequence[Path], to: Path, machine: str, most_bytes: int = MOST_BYTES
) -> Added:
    """Adds slim copies of the records of some runs to the folder of reference runs.

    A record of the same cell (method, variant, dataset, seed ratio, repeat, protocol with its
    settings, split) replaces the one that is there, unless it failed and that one did not. One
    that was scored among other candidates, or stopped by another rule, stands beside it. A failed
    repeat is taken: it counts against its cell. A skipped one says nothing and is left out.

    Args:
        folders: Results folders of runs; they stay as they are.
        to: Folder of reference runs.
        machine: What the runs were made on, in words, without names of hosts or folders.
        most_bytes: What all records may have together.

    Raises:
        ResultsError: If a folder has no records, a record cannot ship, or all together weigh more
            than ``most_bytes``; nothing is written then.
    """
    if not machine.strip() or not machine.isprintable() or "/" in machine:
        raise ResultsError(
            "Say in words what the runs were made on, such as '2 cores of a server, no GPU'."
        )
    store, added = ResultStore(to), Added()
    kept = {_identity(record): record for record in store.records()}
    before = {record.key: record for record in kept.values()}
    for record in _offered(folders, added):
        there = kept.get(_identity(record))
        if there is not None and not _wins(record, there, added):
            continue
        kept[_identity(record)] = record
    texts = {record.key: record.to_json() for record in kept.values()}
    added.n_bytes = sum(len(text.encode("utf-8")) for text in texts.values())
    if added.n_bytes > most_bytes:
        raise ResultsError(
            f"All records together would have {added.n_bytes / 1e6:.1f} MB, more than "
            f"{most_bytes / 1e6:.1f} MB. Leave runs out, or remove records from {to}."
        )
    added.n_dirty = sum(str(r.cell["git_commit"]).endswith("-dirty") for r in kept.values())
    provenance = read_provenance(to)
    for record in kept.values():
        if before.get(record.key) != record:
            store.write(record)
            added.n_added += record.key not in before
            provenance[record.key] = provenance_of(record, machine.strip())
    for key in before.keys() - texts.keys():
        store.path_of(key).unlink(missing_ok=True)
    write_provenance(to, (row for key, row in provenance.items() if key in texts))
    return added


def problems_of(folder: Path) -> list[str]:
    """What is wrong with a folder of reference runs, one sentence each; empty for nothing."""
    store = ResultStore(folder)
    records = list(store.records())
    said = read_provenance(folder)
    found = list(store.problems)
    found += [f"{folder}: no line of provenance for {r.key}." for r in records if r.key not in said]
    extra = sorted(said.keys() - {record.key for record in records})
    found += [f"{folder}: provenance of {key}, which has no record." for key in extra]
    found += [
        f"{folder}: {record.key} is not slim. Add its run again."
        for record in records
        if slim(record) != record
    ]
    n_bytes = sum(store.path_of(record.key).stat().st_size for record in records)
    if n_bytes > MOST_BYTES:
        found.append(f"{folder}: {n_bytes / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.1f} MB.")
    return found


def _offered(folders: Sequence[Path], added: Added) -> Iterator[Record]:
    for folder in folders:
        store = ResultStore(folder)
        records = list(store.records())
        if not records:
            raise ResultsError(
                f"{folder} holds no records (cells/*.json). Give the results folder of a run."
            )
        added.left_out += store.problems
        for record in records:
            if record.cell["status"] == "skipped":
                added.left_out.append(f"{_spell(record)}: skipped, {record.cell['reason']}")
            else:
                yield slim(record)


def _wins(record: Record, there: Record, added: Added) -> bool:
    """Whether a record takes the place of one of the same cell."""
    if record == there:
        added.n_equal += 1
        return False
    is_worse = record.cell["status"] != "ok" and there.cell["status"] == "ok"
    if is_worse or _when(record) < _when(there):
        why = "failed" if is_worse else "older than the one that is there"
        added.left_out.append(f"{_spell(record)}: {why}")
        return False
    added.replaced.append(f"{_spell(there)}: {there.key} by {record.key}")
    return True


def _identity(record: Record) -> tuple[Any, ...]:
    settings = telling_settings(record.cell["protocol_settings"])
    return (*(record.cell[name] for name in _IDENTITY), json.dumps(settings, sort_keys=True))


def _when(record: Record) -> str:
    return str(record.cell["finished_at"] or "")


def _spell(record: Record) -> str:
    cell = record.cell
    return (
        f"{cell['method']} ({cell['variant']}) on {cell['dataset']}, ratio "
        f"{cell['seed_ratio']:g}, repeat {cell['repeat']}, {cell['protocol']}"
    )
