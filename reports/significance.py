"""Significance: t-tests over repeats in each place, and rank tests over places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from mmea_bench.reports.core.document import (
    Block,
    Cell,
    Document,
    Missing,
    NumberStyle,
    Row,
    Table,
    Text,
    format_number,
)
from mmea_bench.reports.core.figures.lines import method_names
from mmea_bench.reports.core.figures.rank_blocks import Family, rank_blocks
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import (
    Comparison,
    comparisons,
    mark_notes,
    shown_numbers,
)
from mmea_bench.reports.core.rows.gaps import gap_notes, left_out
from mmea_bench.reports.core.statistics.statistics import (
    CORRECTION_NAMES,
    LEVEL,
    TwoSampleTests,
    corrected,
    two_sample_tests,
)
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.table import Tables

NAME = "significance"
_FEW_REPEATS = 5
_MOST_SENTENCES = 8
_EFFECTS = (
    ("95 % interval", "from"),
    ("95 % interval", "to"),
    ("Hedges' g", "value"),
    ("Hedges' g", "from"),
    ("Hedges' g", "to"),
)
_EFFECT_STYLES: tuple[NumberStyle, ...] = (
    *("fraction", "fraction", "fraction", "effect", "effect", "effect", "p_value"),
)


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Tests of every place with two or more methods, then of all places together."""
    numbers = shown_numbers(tables, options)
    blocks: list[Block] = []
    families: dict[Family, list[Comparison]] = {}
    for comparison in comparisons(numbers, options):
        for family, part in _parts(comparison):
            blocks += _Contest.of(part, family, options.correction).blocks()
            if part.numbers["name"].nunique() >= 2:  # one method alone competes with nobody
                families.setdefault(family, []).append(part)
    for family, parts in families.items():
        blocks += rank_blocks(family, parts, options.correction, options.complete)
    gaps = gap_notes(tables, options, numbers)
    if not any(isinstance(block, Table) for block in blocks):
        reason = "No two methods have two or more repeats on the same dataset and ratio."
        return left_out(reason, gaps)
    shown = [part.numbers for parts in families.values() for part in parts]
    return Document(NAME, "Significance", tuple(blocks), (*_notes(pd.concat(shown)), *gaps))


def _notes(shown: pd.DataFrame) -> Iterator[str]:
    yield (
        "Methods that read entity names, learn from pseudo-labels (iterative) or chose the "
        "checkpoint on the test links are compared among themselves."
    )
    yield (
        "Best: best mean. Difference: best minus the other; its interval is Welch's. Hedges' g "
        "is the difference in standard deviations, corrected for few repeats; its interval is "
        "that of the noncentral t distribution. Student's test assumes equal variances, Welch's "
        "does not, the paired one compares repeat by repeat (methods share the splits; – where "
        "fewer than two repeats match or all differ alike). Welch's p is corrected for the "
        "number of rows of its table."
    )
    yield from mark_notes(shown)


def _parts(comparison: Comparison) -> Iterator[tuple[Family, Comparison]]:
    """The numbers of a place that may be compared with each other, in the figures' metric."""
    metric = comparison.metrics[0]
    numbers = comparison.numbers[comparison.numbers["metric"] == metric]
    numbers = numbers.assign(name=method_names(numbers))
    for (on_test, section), own in numbers.groupby(["on_test", "section"], sort=True):
        on_test_words = "chosen on test links" if on_test else ""
        words = (comparison.conditions, str(section), on_test_words)
        family = Family(", ".join(filter(None, words)), metric, comparison.rules)
        title = f"{comparison.place}, {family.rules_text}"
        yield family, replace(comparison, title=title, numbers=own)


