"""How figures look: one colour and marker per method, readable at column width and in grey."""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType
from typing import Any, Literal

from mmea_bench.reports.core.drawing import Axes, Canvas, FontProperties, TextToPath

COLUMN_WIDTH_IN = 3.4
"""Width of one column of a two-column paper."""

LABEL_SIZE = 6.5
"""Points of ticks and labels."""

LABEL_IN = 8.5 / 72.0
"""Height in inches that a label of that size takes below another."""

_LARGEST_TITLE = 0.45
"""Share of a figure's height; a longer title is cut, for it stands in full in its document."""
_TITLE_LETTERS = 62  # as many of 6.5 pt fit into the width of a column

_STAMP_SIZE = 5.5
_STAMP_LETTERS_PER_IN = 22

# Okabe and Ito's colour-blind-safe palette without yellow, which is lost on white paper.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
# Two rows as long as the palette: the second methods of the colours get markers of their own.
_MARKERS = (("o", "s", "^", "D", "v", "P", "X"), ("<", ">", "p", "*", "d", "h", "8"))
# Those of the papers first, so that their figures have a colour each. A method that is not here
# gets its look from its name.
_KNOWN_METHODS = (
    *("mclea", "eva", "meaformer", "loginmea", "clamea", "gcn_align", "transe"),
    *("crossea", "clip_mmea", "se_clip_mmea", "se_clip_mmea_plus", "selfmea", "poe", "name_match"),
    *("image_only", "random_scores"),
)
_HOLLOW_MARKERS = ("o", "s", "^", "D", "v", "p", "h", "<", ">")

RC_PARAMS: Mapping[Any, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",
        "font.size": 7.0,
        "axes.titlesize": 7.5,
        "axes.labelsize": 7.0,
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "legend.fontsize": 6.5,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        # TrueType fonts: publishers refuse type 3.
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        # Letters as outlines, and ids that do not change from run to run.
        "svg.fonttype": "path",
        "svg.hashsalt": "mmea-bench",
        # Names may hold dollar signs.
        "text.parse_math": False,
        "savefig.dpi": 300,
    }
)


@dataclass(frozen=True)
class LineStyle:
    """How the line of one method or variant looks.

    Attributes:
        colour: Colour of the method.
        marker: Marker of the method, or of the variant.
        is_filled: Whether markers are filled; only the full method has filled ones.
    """

    colour: str
    marker: str
    is_filled: bool


def line_styles(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], LineStyle]:
    """The look of each (method, variant).

    A method of this project looks alike in every figure. The colour of another hangs on its name;
    only when it falls on a colour that the figure shows already does it take the next free one.
    Variants share the colour and differ by hollow markers; in a figure of one method alone, several
    variants have a colour each.
    """
    wanted = sorted(set(names))
    looks = _method_looks({method for method, _ in wanted})
    styles = {}
    is_alone = len(looks) == 1
    for method, variant in wanted:
        colour, marker = looks[method]
        others = [name for owner, name in wanted if owner == method and name != "full"]
        if variant == "full":
            styles[method, variant] = LineStyle(colour, marker, is_filled=True)
        else:
            place = others.index(variant)
            hollow = _HOLLOW_MARKERS[place % len(_HOLLOW_MARKERS)]
            if is_alone and len(others) > 1:
                # Nobody to be taken for: seven settings of one method in one colour read as one.
                turn = place + (len(others) < len(wanted))  # the full method keeps its own
                colour = _COLOURS[(_COLOURS.index(colour) + turn) % len(_COLOURS)]
            styles[method, variant] = LineStyle(colour, hollow, is_filled=False)
    return styles


