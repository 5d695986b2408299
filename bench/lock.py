"""One runner per results folder; the lock dies with its process, whatever killed it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mmea_bench.datasets.core.errors import UserError

LOCK_NAME = ".lock"


@contextmanager
def only_runner(folder: Path) -> Iterator[None]:
    """Holds the folder for this process.

    The file stays behind and means nothing by itself; what counts is the lock of the operating
    system on it, which no crash can leave behind.

    Raises:
        UserError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    with path.open("a+", encoding="utf-8") as file:
        if not _lock(file):
            holder = path.read_text(encoding="utf-8").strip() or "another process"
            raise UserError(
                f"{folder} is in use by {holder}. Wait until it ends, or give another folder "
                "with --out."
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield
        file.truncate(0)


if sys.platform == "win32":

    def _lock(file: IO[str]) -> bool:
        import msvcrt

        try:
            # Far behind the text, so that others can still read who holds the folder.
            file.seek(1 << 20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        file.seek(0)
        return True

else:

    def _lock(file: IO[str]) -> bool:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
