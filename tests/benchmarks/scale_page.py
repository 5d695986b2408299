"""Table and figure of ``docs/scale.md``."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from mmea_bench.reports.core.figures.style import RC_PARAMS, line_styles

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
FIGURE = DOCUMENT.parent / "figures" / "scale.svg"
START, END = "<!-- scale table: start -->", "<!-- scale table: end -->"
FITTED_SIZES = 3

Measured = dict[str, dict[int, dict[str, float | str]]]
"""Line of the table to size to ``seconds``, ``wall`` and ``memory`` (GiB), or a ``note``."""


def exponent(sizes: Mapping[int, Mapping[str, float | str]]) -> float | None:
    """Slope of the logarithms of seconds over those of the largest sizes measured."""
    known = sorted(n for n, numbers in sizes.items() if "seconds" in numbers)[-FITTED_SIZES:]
    if len(known) < 2:
        return None
    seconds = [math.log(max(float(sizes[n]["seconds"]), 1e-4)) for n in known]
    return float(np.polyfit(np.log(known), seconds, 1)[0])


def said_size(n: int) -> str:
    """A size as the page has it."""
    return f"{n // 1_000_000}M" if n >= 1_000_000 else f"{n // 1000}k"


def cell(numbers: Mapping[str, float | str] | None) -> str:
    """Seconds and GiB of a size, or why there are none."""
    if numbers is None:
        return ""
    if "note" in numbers:
        return str(numbers["note"])
    seconds = float(numbers["seconds"])
    said = f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.3g}"
    if "peak_share" in numbers:
        return f"{said} s, {numbers['memory']:.1f} GiB, {numbers['peak_share']:.0%} of peak"
    return f"{said} s, {numbers['memory']:.1f} GiB"


def table(measured: Measured, sizes: Sequence[int], threads: int) -> str:
    """The part of the document between its marks."""
    lines = [
        f"CPU seconds with {threads} thread{'s' if threads > 1 else ''}, and peak memory of the "
        f"process with libraries and dataset, on one {platform.machine()} machine; Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}. The exponent is fitted over "
        f"the {FITTED_SIZES} largest sizes measured.",
        "",
        f"| step | {' | '.join(said_size(n) for n in sizes)} | exponent |",
        f"|---|{'---|' * len(sizes)}---|",
    ]
    for line, found in measured.items():
        grown = exponent(found)
        said = "" if grown is None else f"{grown:.2f}"
        lines.append(f"| {line} | {' | '.join(cell(found.get(n)) for n in sizes)} | {said} |")
    return "\n".join([START, *lines, END])


def draw(measured: Measured) -> None:
    """Seconds and memory over sizes, on logarithmic axes."""
    styles = line_styles((line, "full") for line in measured)
    # Text as text: outlines of all letters would be many times the file.
    with mpl.rc_context({**RC_PARAMS, "svg.fonttype": "none"}):
        canvas = Figure(figsize=(7.2, 4.2), layout="constrained")
        for axes, what, said in zip(
            canvas.subplots(1, 2), ("seconds", "memory"), ("CPU seconds", "GiB"), strict=True
        ):
            for (line, found), style in zip(measured.items(), styles.values(), strict=True):
                known = sorted(n for n, numbers in found.items() if what in numbers)
                values = [float(found[n][what]) for n in known]
                axes.plot(
                    known, values, color=style.colour, marker=style.marker, lw=0.8, label=line
                )
            axes.set(xscale="log", yscale="log", xlabel="n, source entities", ylabel=said)
            sizes = sorted({n for found in measured.values() for n in found})
            axes.set_xticks(sizes, labels=[said_size(n) for n in sizes])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if what == "memory" else (1,)))
            axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        handles, labels = axes.get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=6)
        canvas.savefig(FIGURE, metadata={"Date": None})


def write_page(measured: Measured, sizes: Sequence[int], threads: int) -> None:
    """Puts table and figure where the documentation has them."""
    draw(measured)
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    DOCUMENT.write_text(before + table(measured, sizes, threads) + after, encoding="utf-8")
