"""Limits that every reader keeps on every input, and how they are measured."""

from __future__ import annotations

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
