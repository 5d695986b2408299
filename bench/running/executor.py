"""Where cells run: the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mmea_bench.bench.cells.process import Ending
from mmea_bench.bench.planning.job import Job
from mmea_bench.bench.running.progress import Progress


@dataclass(frozen=True)
class Done:
    """A cell that has ended.

    Attributes:
        job: The cell.
        ending: How its process ended.
        seconds: Time that it took, start of the process included.
    """

    job: Job
    ending: Ending
    seconds: float


class Executor(Protocol):
    """Runs cells, each in a process of its own, wherever that is."""

    def run(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done]:
        """Runs all jobs, the first first, and yields each one as it ends.

        Jobs are asked for when there is room for them, and may be called several times.

        Raises:
            ExecutorError: If no further cell can be run (such as a scheduler that is gone).
        """
        ...

    def stop(self) -> None:
        """Ends running cells within a moment and lets no further one start; any thread."""
        ...


class ExecutorError(Exception):
    """The place where cells run is gone; the message is for the user."""