@dataclass(frozen=True, eq=False)
class _Contest:
    """The best method of a place against every other.

    Attributes:
        part: The place.
        family: What its numbers have in common.
        runs: Name to the value of each repeat, best mean first.
        best: Best of those with two or more repeats; None for fewer than two such methods.
        tests: Name of every other to its tests, or why there are none.
        p_values: Name of every tested one to Welch's corrected p.
        correction: Name of the correction.
    """

    part: Comparison
    family: Family
    runs: dict[str, pd.Series[float]]
    best: str | None
    tests: dict[str, TwoSampleTests | str]
    p_values: dict[str, float]
    correction: str

    @classmethod
    def of(cls, part: Comparison, family: Family, correction: str) -> _Contest:
        found = {
            str(name): own.groupby("repeat")["value"].mean()
            for name, own in part.numbers.groupby("name")
        }
        order = sorted(found, key=lambda name: (-family.sign * found[name].mean(), name))
        runs = {name: found[name] for name in order}
        enough = [name for name in order if len(runs[name]) >= 2]
        if len(enough) < 2:
            return cls(part, family, runs, None, {}, {}, correction)
        best = enough[0]
        tests = {name: _tests(runs[best], runs[name]) for name in order if name != best}
        done = {name: found.welch for name, found in tests.items() if not isinstance(found, str)}
        p_values = dict(zip(done, corrected(list(done.values()), correction), strict=True))
        return cls(part, family, runs, best, tests, p_values, correction)

    def blocks(self) -> Iterator[Block]:
        """Effects, runs side by side, and a sentence per comparison; one sentence if untested."""
        if self.best is None:
            if len(self.runs) >= 2:
                n_repeats = ", ".join(f"{name} has {len(own)}" for name, own in self.runs.items())
                yield Text(
                    f"{self.part.title}: no test, because fewer than two methods have two or more "
                    f"repeats ({n_repeats})."
                )
            return
        yield self._effects()
        yield self._run_by_run()
        sentences = " ".join(self._sentences())
        if sentences:
            yield Text(sentences)

    @property
    def _in_order(self) -> list[str]:
        return [str(self.best), *self.tests]

    def _effects(self) -> Table:
        rows = []
        for name in self._in_order:
            mean = Cell(float(self.runs[name].mean()), style=self.family.style)
            found = self.tests.get(name)
            cells = [Cell()] * len(_EFFECT_STYLES)
            if isinstance(found, TwoSampleTests):
                effect = (found.difference, *found.interval)
                standardised = (found.hedges_g, *found.hedges_interval)
                cells = [
                    Cell(number, style=self.family.style if style == "fraction" else style)
                    for number, style in zip(
                        (*effect, *standardised, self.p_values[name]), _EFFECT_STYLES, strict=True
                    )
                ]
            rows.append(Row((name, str(len(self.runs[name]))), (mean, *cells)))
        metric = METRIC_NAMES[self.family.metric]
        title = f"{metric} against {self.best}: {self.part.title}"
        means = ((metric, "mean"), (metric, "difference"))
        columns = (*means, *_EFFECTS, ("Welch's p", CORRECTION_NAMES[self.correction]))
        labels = ("method", "repeats")
        return Table(
            title, labels, ("group", "number"), columns, tuple(rows), tuple(self._untested())
        )

    def _run_by_run(self) -> Table:
        """Every value, with the p-values as computed, as CrossEA's Table 6 prints them."""
        repeats = sorted({int(str(repeat)) for own in self.runs.values() for repeat in own.index})
        rows = []
        for name in self._in_order:
            own, found = self.runs[name], self.tests.get(name)
            values = [own.get(repeat) for repeat in repeats]
            spread = float(own.std(ddof=1)) if len(own) >= 2 else None
            numbers = [*values, float(own.mean()), spread]
            p_values: tuple[float | None, ...] = (None, None, None)
            if isinstance(found, TwoSampleTests):
                p_values = (found.student, found.welch, found.paired)
            cells = [_number_cell(number, self.family.style) for number in numbers]
            cells += [_number_cell(p, "p_value") for p in p_values]
            rows.append(Row((name,), tuple(cells)))
        metric = METRIC_NAMES[self.family.metric]
        columns = (
            *(("run", str(repeat)) for repeat in repeats),
            *((metric, "mean"), (metric, "sd")),
            *((f"p against {self.best}", test) for test in ("Student", "Welch", "paired")),
        )
        title = f"{metric} run by run: {self.part.title}"
        return Table(title, ("method",), ("group", "number"), columns, tuple(rows))

    def _untested(self) -> Iterator[str]:
        for name, found in self.tests.items():
            if isinstance(found, str):
                yield f"{name} is not tested: {found}."

    def _sentences(self) -> Iterator[str]:
        name_of_metric = METRIC_NAMES[self.family.metric]
        ratio = self.part.place.removeprefix(self.part.dataset).strip()
        where = f"{self.part.dataset} at {ratio} ({self.family.rules_text})"
        tested = {
            name: found for name, found in self.tests.items() if isinstance(found, TwoSampleTests)
        }
        for name, found in list(tested.items())[:_MOST_SENTENCES]:
            p = self.p_values[name]
            verdict = "is better than" if p < LEVEL else "is not shown to be better than"
            low, high = found.interval
            yield (
                f"{self.best} {verdict} {name} on {where}: {found.difference:+.3f} "
                f"{name_of_metric}, 95 % interval [{low:.3f}, {high:.3f}], "
                f"p = {format_number(p, 'p_value')} {CORRECTION_NAMES[self.correction]}, "
                f"{_repeats(found.n_repeats)}."
            )
        if len(tested) > _MOST_SENTENCES:
            yield f"The table says the same of {len(tested) - _MOST_SENTENCES} more."
        if any(min(found.n_repeats) < _FEW_REPEATS for found in tested.values()):
            yield f"With fewer than {_FEW_REPEATS} repeats, tests find large differences only."


def _tests(best: pd.Series[float], other: pd.Series[float]) -> TwoSampleTests | str:
    shared = best.index.intersection(other.index)
    pairs = (best[shared].to_numpy(), other[shared].to_numpy())
    return two_sample_tests(best.to_numpy(), other.to_numpy(), pairs)


def _number_cell(value: float | None, style: NumberStyle) -> Cell:
    return Cell() if value is None else Cell(float(value), style=style)


def _repeats(sizes: Sequence[int]) -> str:
    """Printed number of repeats of both."""
    return " and ".join(str(n) for n in dict.fromkeys(sizes)) + " repeats"
