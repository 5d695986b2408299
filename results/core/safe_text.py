"""Text that others wrote, made safe for what shows it: a spreadsheet, a terminal.

A spreadsheet would run some of it as formulas, a terminal obey the control characters in it.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"''*[=+\-@\t\r]")

# Of the control characters the line end and the tab stay; besides go those that turn the direction
# of writing, and annotations.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
_HALVES = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """The text without what a terminal obeys instead of showing it, and what it cannot show.

    Every line that the program prints passes through here, for names, reasons and paths come from
    files and records of others. Halves of characters, which no terminal can be sent, become the
    replacement character.
    """
    return _HALVES.sub("\ufffd", _OBEYED.sub("", text))


def json_plain(text: str) -> str:
    """JSON text with the same characters escaped, so that its values stay what they are."""
    return re.sub(
        f"{_OBEYED.pattern}|{_HALVES.pattern}",
        lambda found: f"\\u{ord(found.group()):04x}",
        text,
    )


def guarded(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would take it for a formula.

    Text that looks guarded already gets one more, so that ``unguarded`` gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text before ``guarded``."""
    return text[1:] if _GUARDED.match(text) else text
