"""Errors of the user become one sentence on standard error and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mmea_bench.datasets.core.errors import UserError

EXIT_USER_ERROR = 2
"""Exit code when the request, or the files that it names, cannot be used."""


@contextmanager
def sentences() -> Iterator[None]:
    """Turns a ``UserError`` into its text on standard error and exit code 2.

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
