"""What may stand where a file is expected: whoever opens and reads it waits, or reads, for ever."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType


def _socket(path: Path) -> None:
    # A socket's address is short; a test's folder need not be.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


ODD_FILES: Mapping[str, Callable[[Path], object]] = MappingProxyType(
    {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "socket": _socket,
        "folder": Path.mkdir,
    }
)
"""Kind to what makes one of it."""
