"""Joins the records of several results folders into one, and says where they disagree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from mmea_bench.results.core.disk.files import write_atomic
from mmea_bench.results.core.errors import ResultsError
from mmea_bench.results.core.plans.plan_file import NAMES_FILE, names_content
from mmea_bench.results.core.record import Record
from mmea_bench.results.core.schema import NO_DECODER, SCORING_COLUMNS
from mmea_bench.results.core.store import ResultStore, read_record

CONFLICTS_FOLDER = "conflicts"

_IDENTITY = (*(column.name for column in SCORING_COLUMNS), "metric", "direction")

Numbers = dict[tuple[str, ...], float]
"""What tells numbers of a cell apart (``_IDENTITY``) to the number."""


@dataclass(frozen=True)
class Conflict:
    """Two records of one cell with different numbers.

    Attributes:
        key: Key of the cell.
        what: The cell in words.
        kept: Folder of the record that counts.
        set_aside: Folder of the other one.
        difference: Where they differ, in words.
    """

    key: str
    what: str
    kept: Path
    set_aside: Path
    difference: str


@dataclass
class Merge:
    """What joining folders did.

    Attributes:
        n_records: Records in the joined folder.
        n_equal: Records that were there already with the same numbers.
        replaced: Sentences about records that did not end ok and gave way to one that did.
        conflicts: Cells with different numbers.
        problems: Sentences about files that are no records.
        twins: Sentences about equal files under several addresses, whose splits differ.
    """

    n_records: int = 0
    n_equal: int = 0
    replaced: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)


def merge_folders(folders: Sequence[Path], out: Path) -> Merge:
    """Copies all records and printed names into one folder; those given stay as they are.

    Of two records of one cell the one that ended ok counts, then the first given. A record with
    other numbers is never dropped: it is kept beside, below ``conflicts/``. Joining again changes
    nothing.

    Args:
        folders: Results folders.
        out: New folder, or one that holds an earlier joint.

    Raises:
        ResultsError: If a folder holds no records, ``out`` is one of the folders, or it holds
            records of a newer version of the program.
    """
    _check(folders, out)
    store = ResultStore(out)
    merge = Merge(problems=store.quarantine())
    chosen: dict[str, tuple[Path, Record]] = {}
    aside: list[Record] = []
    sources = [*([out] if (out / "cells").is_dir() else []), *folders]
    for folder, record in _records(sources, merge):
        before = chosen.get(record.key)
        if before is None:
            chosen[record.key] = (folder, record)
            continue
        winner, loser = _ranked(before, (folder, record))
        chosen[record.key] = winner
        if _numbers(winner[1]) == _numbers(loser[1]) and _same_ending(winner[1], loser[1]):
            merge.n_equal += 1
        elif loser[1].cell["status"] != "ok":
            merge.replaced.append(_spell_replaced(winner, loser))
        else:
            merge.conflicts.append(_conflict(winner, loser))
            aside.append(loser[1])
    for _folder, record in chosen.values():
        store.write(record)
    for place, record in enumerate(aside, 1):
        _set_aside(out / CONFLICTS_FOLDER, place, record)
    merge.n_records = len(chosen)
    store.write_tables()
    _write_names(sources, out)
    merge.twins = _twins(record for _folder, record in chosen.values())
    return merge


def _set_aside(folder: Path, place: int, record: Record) -> None:
    """Keeps a record that does not count, beside those that earlier joints have set aside.

    These may lie in none of the folders that are given now: no other record gives way to this one.
    """
    before = (ResultStore(each).record(record.key) for each in folder.glob("*"))
    if any(each is not None and _numbers(each) == _numbers(record) for each in before):
        return
    stores = (ResultStore(folder / str(number)) for number in count(place))
    next(each for each in stores if not each.path_of(record.key).exists()).write(record)


def _write_names(folders: Sequence[Path], out: Path) -> None:
    """Brings the printed names of all folders along; of two for one id the first given counts."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for kind, names in names_content(folder).items():
            if isinstance(names, dict):
                found[kind] = {**names, **found.get(kind, {})}
    if found:
        write_atomic(out / NAMES_FILE, json.dumps(found, indent=1).encode("utf-8"))


