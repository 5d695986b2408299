"""Whether the kernel kills processes for lack of memory, as it counts them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mmea_bench.results.core.disk.files import read_regular

_COUNTERS = Path("/proc/vmstat")
_NAME = b"oom_kill "


def n_memory_kills() -> int | None:
    """Processes that the kernel has killed for lack of memory so far; None where it does not say.

    Those killed at the limit of a container or batch job count too.
    """
    with suppress(OSError, ValueError):
        for line in read_regular(_COUNTERS).splitlines():
            if line.startswith(_NAME):
                return int(line.removeprefix(_NAME))
    return None
