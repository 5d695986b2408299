"""How long cells take, judged by the ones that have ended."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from mmea_bench.bench.planning.cell import Cell
from mmea_bench.results.core.record import Record


class Estimator:
    """Mean seconds per cell: of the same method and dataset, else of the method, else of all."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = {}
        self._memory: dict[tuple[str, ...], float] = {}
        self._gpu_memory: dict[tuple[str, ...], float] = {}

    def learn(self, method: str, dataset: str, seconds: float) -> None:
        """Adds the time of one cell that has ended."""
        for group in ((method, dataset), (method,), ()):
            self._seconds.setdefault(group, []).append(seconds)

    def learn_records(self, records: Iterable[Record]) -> None:
        """Adds the times of earlier records that ended ok, and the memory of all."""
        for record in records:
            cell = record.cell
            if cell["status"] == "ok" and cell["fit_s"] is not None:
                seconds = cell["fit_s"] + (cell["eval_s"] or 0.0)
                self.learn(cell["method"], cell["dataset"], seconds)
            place = (cell["method"], cell["dataset"])
            for known, column in (
                (self._memory, "peak_memory_mib"),
                (self._gpu_memory, "peak_gpu_memory_mib"),
            ):
                known[place] = max(known.get(place, 0.0), cell[column] or 0.0)

    def memory_mib(self, cell: Cell) -> float:
        """Largest memory of the same method on the same dataset so far; 0 if not measured."""
        return self._memory.get((cell.method, cell.dataset), 0.0)

    def gpu_memory_mib(self, cell: Cell) -> float:
        """As ``memory_mib``, for the memory of a GPU."""
        return self._gpu_memory.get((cell.method, cell.dataset), 0.0)

    def seconds_of(self, method: str, dataset: str) -> float | None:
        """Expected time of one cell; None where nothing is known."""
        for group in ((method, dataset), (method,), ()):
            if group in self._seconds:
                return fmean(self._seconds[group])
        return None

    def knows(self, cell: Cell) -> bool:
        """Whether a cell of the same method has ended."""
        return (cell.method,) in self._seconds

    def seconds(self, cells: Iterable[Cell]) -> float | None:
        """Expected time for these cells, one after the other; None where nothing is known."""
        if not self._seconds:
            return None
        return sum(self.seconds_of(cell.method, cell.dataset) or 0.0 for cell in cells)


def spell_duration(seconds: float) -> str:
    """Text such as ``45 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