def _twins(records: Iterable[Record]) -> list[str]:
    """Sentences about addresses that stand for the same files."""
    addresses: dict[str, set[str]] = {}
    for record in records:
        addresses.setdefault(record.cell["dataset_version"] or "", set()).add(
            record.cell["dataset"]
        )
    return [
        f"{' and '.join(sorted(found))} are the same files (version {version}) under "
        f"{len(found)} addresses. A random split depends on the address, so their numbers are on "
        "different splits and stand apart; run them under one address to compare them."
        for version, found in sorted(addresses.items())
        if version and len(found) > 1
    ]


def _check(folders: Sequence[Path], out: Path) -> None:
    for folder in folders:
        if not any((folder / "cells").glob("*.json")):
            raise ResultsError(
                f"{folder} holds no records (cells/*.json). Give the results folders of runs."
            )
        if folder.resolve() == out.resolve():
            raise ResultsError(f"{out} is one of the folders to join. Give another one with --out.")


def _records(folders: Iterable[Path], merge: Merge) -> Iterable[tuple[Path, Record]]:
    """Every valid record; the folders belong to somebody else, so nothing is moved in them."""
    for folder in folders:
        for path in sorted((folder / "cells").glob("*.json")):
            try:
                record = read_record(path)
            except OSError as error:
                merge.problems.append(f"{path} is left out: {error.strerror}.")
            except ResultsError as error:
                merge.problems.append(f"{path} is left out: {error}")
            else:
                yield folder, record


def _ranked(
    first: tuple[Path, Record], second: tuple[Path, Record]
) -> tuple[tuple[Path, Record], tuple[Path, Record]]:
    """The record that counts, and the other one."""
    second_wins = second[1].cell["status"] == "ok" != first[1].cell["status"]
    return (second, first) if second_wins else (first, second)


def _numbers(record: Record) -> Numbers:
    return {
        tuple("" if row[name] is None else str(row[name]) for name in _IDENTITY): row["value"]
        for row in record.results
    }


def _same_ending(first: Record, second: Record) -> bool:
    return bool(first.cell["status"] == second.cell["status"])


def _spell(record: Record) -> str:
    cell = record.cell
    return (
        f"{cell['method']} ({cell['variant']}) on {cell['dataset']}, ratio "
        f"{cell['seed_ratio']:g}, repeat {cell['repeat']}"
    )


def _spell_replaced(winner: tuple[Path, Record], loser: tuple[Path, Record]) -> str:
    return (
        f"{_spell(loser[1])}: {loser[1].cell['status']} in {loser[0]}, "
        f"{winner[1].cell['status']} in {winner[0]}, which counts."
    )


def _conflict(winner: tuple[Path, Record], loser: tuple[Path, Record]) -> Conflict:
    kept, other = _numbers(winner[1]), _numbers(loser[1])
    differing = sorted(row for row in kept.keys() | other.keys() if kept.get(row) != other.get(row))
    *scoring, metric, direction = differing[0]
    said = zip(_IDENTITY, scoring, strict=False)
    rules = " ".join(f"{name}={word}" for name, word in said if word not in ("", NO_DECODER))
    values = [
        "nothing" if numbers.get(differing[0]) is None else f"{numbers[differing[0]]:.6g}"
        for numbers in (kept, other)
    ]
    words = (
        f"{len(differing)} of {len(kept.keys() | other.keys())} numbers differ; {metric} "
        f"({direction}, {rules}): {values[0]} kept, {values[1]} set aside"
    )
    return Conflict(winner[1].key, _spell(winner[1]), winner[0], loser[0], words)
