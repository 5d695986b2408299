"""Errors of the user, and of the disk, become one sentence on standard error and exit code 2."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mmea_bench.datasets.core.errors import UserError

_OTHER_FOLDER = "Give another folder with --out (results) or --cache-dir (parsed data)."
_REMEDIES = {
    errno.ENOSPC: "Free some space and run the same command again.",
    errno.EDQUOT: "Free some of your quota and run the same command again.",
    errno.EIO: "Check the disk, and run the same command again.",
    errno.EROFS: _OTHER_FOLDER,
    errno.EACCES: _OTHER_FOLDER,
    errno.EPERM: _OTHER_FOLDER,
    errno.ENOTDIR: _OTHER_FOLDER,
    errno.EEXIST: _OTHER_FOLDER,
}

EXIT_USER_ERROR = 2
"""Exit code when the request, or the files that it names, cannot be used."""


@contextmanager
def sentences() -> Iterator[None]:
    """Turns a ``UserError`` or a disk's refusal into a text on standard error and exit code 2.

    Every other exception passes: a defect of the program must keep its traceback. Works as a
    context manager and as a decorator.

    Raises:
        typer.Exit: With code 2, after the text was printed.
    """
    try:
        yield
    except UserError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USER_ERROR) from None
    except OSError as error:
        text = spell_disk_error(error)
        if text is None:
            raise
        typer.echo(f"Error: {text}", err=True)
        raise typer.Exit(EXIT_USER_ERROR) from None


def spell_disk_error(error: OSError) -> str | None:
    """A sentence for a full, read-only, forbidden or broken disk; None for any other error."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    where = error.filename or "a file"
    return f"{where} cannot be written or read: {error.strerror}. {remedy}"
