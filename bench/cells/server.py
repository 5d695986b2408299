"""The server process that forks cells, which somebody may kill."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess

import psutil

_LOST_EXIT_CODE = 255
"""What ``multiprocessing`` says of a process whose server can no longer tell how it ended."""

_END_LIMIT_S = 1.0
_LOOK_S = 0.02


class Server:
    """The server that has forked a cell's process.

    Args:
        process: The server; None if it was gone before it could be looked at.
    """

    def __init__(self, process: psutil.Process | None) -> None:
        self._process = process

    @classmethod
    def of(cls, cell: BaseProcess) -> Server:
        """The server of a process that was just started."""
        with suppress(psutil.Error):
            parent = psutil.Process(cell.pid).parent()
            # Of a server that has died, the system's first process takes the children over.
            if parent is not None and parent.ppid() == os.getpid():
                return cls(parent)
        return cls(None)

    def took_along(self, exit_code: int | None) -> bool:
        """Whether a process that is gone ended because its server did.

        Args:
            exit_code: Of the cell's process.
        """
        if exit_code != _LOST_EXIT_CODE:
            return False
        # A dying process closes its files, by which we know, a moment before it is seen as dead.
        limit = time.monotonic() + _END_LIMIT_S
        while self._is_alive():
            if time.monotonic() > limit:
                return False
            time.sleep(_LOOK_S)
        return True

    def _is_alive(self) -> bool:
        if self._process is None:
            return False
        try:
            is_running: bool = self._process.is_running()
            return is_running and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
