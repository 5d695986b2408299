"""What reports take of matplotlib, imported in one place whatever backend the caller names.

Figures go to files and need no backend. ``MPLBACKEND`` is the caller's: a notebook's kernel names
one of its own there, and where that is not installed, importing matplotlib fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BACKEND_VARIABLE = "MPLBACKEND"


@contextmanager
def _any_backend() -> Iterator[None]:
    """Imports of matplotlib in here do not hang on ``MPLBACKEND``, which stays as it was.

    A backend that can be used is chosen afterwards, as matplotlib itself would have done, so that
    the caller's own plots go on as they would without us. Nothing is done where matplotlib is there
    already: by then the caller has chosen.
    """
    named = None if "matplotlib" in sys.modules else os.environ.pop(BACKEND_VARIABLE, None)
    try:
        yield
    finally:
        if named is not None:
            os.environ[BACKEND_VARIABLE] = named
    if named:
        with suppress(ValueError):
            mpl.rcParams["backend"] = named


with _any_backend():
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, to_rgb
    from matplotlib.figure import Figure as Canvas
    from matplotlib.font_manager import FontProperties
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.text import Text
    from matplotlib.textpath import TextToPath
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
    from matplotlib.transforms import Bbox

__all__ = [
    "Axes",
    "Bbox",
    "Canvas",
    "Colormap",
    "FontProperties",
    "FuncFormatter",
    "Line2D",
    "LogLocator",
    "MaxNLocator",
    "NullLocator",
    "Patch",
    "Rectangle",
    "Text",
    "TextToPath",
    "mpl",
    "to_rgb",
]
