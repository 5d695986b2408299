"""Where in a user's file an error arose."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from mmea_bench.bench.cells.reasons import storable

_MOST_FRAMES = 2
_LONGEST_LINE = 200


def user_frames(error: BaseException, files: Sequence[Path]) -> str:
    """The last lines of the user's files that an error passed, the innermost first; "" for none.

    Such as ``mine.py, line 12, in _encode: x @ y; line 30, in fit: _encode(view)``. Files beside
    the user's count too: helpers that it imports.

    Args:
        error: What was raised.
        files: The user's method files.
    """
    folders = {str(path.resolve().parent) for path in files}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if str(Path(frame.filename).resolve().parent) in folders
    ]
    texts: list[str] = []
    name = ""
    for frame in reversed(frames[-_MOST_FRAMES:]):
        own = Path(frame.filename).name
        where = f"line {frame.lineno}, in {frame.name}"
        code = storable(frame.line or "?", _LONGEST_LINE)
        texts.append(f"{'' if own == name else f'{own}, '}{where}: {code}")
        name = own
    return storable("; ".join(texts), _MOST_FRAMES * 2 * _LONGEST_LINE)
