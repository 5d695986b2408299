"""Files that are either complete or absent, and reading that cannot hang."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from mmea_bench.datasets.core.regular_files import (
    MOST_BYTES,
    UnusableFileError,
    open_regular,
    open_regular_text,
    read_bounded,
    read_regular,
)

__all__ = [
    "MOST_BYTES",
    "TEMPORARY_SUFFIX",
    "UnusableFileError",
    "make_folder",
    "open_regular",
    "open_regular_text",
    "read_bounded",
    "read_regular",
    "write_atomic",
]

TEMPORARY_SUFFIX = ".tmp"


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, unless they are there.

    Raises:
        OSError: If it cannot be made; ``ENOTDIR`` where no folder can ever be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        # With all parents made, only a special folder such as /proc still says that.
        raise NotADirectoryError(errno.ENOTDIR, "no folder can be made there", str(path)) from error


def write_atomic(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replaces a file at once: after a crash it holds the old or the new content, never a part.

    Args:
        path: File to write; its folder is made if needed.
        content: All bytes of it.
        mode: Rights of the file before the user's umask.

    Raises:
        OSError: If it cannot be written; the error names the file.
    """
    make_folder(path.parent)
    # In the same folder, because a rename is atomic within one file system only; the process id
    # keeps two writers of one file apart.
    temporary = path.parent / f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}"
    try:
        # Never through a link or into a file that somebody left under this name.
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, mode), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
