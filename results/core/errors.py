"""The error of this folder; its text is written for the user."""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


class ResultsError(Exception):
    """Results that are missing or break the schema; the text says what, where and what to do."""


class NewerSchemaError(ResultsError):
    """A record that a newer version of this program wrote; it is whole, but not for us."""


def shown(value: object) -> str:
    """A value that others wrote, as one short printable line.

    Args:
        value: What was found, or the error that it led to.
    """
    text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else None
    return _SHORT.repr(value) if text is None else _SHORT.repr(text)[1:-1]