def _method_looks(methods: set[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method; no two of a figure have both in common."""
    slots = {
        method: (position % len(_COLOURS), position // len(_COLOURS))
        for position, method in enumerate(_KNOWN_METHODS)
        if method in methods
    }
    n_each = [0] * len(_COLOURS)
    for slot, _ in slots.values():
        n_each[slot] += 1
    for method in sorted(methods - set(slots)):
        slot = zlib.crc32(method.encode()) % len(_COLOURS)
        while n_each[slot] > min(n_each):
            slot = (slot + 1) % len(_COLOURS)
        n_each[slot] += 1
        turn = next(turn for turn in count() if (slot, turn) not in slots.values())
        slots[method] = (slot, turn)
    return {
        method: (_COLOURS[slot], _MARKERS[turn % 2][(slot + turn // 2) % len(_COLOURS)])
        for method, (slot, turn) in slots.items()
    }


def text_width(text: str, size: float = LABEL_SIZE) -> float:
    """Width in inches of one line of text as figures print it."""
    font = FontProperties(family="DejaVu Sans", size=size)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72.0


def put_title(canvas: Canvas, title: str) -> float:
    """Writes a title over the whole width, in as many lines as it needs and the panels leave.

    Returns:
        Where the panels below may begin, as a fraction of the height.
    """
    height = canvas.get_figheight()
    most = max(1, int((_LARGEST_TITLE * height - 0.14) / 0.12))
    lines = textwrap.wrap(title, _TITLE_LETTERS, max_lines=most, placeholder=" …")
    canvas.text(0.02, 1.0 - 0.06 / height, "\n".join(lines), ha="left", va="top", fontsize=6.5)
    return 1.0 - (0.14 + 0.12 * len(lines)) / height


def put_stamp(canvas: Canvas, text: str) -> float:
    """Writes a sentence below everything that is drawn, outside the figure's own area.

    Returns:
        Where the picture must begin to hold it, in inches from the figure's lower edge: 0 or less.
    """
    if not text:
        return 0.0
    width, height = canvas.get_size_inches()
    n_letters = int(width * _STAMP_LETTERS_PER_IN)
    lines = textwrap.wrap(text, n_letters)
    canvas.text(
        0.07 / width,
        -0.02 / height,
        "\n".join(lines),
        ha="left",
        va="top",
        fontsize=_STAMP_SIZE,
        color="#555555",
    )
    return -(0.06 + 0.1 * len(lines))


def grid_lines(axes: Axes, direction: Literal["x", "y", "both"] = "both") -> None:
    """Faint lines at the ticks, behind everything that is drawn."""
    axes.grid(visible=True, axis=direction, color="#dddddd", linewidth=0.4)
    axes.set_axisbelow(True)


@dataclass(frozen=True)
class LineEnd:
    """Where a line ends, in data units, and how it looks."""

    x: float
    y: float
    style: LineStyle


def label_ends(axes: Axes, ends: Mapping[str, LineEnd]) -> None:
    """Writes each label with its marker beside the end of its line, none over another.

    Args:
        axes: Panel with its final limits.
        ends: Label to the end of its line.
    """
    low, high = axes.get_ylim()
    gap = LABEL_IN / (axes.bbox.height / axes.figure.dpi)
    order = sorted(ends, key=lambda name: ends[name].y)
    wanted = [(ends[name].y - low) / (high - low) for name in order]
    for name, place in zip(order, spread(wanted, gap), strict=True):
        end = ends[name]
        axes.annotate(
            "",
            xy=(end.x, end.y),
            xytext=(1.05, place),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "#aaaaaa", "shrinkA": 2},
            zorder=1,
        )
        axes.plot(
            [1.05],
            [place],
            transform=axes.transAxes,
            clip_on=False,
            **marker_look(end.style),
        )
        # Dark text: light colours read badly on white, and not at all in grey.
        axes.text(1.08, place, name, transform=axes.transAxes, va="center", fontsize=6.5)


def marker_look(style: LineStyle) -> dict[str, Any]:
    """Keyword arguments of ``Axes.plot`` for colour and marker."""
    return {
        "color": style.colour,
        "marker": style.marker,
        "markerfacecolor": style.colour if style.is_filled else "white",
        "markeredgewidth": 0.7,
    }


def spread(places: list[float], gap: float) -> list[float]:
    """Ascending places moved up and down until neighbours are at least ``gap`` apart.

    Places that crowd together are spread around their mean, within [0, 1]
    where there is room; the order stays.
    """
    groups = [[place] for place in places]
    merged = True
    while merged:
        merged = False
        for left in range(len(groups) - 1):
            top = _centre(groups[left]) + gap * (len(groups[left]) - 1) / 2
            bottom = _centre(groups[left + 1]) - gap * (len(groups[left + 1]) - 1) / 2
            if bottom - top < gap - 1e-9:
                groups[left : left + 2] = [groups[left] + groups[left + 1]]
                merged = True
                break
    apart = [
        _centre(group) + gap * (position - (len(group) - 1) / 2)
        for group in groups
        for position in range(len(group))
    ]
    # A crowd at an edge would run into the title or the panel below.
    highest = 1.0
    for position in reversed(range(len(apart))):
        apart[position] = min(apart[position], highest)
        highest = apart[position] - gap
    lowest = 0.0
    for position, place in enumerate(apart):
        apart[position] = max(place, lowest)
        lowest = apart[position] + gap
    return apart


def _centre(group: list[float]) -> float:
    return sum(group) / len(group)
