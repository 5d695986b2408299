"""How long cells take, judged by the ones that have ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.bench.planning.job import Length
from mmea_bench.results.core.record import Record

Group = tuple[object, ...]
"""What cells have in common: method, variant, dataset and seed ratio, or fewer of them."""


@dataclass(frozen=True)
class _Time:
    """Seconds of training and scoring, epochs that were asked for and that ran, curve points."""

    fit_s: float
    eval_s: float
    epochs: float | None
    ran: float | None
    epoch_s: float | None
    n_points: int

    @classmethod
    def of(cls, record: Record) -> _Time:
        cell = record.cell
        parameters = record.configuration.get("parameters")
        epochs = _number(parameters.get("epochs")) if isinstance(parameters, dict) else None
        n_points = len({point["epoch"] for point in record.curves})
        scored = cell["eval_s"] or 0.0
        return cls(cell["fit_s"], scored, epochs, cell["epochs"], cell["epoch_s"], n_points)

    def at(self, length: Length) -> float:
        """Seconds of a training of another length, whose epochs take as long.

        What precedes the first epoch is counted once, if the record tells it apart. A training that
        stopped early tells which share of what is asked for runs. Points of the learning curve take
        as long as the scoring at the end.
        """
        if not self.epochs or length.epochs is None:
            return self.fit_s + self.eval_s
        # Some methods count the epochs of a first stage, too, for which nothing was asked.
        ran = min(self.ran or self.epochs, self.epochs)
        epoch_s = self.fit_s / ran if self.epoch_s is None else self.epoch_s
        set_up = max(0.0, self.fit_s - epoch_s * ran)
        will_run = length.epochs * ran / self.epochs
        return set_up + epoch_s * will_run + self._scoring(will_run, length.eval_every)

    def _scoring(self, will_run: float, every: int) -> float:
        if not self.n_points or every < 1:
            return self.eval_s
        n_points = max(1, math.ceil(will_run / every))
        return self.eval_s * (n_points + 1) / (self.n_points + 1)


class CellTimes:
    """What cells took that have ended well, and what others will take.

    A cell takes what the most similar ones took: of the same method, variant, dataset and seed
    ratio, or of as many of these as there are.

    Args:
        records: Cells that have ended; those that did not end well tell their memory alone.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._times: dict[Group, list[_Time]] = {}
        self._memory: dict[Group, tuple[float, float]] = {}
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Adds a cell that has ended."""
        cell = record.cell
        method, dataset = cell["method"], cell["dataset"]
        found = cell["peak_memory_mib"] or 0.0, cell["peak_gpu_memory_mib"] or 0.0
        for place in ((method, dataset), (method,)):
            main, gpu = self._memory.get(place, (0.0, 0.0))
            self._memory[place] = max(main, found[0]), max(gpu, found[1])
        if cell["status"] == "ok" and cell["fit_s"] is not None:
            for group in (*_groups_of(cell), ()):
                self._times.setdefault(group, []).append(_Time.of(record))

    @property
    def knows_any(self) -> bool:
        """Whether any cell has ended well."""
        return bool(self._times)

    def memory_mib(self, method: str, dataset: str | None = None) -> tuple[float, float] | None:
        """Largest memory of a process and on a GPU so far, on a dataset or on any; None if unknown.

        Args:
            method: Catalogue name.
            dataset: Canonical address.
        """
        return self._memory.get((method,) if dataset is None else (method, dataset))

    def knows(self, method: str, dataset: str | None = None) -> bool:
        """Whether a cell of the method has ended well, on a dataset or on any."""
        return ((method,) if dataset is None else (method, dataset)) in self._times

    def seconds(self, words: Mapping[str, Any], length: Length | None = None) -> float | None:
        """Expected seconds of one cell; of all methods together where its own is unknown.

        Args:
            words: The cell as ``cell_words`` tells it.
            length: Of its training; None takes those that have ended as they are.

        Returns:
            None where no cell has ended.
        """
        for group in (*_groups_of(words), ()):
            if group in self._times:
                return fmean(time.at(length or Length()) for time in self._times[group])
        return None


def length_of(cell: Cell, parameters: Mapping[str, Any]) -> Length:
    """How long a cell trains, and how often it is scored.

    Args:
        cell: What is trained.
        parameters: Of the method, by name.
    """
    epochs, every = parameters.get("epochs"), parameters.get("eval_every")
    every = cell.protocol.eval_every or every
    return Length(_number(epochs), every if isinstance(every, int) else 0)


def _number(value: object) -> float | None:
    """What is a number, and nothing for what is none."""
    return value if isinstance(value, int | float) else None


def _groups_of(words: Mapping[str, Any]) -> list[Group]:
    """From the most alike to the least."""
    # A plan that was read from a folder may hold anything.
    method, variant, dataset, ratio = (
        str(words.get(name)) for name in ("method", "variant", "dataset", "seed_ratio")
    )
    variant = variant.partition("[")[0]
    return [
        (method, variant, dataset, ratio),
        (method, variant, dataset),
        (method, dataset),
        (method,),
    ]


def spell_duration(seconds: float) -> str:
    """Text such as ``45 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
