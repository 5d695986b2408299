"""Reading that cannot hang: a pipe, a device or a file without end is refused."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 2**28
"""Of one file that is read whole; the largest records have a few MiB."""

_CHUNK_BYTES = 2**20


class UnusableFileError(OSError):
    """A pipe, a device or a folder where a file was expected, or a file without end."""


def open_regular(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Opens a file for reading if it is a regular one; everything that others made goes this way.

    A pipe would be waited for and a device read for ever.

    Args:
        path: The file.
        follow_links: Whether a link to a regular file is one.

    Raises:
        UnusableFileError: If it is anything else.
        OSError: If it cannot be opened.
    """
    # Asked before, because to open some devices has effects; asked again of what was opened,
    # because the name may stand for something else by then.
    _check_regular(path, path.stat() if follow_links else path.lstat())
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    handle = os.open(path, flags if follow_links else flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        _check_regular(path, os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """All bytes of a regular file.

    Args:
        path: The file.
        most_bytes: What it may hold.

    Raises:
        UnusableFileError: If it is no regular file, or holds more.
        OSError: If it cannot be read.
    """
    with open_regular(path) as stream:
        return read_bounded(stream, path, most_bytes)


def read_bounded(stream: BinaryIO, path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """All bytes of an open file, as ``read_regular``."""
    # Not asked of its size alone: files of the system have none, whatever they hold.
    size = os.fstat(stream.fileno()).st_size
    content = b"" if size > most_bytes else stream.read(size + 1)
    while content and size <= len(content) <= most_bytes and (more := stream.read(_CHUNK_BYTES)):
        content += more
    if max(size, len(content)) > most_bytes:
        limit = f"{most_bytes >> 20} MiB" if most_bytes >> 20 else f"{most_bytes} bytes"
        raise UnusableFileError(errno.EFBIG, f"it has more than {limit}", str(path))
    return content


def open_regular_text(path: Path) -> io.TextIOWrapper:
    """As ``open_regular``, for UTF-8 text whose ends of lines are kept."""
    return io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="")


def _check_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFileError(errno.EINVAL, "it is no regular file", str(path))
