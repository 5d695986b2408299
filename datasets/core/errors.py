"""Errors whose text is written for the user of the program, not for its authors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """Something the user can mend; the text says what is wrong, where, and what to do."""


class DataError(UserError):
    """Data files that are missing, malformed or contradict themselves."""

    @classmethod
    def at(cls, path: Path | str, problem: str, remedy: str, line: int | None = None) -> DataError:
        """The error for one place of one file, in one sentence with its remedy.

        Args:
            path: File (or folder) with the problem.
            problem: What is wrong, with the value found.
            remedy: What the user can do.
            line: Line number, counted from 1.
        """
        place = f"{path}, line {line}" if line is not None else f"{path}"
        return cls(f"{place}: {problem}. {remedy}")


class MissingDataError(DataError):
    """The files of a dataset are not where the program looks for them."""


def unknown_name(kind: str, name: str, valid: Iterable[str], where: str = "") -> str:
    """Sentence for a name that does not exist, with the nearest valid one.

    Args:
        kind: What the name should be ("method", "dataset", "parameter of mclea").
        name: What the user wrote.
        valid: Every name that would have been accepted.
        where: Command or page that lists the valid names.
    """
    choices = sorted(valid)
    close = get_close_matches(name, choices, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    listing = f" Valid: {', '.join(choices)}." if choices else ""
    more = f" See `{where}`." if where else ""
    return f"Unknown {kind} '{name}'.{hint}{listing}{more}"
