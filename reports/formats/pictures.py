"""Figures as picture files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mmea_bench.reports.core.document import Figure
from mmea_bench.reports.core.figures.style import RC_PARAMS, put_stamp

FIGURE_FORMATS = ("pdf", "png", "svg")
_METADATA: Mapping[str, Mapping[str, str | None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_KEPT = 20 * len(FIGURE_FORMATS)
"""Pictures that are kept: those of one report, which its page shows after all files are written."""


@lru_cache(maxsize=_KEPT)
def draw_figure(figure: Figure, suffix: str) -> bytes:
    """The bytes of a picture file; they hold no date and no program version.

    A file and the web page show the same picture: it is drawn once.
    """
    from mmea_bench.reports.core.drawing import Bbox, Canvas, mpl

    buffer = io.BytesIO()
    # A figure of its own rather than pyplot: no global state, no window system.
    with mpl.rc_context(dict(RC_PARAMS)):
        canvas = Canvas(figsize=(figure.width_in, figure.height_in))
        figure.draw(canvas)
        low = put_stamp(canvas, figure.stamp)
        area = Bbox.from_extents(0.0, low, figure.width_in, figure.height_in)
        asked: dict[str, Any] = {"bbox_inches": area} if figure.stamp else {}
        canvas.savefig(buffer, format=suffix, metadata=dict(_METADATA[suffix]), **asked)
    return buffer.getvalue()
