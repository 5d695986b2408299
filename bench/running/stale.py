"""Records that a run replaces: same cell, but made by other code, data or rules."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.results.core.disk.files import make_folder
from mmea_bench.results.core.store import ResultStore

SUPERSEDED_FOLDER = "superseded"

Identity = tuple[Any, ...]


def stale_keys(
    store: ResultStore, cells: Sequence[tuple[str, Cell]], without_data: Container[str] = ()
) -> list[str]:
    """Keys of records of these cells that were made under another key, sorted.

    Such a record would stand beside the new one in every table and count as one more repeat.

    Args:
        store: The records.
        cells: Every cell of the plan with its key.
        without_data: Datasets that are not there now. Their cells give no numbers, and a disk that
            is not mounted must not take those away that they gave before.
    """
    current = {key for key, _cell in cells}
    planned = {_identity_of_cell(cell) for _key, cell in cells if cell.dataset not in without_data}
    return sorted(
        record.key
        for record in store.records()
        if record.key not in current and _identity_of_row(record.cell) in planned
    )


def planned_identities(cells: Sequence[tuple[str, Cell]]) -> dict[str, str]:
    """Each cell's identity as text, to its key: what another run of the folder must not replace."""
    return {json.dumps(_identity_of_cell(cell)): key for key, cell in cells}


def n_replaced(ours: Mapping[str, str], theirs: Mapping[str, str]) -> int:
    """Cells of another run that ours would replace: the same identities under other keys."""
    return sum(1 for identity, key in ours.items() if theirs.get(identity, key) != key)


def set_aside(store: ResultStore, keys: Iterable[str]) -> Path:
    """Moves records out of the tables; nothing is deleted.

    Returns:
        The folder that holds them now.
    """
    folder = store.folder / SUPERSEDED_FOLDER
    make_folder(folder)
    for key in keys:
        path = store.path_of(key)
        with suppress(FileNotFoundError):  # another runner of the folder was faster
            path.replace(folder / path.name)
    return folder


def _identity_of_cell(cell: Cell) -> Identity:
    ratio_and_repeat = (cell.seed_ratio, cell.repeat)
    rules = (cell.protocol.name, cell.split)
    return (cell.method, cell.label, cell.dataset, *ratio_and_repeat, *rules)


def _identity_of_row(row: dict[str, Any]) -> Identity:
    columns = ("method", "variant", "dataset", "seed_ratio", "repeat", "protocol")
    return (*(row[column] for column in columns), row["split"] or "random")
