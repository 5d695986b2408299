"""Text in CSV files that people open with a spreadsheet, which would run some of it as formulas."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"''*[=+\-@\t\r]")


def guarded(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would take it for a formula.

    Text that looks guarded already gets one more, so that ``unguarded`` gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text before ``guarded``."""
    return text[1:] if _GUARDED.match(text) else text
