"""How long the cells of a plan take, judged by short trainings of the same methods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.results.core.record import Record

Group = tuple[object, ...]


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


@dataclass(frozen=True)
class _Time:
    """Seconds of training and scoring, epochs that were asked for and that ran, curve points."""

    fit_s: float
    eval_s: float
    epochs: float | None
    ran: float | None = None
    epoch_s: float | None = None
    n_points: int = 0

    def at(self, epochs: object, every: object = None) -> float:
        """Seconds of a training with other ``epochs``, whose epochs take as long.

        What precedes the first epoch is counted once, if the record tells it apart. A pilot that
        stopped early tells which share of what is asked for runs. Points of the learning curve,
        one ``every`` so many epochs, take as long as the scoring at the end.
        """
        if not self.epochs or not isinstance(epochs, int | float):
            return self.fit_s + self.eval_s
        # Some methods count the epochs of a first stage, too, for which nothing was asked.
        ran = min(self.ran or self.epochs, self.epochs)
        epoch_s = self.fit_s / ran if self.epoch_s is None else self.epoch_s
        set_up = max(0.0, self.fit_s - epoch_s * ran)
        will_run = epochs * ran / self.epochs
        return set_up + epoch_s * will_run + self._scoring(will_run, every)

    def _scoring(self, will_run: float, every: object) -> float:
        if not self.n_points or not isinstance(every, int) or every < 1:
            return self.eval_s
        n_points = max(1, math.ceil(will_run / every))
        return self.eval_s * (n_points + 1) / (self.n_points + 1)


def pilot_times(
    cells: Iterable[tuple[Cell, Mapping[str, Any]]], records: Iterable[Record]
) -> list[MethodTime]:
    """Time of each method's cells, scaled from the epochs of a pilot to those that are planned.

    A cell takes what the most similar cells of the pilot took: of the same method, variant, dataset
    and seed ratio, or of as many of these as there are, the method always.

    Args:
        cells: What is to be trained, with the method's parameters by name.
        records: Cells of the pilot; those that did not end well are passed over.
    """
    known, memory = _known(records)
    by_method: dict[str, list[float | None]] = {}
    elsewhere: dict[str, list[str]] = {}
    for cell, parameters in cells:
        group = next((group for group in _groups_of(cell) if group in known), None)
        every = cell.protocol.eval_every or parameters.get("eval_every")
        times = [] if group is None else known[group]
        expected = [time.at(parameters.get("epochs"), every) for time in times]
        by_method.setdefault(cell.method, []).append(fmean(expected) if expected else None)
        if group == (cell.method,):
            elsewhere.setdefault(cell.method, []).append(cell.dataset)
    nothing: tuple[float | None, float] = None, 0.0
    return [
        MethodTime(
            method,
            len(every),
            None if None in every else sum(one for one in every if one is not None),
            *memory.get(method, nothing),
            elsewhere=tuple(dict.fromkeys(elsewhere.get(method, ()))),
        )
        for method, every in by_method.items()
    ]


def _known(
    records: Iterable[Record],
) -> tuple[dict[Group, list[_Time]], dict[str, tuple[float, float]]]:
    """Times by group, and the largest memories by method."""
    times: dict[Group, list[_Time]] = {}
    memory: dict[str, tuple[float, float]] = {}
    for record in records:
        cell = record.cell
        if cell["status"] != "ok" or cell["fit_s"] is None:
            continue
        epochs = record.configuration.get("parameters", {}).get("epochs")
        lengths = epochs, cell["epochs"], cell["epoch_s"]
        n_points = len({point["epoch"] for point in record.curves})
        time = _Time(cell["fit_s"], cell["eval_s"] or 0.0, *lengths, n_points)
        base = str(cell["variant"]).partition("[")[0]
        for group in _groups(cell["method"], base, cell["dataset"], cell["seed_ratio"]):
            times.setdefault(group, []).append(time)
        own = memory.get(cell["method"], (0.0, 0.0))
        memory[cell["method"]] = (
            max(own[0], cell["peak_memory_mib"] or 0.0),
            max(own[1], cell["peak_gpu_memory_mib"] or 0.0),
        )
    return times, memory


def _groups_of(cell: Cell) -> list[Group]:
    return _groups(cell.method, cell.variant, cell.dataset, cell.seed_ratio)


def _groups(method: str, variant: str, dataset: str, seed_ratio: float) -> list[Group]:
    """From the most alike to the least."""
    return [
        (method, variant, dataset, seed_ratio),
        (method, variant, dataset),
        (method, dataset),
        (method,),
    ]
