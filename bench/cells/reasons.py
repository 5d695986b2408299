"""What an exception says, for a record: whatever its message is, a reason stays."""

from __future__ import annotations

import traceback

LONGEST_REASON = 10_000
"""Letters of a reason; some messages hold whole arrays."""

_TRACEBACK_LINES = 12
_LONGEST_TAIL = 20_000


def message_of(error: BaseException) -> str:
    """The message of an exception; empty for none.

    A message that cannot be made says why, one that no file can hold is escaped, a huge one is cut.
    """
    try:
        text = str(error)
    except Exception as problem:  # the code of a user's exception may do anything
        text = f"its message cannot be shown, making it raised {type(problem).__name__}"
    return storable(text, LONGEST_REASON)


def named_message_of(error: BaseException) -> str:
    """The type of an exception and its message."""
    return f"{storable(type(error).__name__, 200)}: {message_of(error)}"


def traceback_tail(error: BaseException) -> str:
    """The last lines of an exception's traceback."""
    lines = "".join(traceback.format_exception(error)).splitlines(keepends=True)
    return storable("".join(lines[-_TRACEBACK_LINES:]), _LONGEST_TAIL)


def storable(text: str, longest: int) -> str:
    """Text that a record can hold: halves of characters are escaped, a long one loses its middle.

    Args:
        text: What was said.
        longest: Letters that are kept.
    """
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} [... {len(text) - 2 * half:,} letters ...] {text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
