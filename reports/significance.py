"""Significance: t-tests between the best method and every other, over repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from mmea_bench.reports.core.comparison import (
    STOPPED_ON_TEST_NOTE,
    Comparison,
    comparisons,
    shown_numbers,
)
from mmea_bench.reports.core.document import Block, Cell, Document, Missing, Row, Table, Text
from mmea_bench.reports.core.lines import method_names
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.statistics import TwoSampleTests, holm, two_sample_tests
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "significance"
_LEVEL = 0.05
_COLUMNS = (
    ("", "mean"),
    ("", "difference"),
    ("95 % interval", "from"),
    ("95 % interval", "to"),
    ("", "Hedges' g"),
    ("p", "Student"),
    ("p", "Welch"),
    ("p", "paired"),
    ("p", "Welch, Holm"),
)


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """One table per dataset, seed ratio and protocol with two or more methods."""
    blocks: list[Block] = []
    for comparison in comparisons(shown_numbers(tables, options), options):
        for section, numbers in comparison.numbers.groupby("section", sort=True):
            title = ", ".join(filter(None, (comparison.title, str(section))))
            blocks += _blocks(replace(comparison, title=title, numbers=numbers))
    if not blocks:
        return Missing("No two methods have two or more repeats on the same dataset and ratio.")
    notes = (
        "Methods that read entity names, or learn from pseudo-labels (iterative), are compared "
        "among themselves.",
        "Best: highest mean. Difference: best minus the other; its interval is Welch's. Student "
        "assumes equal variances, Welch does not, paired compares repeat by repeat (methods share "
        "the splits). Holm corrects Welch's p for the number of rows.",
        STOPPED_ON_TEST_NOTE,
    )
    return Document(NAME, "Significance", tuple(blocks), notes)


def _blocks(comparison: Comparison) -> Iterator[Block]:
    metric = comparison.metrics[0]
    numbers = comparison.numbers[comparison.numbers["metric"] == metric]
    numbers = numbers.assign(name=method_names(numbers))
    runs = {
        str(name): own.groupby("repeat")["value"].mean() for name, own in numbers.groupby("name")
    }
    enough = {name: values for name, values in runs.items() if len(values) >= 2}
    if len(enough) < 2:
        return
    best = max(enough, key=lambda name: (float(enough[name].mean()), name))
    tests = {
        name: _tests(runs[best], values) for name, values in sorted(runs.items()) if name != best
    }
    done = {name: found for name, found in tests.items() if isinstance(found, TwoSampleTests)}
    corrected = dict(zip(done, holm([found.welch for found in done.values()]), strict=True))
    rows = [Row((best, str(len(runs[best]))), (Cell(float(runs[best].mean())),))]
    rows[0] = Row(rows[0].labels, rows[0].cells + (Cell(),) * (len(_COLUMNS) - 1))
    for name, found in tests.items():
        mean = Cell(float(runs[name].mean()))
        cells = (
            _cells(found, corrected[name])
            if isinstance(found, TwoSampleTests)
            else (Cell(text=found), *(Cell(),) * (len(_COLUMNS) - 2))
        )
        rows.append(Row((name, str(len(runs[name]))), (mean, *cells)))
    title = f"{METRIC_NAMES[metric]} against {best}: {comparison.title}"
    yield Table(title, ("method", "repeats"), ("group", "number"), _COLUMNS, tuple(rows))
    yield Text(" ".join(_sentences(best, done, corrected, metric, comparison)))


def _tests(best: pd.Series[float], other: pd.Series[float]) -> TwoSampleTests | str:
    shared = best.index.intersection(other.index)
    pairs = (best[shared].to_numpy(), other[shared].to_numpy())
    return two_sample_tests(best.to_numpy(), other.to_numpy(), pairs)


def _cells(found: TwoSampleTests, corrected: float) -> tuple[Cell, ...]:
    return (
        Cell(found.difference),
        Cell(found.interval[0]),
        Cell(found.interval[1]),
        Cell(text=f"{found.hedges_g:.2f}"),
        *(Cell(text=_p(p)) for p in (found.student, found.welch, found.paired, corrected)),
    )


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _sentences(
    best: str,
    tests: dict[str, TwoSampleTests],
    corrected: dict[str, float],
    metric: str,
    comparison: Comparison,
) -> Iterator[str]:
    for name, found in tests.items():
        is_clear = corrected[name] < _LEVEL
        verdict = "is better than" if is_clear else "is not shown to be better than"
        yield (
            f"{best} {verdict} {name} on {comparison.title}: {found.difference:+.3f} "
            f"{METRIC_NAMES[metric]}, 95 % interval [{found.interval[0]:.3f}, "
            f"{found.interval[1]:.3f}], p = {corrected[name]:.2g} after Holm."
        )
