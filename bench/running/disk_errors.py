"""A disk's refusal as a sentence for the user."""

from __future__ import annotations

import errno
import re

from mmea_bench.results.core.disk.files import UnusableFileError

_OTHER_FOLDER = "Give another folder with --out (results) or --cache-dir (parsed data)."


_LOOP = re.compile(r"Symlink loop from '(.*)'")

_REMEDIES = {
    errno.ENOSPC: "Free some space and run the same command again.",
    errno.EDQUOT: "Free some of your quota and run the same command again.",
    errno.EIO: "Check the disk, and run the same command again.",
    errno.EROFS: _OTHER_FOLDER,
    errno.EACCES: _OTHER_FOLDER,
    errno.EPERM: _OTHER_FOLDER,
    errno.ENOTDIR: _OTHER_FOLDER,
    errno.EEXIST: _OTHER_FOLDER,
    errno.ELOOP: _OTHER_FOLDER,
    errno.ENAMETOOLONG: _OTHER_FOLDER,
    errno.EFBIG: "Raise the limit of file sizes (`ulimit -f`) and run the same command again.",
}


def spell_disk_error(error: OSError | RuntimeError) -> str | None:
    """A sentence for a full, read-only, forbidden or broken disk; None for any other error."""
    if isinstance(error, RuntimeError):  # so Python 3.12 and older tell of a link to itself
        loop = _LOOP.match(str(error))
        return None if loop is None else f"{loop[1]} is a link to itself. {_OTHER_FOLDER}"
    if isinstance(error, UnusableFileError):
        return (
            f"{error.filename} cannot be read: {error.strerror}. Remove it, or name another file."
        )
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    where = error.filename or "a file"
    return f"{where} cannot be written or read: {error.strerror}. {remedy}"
