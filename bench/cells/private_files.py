"""Folders and files that nobody but this user can have changed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from mmea_bench.results.core.disk.files import make_folder, open_regular, read_bounded

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
_OF_OTHERS = 0o077
_MOST_BYTES = 2**38


class NotPrivateError(OSError):
    """A folder or file that others own or may change."""


def make_private_folder(path: Path) -> None:
    """Makes a folder that is this user's alone, or sees that it is.

    One of this user's that was open to others is closed, and emptied, because what lies in it may
    be theirs.

    Raises:
        NotPrivateError: If it is a link, somebody else's, or its file system knows no rights.
        OSError: If it cannot be made.
    """
    make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=PRIVATE_FOLDER)
    found = path.lstat()
    _check_owner(path, found, is_folder=True)
    if stat.S_IMODE(found.st_mode) != PRIVATE_FOLDER:
        path.chmod(PRIVATE_FOLDER)  # first, so that nobody adds anything meanwhile
        _empty(path)
    check_private_folder(path)


def check_private_folder(path: Path) -> None:
    """Sees that a folder is this user's alone.

    Raises:
        NotPrivateError: If it is not.
        OSError: If it is not there.
    """
    found = path.lstat()
    _check_owner(path, found, is_folder=True)
    _check_mode(path, found)


def read_private(path: Path) -> bytes:
    """All bytes of a file that is this user's alone, in a folder that was seen to be so.

    Raises:
        NotPrivateError: If it is a link, or others own it or may read or change it.
        OSError: If it is no regular file or cannot be read.
    """
    with open_regular(path, follow_links=False) as stream:
        # Of what was opened, not of what has the name now.
        found = os.fstat(stream.fileno())
        _check_owner(path, found, is_folder=False)
        _check_mode(path, found)
        return read_bounded(stream, path, _MOST_BYTES)


def _check_owner(path: Path, found: os.stat_result, *, is_folder: bool) -> None:
    if is_folder and not stat.S_ISDIR(found.st_mode):
        raise NotPrivateError(errno.ENOTDIR, "it is a link or no folder", str(path))
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise NotPrivateError(errno.EPERM, "it belongs to another user", str(path))


def _check_mode(path: Path, found: os.stat_result) -> None:
    if hasattr(os, "geteuid") and found.st_mode & _OF_OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise NotPrivateError(errno.EPERM, f"others have rights to it (mode {mode:o})", str(path))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
