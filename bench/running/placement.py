"""Which cells may run side by side: memory, GPUs and processor cores are shared, not overbooked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import psutil

from mmea_bench.bench.planning.cell import cell_words
from mmea_bench.bench.planning.job import Job, Length
from mmea_bench.bench.running.estimate import CellTimes

CellsPerGpu = int | Literal["auto"]
_MIB = 2.0**20
_SHARE = 0.9
"""Of the free memory; the rest is for what nobody has measured."""

_DEFAULT_CELLS_PER_GPU = 1


@dataclass(frozen=True)
class Machine:
    """What cells share.

    Attributes:
        memory_mib: Memory that cells may use together.
        gpu_memory_mib: Memory of each GPU that cells may use; empty for none.
    """

    memory_mib: float
    gpu_memory_mib: tuple[float, ...] = ()

    @classmethod
    def this(cls, device: str) -> Machine:
        """This machine; its GPUs only where the device asked for may be one."""
        import torch

        gpus: tuple[float, ...] = ()
        if device != "cpu" and torch.cuda.is_available():
            gpus = tuple(
                torch.cuda.get_device_properties(index).total_memory / _MIB * _SHARE
                for index in range(torch.cuda.device_count())
            )
        return cls(psutil.virtual_memory().available / _MIB * _SHARE, gpus)


@dataclass
class Gate:
    """Lets a cell start once there is room for it.

    A cell that has never been measured counts as nothing, and a cell that is larger than the
    machine may run alone: it is better tried than never run.

    Attributes:
        machine: What is shared.
        cells_per_gpu: Cells on one GPU at a time; ``auto`` packs by the measured memory.
    """

    machine: Machine
    cells_per_gpu: CellsPerGpu = _DEFAULT_CELLS_PER_GPU
    _running: dict[str, tuple[Job, int | None]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _is_open: bool = False

    @contextmanager
    def room(self, job: Job) -> Iterator[Job]:
        """Waits for room; the job inside names its GPU."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_open or self._fits(job))
            gpu = self._gpu_for(job)
            self._running[job.key] = (job, gpu)
        try:
            yield job if gpu is None else replace(job, gpu=gpu)
        finally:
            with self._changed:
                del self._running[job.key]
                self._changed.notify_all()

    def open(self) -> None:
        """Lets everybody in, because the run ends."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def _fits(self, job: Job) -> bool:
        if not self._running:
            return True
        used = sum(other.memory_mib for other, _ in self._running.values())
        if used + job.memory_mib > self.machine.memory_mib:
            return False
        return not self.machine.gpu_memory_mib or self._gpu_for(job) is not None

    def _gpu_for(self, job: Job) -> int | None:
        """The GPU with the fewest cells that still has room; None if none has."""
        number = job.device.partition(":")[2]  # of cuda:1
        wanted = [
            gpu for gpu in range(len(self.machine.gpu_memory_mib)) if number in ("", str(gpu))
        ]
        free = [gpu for gpu in wanted if self._has_room(gpu, job)]
        return min(free, key=lambda gpu: (len(self._on(gpu)), gpu), default=None)

    def _has_room(self, gpu: int, job: Job) -> bool:
        there = self._on(gpu)
        if not there:
            return True
        if self.cells_per_gpu != "auto":
            return len(there) < self.cells_per_gpu
        needs = [other.gpu_memory_mib for other in (*there, job)]
        # Nobody knows what an unmeasured cell takes: it has its GPU alone.
        return all(needs) and sum(needs) <= self.machine.gpu_memory_mib[gpu]

    def _on(self, gpu: int) -> list[Job]:
        return [job for job, place in self._running.values() if place == gpu]


def with_needs(
    jobs: Sequence[Job], times: CellTimes, lengths: Mapping[str, Length] = MappingProxyType({})
) -> list[Job]:
    """The jobs with their lengths and what cells like them needed before, the longest first.

    Long cells first, so that the last one to end is a short one; jobs of which nothing is known
    keep their order.

    Args:
        jobs: What is to be run.
        times: Of cells that have ended.
        lengths: By key.
    """
    measured = []
    for job in jobs:
        memory, on_gpu = times.memory_mib(job.cell.method, job.cell.dataset) or (0.0, 0.0)
        length = lengths.get(job.key, job.length)
        measured.append(replace(job, memory_mib=memory, gpu_memory_mib=on_gpu, length=length))
    expected = {job.key: times.seconds(cell_words(job.cell), job.length) for job in measured}
    return sorted(measured, key=lambda job: -(expected[job.key] or 0.0))
