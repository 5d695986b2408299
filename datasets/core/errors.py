"""Errors whose text is written for the user of the program, not for its authors."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_LONGEST_SHOWN = 80
_LONGEST_PROBLEM = 600


def shown(value: object, quote: str = "'") -> str:
    """A value of a file as one short printable line, whatever the file put into it.

    Args:
        value: Text or a number; everything else is shown by its type.
        quote: What stands around it.
    """
    if isinstance(value, BaseException):
        text = str(value) or type(value).__name__
    elif isinstance(value, str):
        text = value
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**_LONGEST_SHOWN):
        return str(value)
    else:
        return f"a {type(value).__name__}"
    return f"{quote}{_one_line(text, _LONGEST_SHOWN)}{quote}"


def last_line(error: BaseException) -> str:
    """What an error says of itself, as the last line of its traceback: kind and text."""
    return traceback.format_exception_only(error)[-1].strip()


def _one_line(text: str, longest: int) -> str:
    """Text without control characters, cut where it is too long."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in cut)


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

        The path and the problem hold words of the file: they are printed without control
        characters and cut where they are too long for a sentence.
        """
        place = _one_line(str(path), 4096)
        place = f"{place}, line {line}" if line is not None else place
        return cls(f"{place}: {_one_line(problem, _LONGEST_PROBLEM)}. {remedy}")


class MissingDataError(DataError):
    """The files of a dataset are not where the program looks for them."""


class ForbiddenDataError(MissingDataError):
    """The files of a dataset are there, but may not be read: a suite skips the dataset, too."""


def unreadable(path: Path, error: OSError) -> DataError:
    """The error of a file that the system does not let the program read."""
    kind = ForbiddenDataError if isinstance(error, PermissionError) else DataError
    problem = f"cannot be read ({error.strerror or error})"
    return kind.at(path, problem, "Check its rights and the disk.")


def unknown_name(kind: str, name: str, valid: Iterable[str], where: str = "") -> str:
    """Sentence for a name that does not exist, with the nearest valid one.

    Args:
        kind: What the name should be ("method", "dataset", "parameter of mclea").
        name: What the user wrote.
        valid: Every name that would have been accepted.
        where: Command or page that lists the valid names.
    """
    choices = sorted(valid)
    close = get_close_matches(name[:_LONGEST_SHOWN], choices, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    listing = f" Valid: {', '.join(choices)}." if choices else ""
    more = f" See `{where}`." if where else ""
    return f"Unknown {kind} {shown(name)}.{hint}{listing}{more}"


def lacking_extra(needs: str, extra: str) -> UserError:
    """The error of a package that an optional part of the installation would bring.

    Args:
        needs: Such as "Tuning needs Optuna".
        extra: Name of the optional part.
    """
    return UserError(
        f"{needs}, an optional part: pip install 'mmea-bench[{extra}]' (in a checkout: "
        f"pip install -c constraints.txt '.[{extra}]')."
    )
