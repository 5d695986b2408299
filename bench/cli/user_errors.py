"""Errors of the user, and of the disk, become one sentence on standard error and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mmea_bench.bench.running.console import echo
from mmea_bench.bench.running.disk_errors import spell_disk_error
from mmea_bench.datasets.core.errors import UserError

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
        echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USER_ERROR) from None
    except (OSError, RuntimeError) as error:
        text = spell_disk_error(error)
        if text is None:
            raise
        echo(f"Error: {text}", err=True)
        raise typer.Exit(EXIT_USER_ERROR) from None
