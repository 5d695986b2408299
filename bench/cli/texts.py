"""Small shared parts of the command line: splitting, errors, tables, JSON."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmea_bench.bench.cli.user_errors import sentences
from mmea_bench.bench.running.console import PlainConsole
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.results.core.safe_text import json_plain

DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="MMEA_DATA", help="Folder that holds the datasets."),
]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", envvar="MMEA_CACHE", help="Folder for parsed datasets."),
]
DatasetFiles = Annotated[
    list[Path] | None,
    typer.Option("--dataset-file", help="A dataset of your own. Repeatable."),
]
MethodFiles = Annotated[
    list[Path] | None, typer.Option("--method-file", help="A method of your own. Repeatable.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def user_errors() -> Iterator[None]:
    """As ``sentences``, for the errors of results and reports too."""
    # Imported here: results need pandas, which `--help` should not wait for.
    from mmea_bench.results.core.errors import ResultsError

    with sentences():
        try:
            yield
        except ResultsError as error:
            raise UserError(str(error)) from error


def split_list(given: Iterable[str] | None) -> list[str] | None:
    """Words of options that may be repeated and hold commas; None where none was given.

    A comma in brackets separates options of an address, not words:
    ``synthetic[n=300,seed=1],fb15k-db15k`` is two words.
    """
    if not given:
        return None
    words = [""]
    depth = 0
    for character in ",".join(given):
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            words.append("")
        else:
            words[-1] += character
    return [word.strip() for word in words if word.strip()]


def numbers(option: str, given: Iterable[str] | None) -> list[float] | None:
    """As ``split_list``, for numbers.

    Raises:
        UserError: If a word is no number.
    """
    words = split_list(given)
    if words is None:
        return None
    try:
        return [float(word) for word in words]
    except ValueError:
        raise UserError(f"{option} takes numbers such as 0.2,0.5, not {','.join(words)}.") from None


def assignments(given: Iterable[str] | None) -> dict[str, object]:
    """``method.parameter=value`` texts as the table ``set`` of a suite.

    A parameter without a method is meant for every method that has it, as is ``*.parameter``.
    A value is read as TOML where it is TOML (``10``, ``true``, ``[1, 2]``), else as text.

    Raises:
        UserError: If a text is no assignment, or a parameter is named twice.
    """
    texts = _values_by_parameter("--set", "value", given)
    return {name: _toml_or_text(value) for name, value in texts.items()}


def sweeps(given: Iterable[str] | None) -> dict[str, tuple[object, ...]]:
    """``method.parameter=value,value`` texts as parameter to values, each read as by ``--set``.

    Raises:
        UserError: If a text is no assignment, or a parameter is named twice.
    """
    texts = _values_by_parameter("--grid", "value,value", given)
    return {
        name: tuple(map(_toml_or_text, dict.fromkeys(split_list([value]) or ())))
        for name, value in texts.items()
    }


def _values_by_parameter(option: str, form: str, given: Iterable[str] | None) -> dict[str, str]:
    table: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        method, dot, parameter = name.strip().partition(".")
        if not dot:
            method, parameter = "*", method
        if not (equals and method and parameter and value.strip(" ,")):
            raise UserError(
                f"{option} takes method.parameter={form}, or parameter={form} for all, not "
                f"'{text}'."
            )
        full_name = f"{method.replace('-', '_')}.{parameter}"
        if full_name in table:
            hint = (
                " Several values of one parameter are a sweep: --grid." if option == "--set" else ""
            )
            raise UserError(
                f"{option} names {full_name.removeprefix('*.')} twice: {table[full_name]} and "
                f"{value.strip()}. Give it once.{hint}"
            )
        table[full_name] = value.strip()
    return table


def _toml_or_text(value: str) -> object:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):  # thousands of open brackets are a text too
        return value


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json_plain(json.dumps(value, indent=2, default=str, ensure_ascii=False)))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output; piped, it is as wide as its content."""
    console = stdout()
    table = Table(*headers)
    for row in rows:
        table.add_row(*(escape(text) for text in row))
    console.print(table)


def stdout() -> Console:
    """A console for results; without a terminal it does not cut lines at 80 columns."""
    console = PlainConsole()
    return console if console.is_terminal else PlainConsole(width=200)


def stderr() -> Console:
    """A console for progress and remarks, which must not mix with results."""
    return PlainConsole(stderr=True)
