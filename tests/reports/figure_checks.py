"""What must hold for every figure: nothing cut off, no text over another."""

from __future__ import annotations

import io
import math
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.testing.compare import calculate_rms
from matplotlib.text import Text
from PIL import Image

from mmea_bench.reports.core.document import Figure
from mmea_bench.reports.core.figures.style import RC_PARAMS

BASELINE_DPI = 100
BLOCK = 8
PAPER_DPI = 300


def small_picture(figure: Figure) -> bytes:
    """A PNG small enough to be kept as a baseline."""
    buffer = io.BytesIO()
    # Hinting moves letters to whole pixels, differently with every version of FreeType.
    with mpl.rc_context({**RC_PARAMS, "text.hinting": "none"}):
        canvas = _drawn(figure)
        canvas.savefig(buffer, format="png", dpi=BASELINE_DPI, metadata={"Software": None})
    return buffer.getvalue()


def picture_distance(expected: bytes, made: bytes) -> float:
    """Root mean square difference, 0 to 255, of pictures seen from afar.

    Means over blocks of pixels forgive how edges are smoothed and where in a pixel a letter
    begins; pictures of different sizes are infinitely far apart.
    """
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in (expected, made)]
    if pictures[0].size != pictures[1].size:
        return math.inf
    size = (pictures[0].width // BLOCK, pictures[0].height // BLOCK)
    blocks = [
        np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=float) for picture in pictures
    ]
    return float(calculate_rms(*blocks))


def layout_problems(figure: Figure) -> list[str]:
    """Sentences about texts that leave the canvas or lie over each other; empty if all is well."""
    with mpl.rc_context(dict(RC_PARAMS)):
        canvas = _drawn(figure)
        agg = FigureCanvasAgg(canvas)
        agg.draw()
        boxes = [
            (text.get_text(), text.get_window_extent(agg.get_renderer()))
            for text in _shown_texts(canvas)
        ]
    problems = [
        f"'{words}' leaves the canvas"
        for words, box in boxes
        if box.x0 < -0.5
        or box.y0 < -0.5
        or box.x1 > canvas.bbox.width + 0.5
        or box.y1 > canvas.bbox.height + 0.5
    ]
    problems += [
        f"'{one}' lies over '{other}'"
        for (one, box), (other, other_box) in combinations(boxes, 2)
        if min(box.x1, other_box.x1) - max(box.x0, other_box.x0) > 0.5
        and min(box.y1, other_box.y1) - max(box.y0, other_box.y0) > 0.5
    ]
    return problems


def _drawn(figure: Figure) -> Canvas:
    canvas = Canvas(figsize=(figure.width_in, figure.height_in), dpi=PAPER_DPI)
    figure.draw(canvas)
    return canvas


def _shown_texts(canvas: Canvas) -> list[Text]:
    hidden: set[int] = set()
    for axes in canvas.axes:
        if not axes.get_visible():
            hidden |= {id(text) for text in axes.findobj(Text)}
        for axis in (axes.xaxis, axes.yaxis):
            if not axes.axison:
                hidden |= {id(text) for text in axis.findobj(Text)}
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    hidden |= {id(tick.label1), id(tick.label2)}
    texts: list[Any] = canvas.findobj(Text)
    return [
        text
        for text in texts
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]
