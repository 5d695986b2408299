"""How long the cells of a plan take, judged by short trainings of the same methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmea_bench.bench.planning.cell import Cell, cell_words
from mmea_bench.bench.running.estimate import CellTimes, length_of
from mmea_bench.results.core.record import Record


@dataclass(frozen=True)
class MethodTime:
    """What a pilot says of the cells of one method.

    Attributes:
        method: Catalogue name.
        n_cells: Cells that are to be trained.
        seconds: Of all of them, one after the other; None if the pilot has none of the method.
        memory_mib: Largest memory of a process in the pilot; None if it has none of the method.
        gpu_memory_mib: Largest memory on a GPU in the pilot; 0 without one.
        elsewhere: Datasets of the plan on which the pilot has no cell of the method, so that its
            cells on others, whatever their size, were taken.
    """

    method: str
    n_cells: int
    seconds: float | None
    memory_mib: float | None
    gpu_memory_mib: float
    elsewhere: tuple[str, ...] = ()


def pilot_times(
    cells: Iterable[tuple[Cell, Mapping[str, Any]]], records: Iterable[Record]
) -> list[MethodTime]:
    """Time of each method's cells, scaled from the epochs of a pilot to those that are planned.

    Args:
        cells: What is to be trained, with the method's parameters by name.
        records: Cells of the pilot, of which each method is judged by its own.
    """
    known = CellTimes(record for record in records if record.cell["status"] == "ok")
    by_method: dict[str, list[float | None]] = {}
    elsewhere: dict[str, list[str]] = {}
    for cell, parameters in cells:
        method, dataset = cell.method, cell.dataset
        is_known = known.knows(method)
        expected = known.seconds(cell_words(cell), length_of(cell, parameters))
        by_method.setdefault(method, []).append(expected if is_known else None)
        if is_known and not known.knows(method, dataset):
            elsewhere.setdefault(method, []).append(dataset)
    nothing: tuple[float | None, float] = None, 0.0
    return [
        MethodTime(
            method,
            len(every),
            None if None in every else sum(one for one in every if one is not None),
            *(known.memory_mib(method) or nothing),
            elsewhere=tuple(dict.fromkeys(elsewhere.get(method, ()))),
        )
        for method, every in by_method.items()
    ]
