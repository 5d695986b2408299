"""A Dask cluster on loopback, started as users start it: one process each, real connections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

START_LIMIT_S = 60.0


class DaskCluster:
    """A scheduler, and workers as they are asked for; all end with the context.

    Args:
        folder: Where logs and the workers' own folders go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scheduler_file = folder / "scheduler.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "scheduler",
            ["scheduler", "--host", "127.0.0.1", "--port", "0"],
            "--scheduler-file",
            str(self.scheduler_file),
        )
        self.address = self._read_address()

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def start_worker(
        self,
        name: str,
        environment: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Starts a worker for one cell at a time; does not wait for it."""
        return self._start(
            name,
            ["worker", self.address, "--nthreads", "1", "--no-nanny", "--name", name],
            "--local-directory",
            str(self.folder / name),
            *arguments,
            environment=environment,
        )

    def log(self, name: str) -> str:
        """What a scheduler or worker has printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start(
        self, name: str, words: list[str], *more: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard", *more],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                cwd=self.folder,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _read_address(self) -> str:
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            with suppress(OSError, ValueError):
                return str(json.loads(self.scheduler_file.read_text(encoding="utf-8"))["address"])
            assert self.scheduler.poll() is None, self.log("scheduler")
            time.sleep(0.05)
        raise AssertionError("the scheduler did not start")
