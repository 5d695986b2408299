"""Limits that every reader keeps on every input, and how they are measured."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 2.0
MOST_GROWTH_BYTES = 384 * 2**20
"""Growth during one input; a process that has read others holds up to 128 MiB already."""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def resident_bytes(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process; 0 where the system does not tell."""
    if not _STATUS.exists():
        return 0
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


class PeakMemory:
    """Peak of the resident memory from now on; counts 0 where Linux' /proc is lacking."""

    def __init__(self) -> None:
        try:
            _CLEAR.write_text("5")  # forgets the earlier peak
            self._start = resident_bytes("VmRSS")
        except OSError:
            self._start = -1

    def bytes(self) -> int:
        """The peak itself."""
        return resident_bytes("VmHWM") if self._start >= 0 else 0

    def growth_bytes(self) -> int:
        """How far the peak is above the memory held at the start."""
        return max(self.bytes() - self._start, 0) if self._start >= 0 else 0


@dataclass
class Cost:
    """What a piece of work took: processor seconds, peak and growth of the memory (bytes)."""

    seconds: float = 0.0
    peak_bytes: int = 0
    growth_bytes: int = 0


@contextmanager
def measured() -> Iterator[Cost]:
    """What the block takes; the figures are there once it has ended.

    What the process held before is set aside meanwhile: a reader that makes many small objects
    would else pay for collections of garbage through all that other tests have left.
    """
    cost = Cost()
    gc.freeze()
    memory, start = PeakMemory(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds = time.process_time() - start
        cost.peak_bytes, cost.growth_bytes = memory.bytes(), memory.growth_bytes()
        gc.unfreeze()


@contextmanager
def bounded(most_seconds: float = MOST_SECONDS, what: str = "") -> Iterator[None]:
    """Asserts that the block keeps the limits; ``what`` names one of several inputs."""
    with measured() as cost:
        yield
    assert cost.seconds < most_seconds, what
    assert cost.growth_bytes < MOST_GROWTH_BYTES, what
