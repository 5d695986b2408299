"""Significance: t-tests over repeats in each place, and rank tests over places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd

from mmea_bench.reports.core.certain import explained, with_certain
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
from mmea_bench.reports.core.rows.reference import Competitors, competitors_of, why_no_test
from mmea_bench.reports.core.statistics.selected_best import best_p_values
from mmea_bench.reports.core.statistics.statistics import (
    CORRECTION_NAMES,
    LEVEL,
    Effect,
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
_P_NAMES = {"welch": "Welch's p", "student": "Student's p", "paired": "paired p"}
_ALL_REPEATS = "; its interval is Welch's."
_PAIRED = (
    " over the repeats that both have (Hedges' g too); its interval is Student's, of the "
    "differences by repeat."
)
_ANY_INPUT = "any input"


def build(tables: Tables, options: ReportOptions) -> Document | Missing:
    """Tests of every place with two or more methods, then of all places together."""
    numbers = shown_numbers(tables, options)
    blocks: list[Block] = []
    families: dict[Family, list[Comparison]] = {}
    contests: list[_Contest] = []
    for comparison in comparisons(numbers, options):
        parts = list(_parts(comparison, options))
        crossed = [_crossed(comparison, options)] if options.across_inputs else parts
        contests += [_Contest.of(part, family, options) for family, part in crossed]
        for family, part in parts:
            if part.numbers["name"].nunique() >= 2:  # one method alone competes with nobody
                families.setdefault(family, []).append(part)
    for contest in contests:
        blocks += contest.blocks()
    for family, own in families.items():
        blocks += rank_blocks(family, own, options.correction, options.complete, options.names)
    gaps = gap_notes(tables, options, numbers)
    if not any(isinstance(block, Table) for block in blocks):
        found = [contest.found for contest in contests]
        return left_out(why_no_test(found, options), gaps)
    shown = pd.concat(
        [
            *(contest.part.numbers for contest in contests if not contest.found.reason),
            *(part.numbers for own in families.values() for part in own),
        ]
    )
    return Document(NAME, "Significance", tuple(blocks), (*_notes(shown, options), *gaps))


def _notes(shown: pd.DataFrame, options: ReportOptions) -> Iterator[str]:
    if options.across_inputs:
        yield (
            "Methods are compared whatever their input: the column says what each was given "
            "(names, pseudo-labels) and whether its checkpoint was chosen on the test links. A "
            "difference between two inputs is no difference between two methods alone."
        )
    else:
        yield (
            "Methods that read entity names, learn from pseudo-labels (iterative) or chose the "
            "checkpoint on the test links are compared among themselves."
        )
    yield (
        f"{'Reference' if options.reference else 'Best: best mean'}. Difference: "
        f"{'reference' if options.reference else 'best'} minus the other"
        f"{_PAIRED if options.test == 'paired' else _ALL_REPEATS} "
        "Hedges' g is the difference in standard deviations, corrected for few repeats; "
        "its interval is that of the noncentral t distribution. Student's test assumes equal "
        "variances, Welch's does not, the paired one compares repeat by repeat (methods share the "
        "splits; – where fewer than two repeats match or all differ alike). "
        f"The column of {_P_NAMES[options.test]} is corrected for "
        "the rows of its table where a reference was named, else for all pairs of these methods, "
        "because their numbers choose the best. "
        "Ablations and other settings of a method are no rivals: the ablation report compares them."
    ).removeprefix("Reference. ")
    yield from mark_notes(shown)


def _parts(comparison: Comparison, options: ReportOptions) -> Iterator[tuple[Family, Comparison]]:
    """The numbers of a place that may be compared with each other, in the figures' metric."""
    numbers = _named(comparison, options)
    for (on_test, section), own in numbers.groupby(["on_test", "section"], sort=True):
        words = _input(str(section), on_test=bool(on_test))
        yield _part(comparison, own, words)


def _crossed(comparison: Comparison, options: ReportOptions) -> tuple[Family, Comparison]:
    """All numbers of a place, whatever the methods were given."""
    return _part(comparison, _named(comparison, options), _ANY_INPUT)


def _part(comparison: Comparison, numbers: pd.DataFrame, words: str) -> tuple[Family, Comparison]:
    metric = comparison.metrics[0]
    family = Family(f"{comparison.conditions}, {words}", metric, comparison.rules)
    title = f"{comparison.place}, {family.rules_text}"
    return family, replace(comparison, title=title, numbers=numbers)


def _named(comparison: Comparison, options: ReportOptions) -> pd.DataFrame:
    """Numbers of the figures' metric, with ``name`` and ``input``."""
    numbers = comparison.numbers[comparison.numbers["metric"] == comparison.metrics[0]]
    inputs = [
        _input(section, on_test=on_test)
        for section, on_test in zip(numbers["section"], numbers["on_test"], strict=True)
    ]
    return numbers.assign(name=method_names(numbers, options.names), input=inputs)


def _input(section: str, *, on_test: bool) -> str:
    return f"{section}, chosen on test links" if on_test else section


@dataclass(frozen=True, eq=False)
class _Contest:
    """The reference of a place, or its best method, against every rival.

    Attributes:
        part: The place.
        family: What its numbers have in common.
        found: Who competes, or why nobody does.
        tests: Name of every rival to its tests, or why there are none.
        p_values: Name of every tested one to its corrected p.
        options: Choices of the reader.
    """

    part: Comparison
    family: Family
    found: Competitors
    tests: dict[str, TwoSampleTests | str]
    p_values: dict[str, float]
    options: ReportOptions

    @classmethod
    def of(cls, part: Comparison, family: Family, options: ReportOptions) -> _Contest:
        found = competitors_of(part.numbers, options, family.sign)
        if found.reason:
            return cls(part, family, found, {}, {}, options)
        tests = {
            name: _tests(found.runs[found.first], found.runs[name], options.test)
            for name in found.runs
            if name != found.first
        }
        return cls(part, family, found, tests, _corrected(found, tests, options), options)

    @property
    def runs(self) -> dict[str, pd.Series[float]]:
        """Name to the value of each repeat, the reference or best one first."""
        return self.found.runs

    def blocks(self) -> Iterator[Block]:
        """Effects, runs side by side, and a sentence per comparison; one sentence if untested."""
        if self.found.reason:
            if self.found.is_worth_telling:
                yield Text(f"{self.part.title}: no test, because {self.found.reason}.")
            return
        yield self._effects()
        yield self._run_by_run()
        sentences = " ".join(self._sentences())
        if sentences:
            yield Text(sentences)

    @property
    def _in_order(self) -> list[str]:
        return [self.found.first, *self.tests]

    def _effects(self) -> Table:
        rows = []
        for name in self._in_order:
            mean = with_certain(
                Cell(float(self.runs[name].mean()), style=self.family.style),
                self.part.numbers[self.part.numbers["name"] == name],
            )
            found = self.tests.get(name)
            cells = [Cell()] * len(_EFFECT_STYLES)
            if isinstance(found, TwoSampleTests):
                effect = found.effect(self.options.test)
                plain = (effect.difference, *effect.interval)
                standardised = (effect.hedges_g, *effect.hedges_interval)
                cells = [
                    Cell(number, style=self.family.style if style == "fraction" else style)
                    for number, style in zip(
                        (*plain, *standardised, self.p_values[name]), _EFFECT_STYLES, strict=True
                    )
                ]
            own_input = (self.found.inputs[name],) * self.options.across_inputs
            rows.append(Row((name, *own_input, str(len(self.runs[name]))), (mean, *cells)))
        metric = METRIC_NAMES[self.family.metric]
        title = f"{metric} against {self.found.first}: {self.part.title}"
        means = ((metric, "mean"), (metric, "difference"))
        columns = (*means, *_EFFECTS, self._p_column)
        labels = ("method", *("input",) * self.options.across_inputs, "repeats")
        return explained(
            Table(title, labels, ("group", "number"), columns, tuple(rows), tuple(self._untested()))
        )

    @property
    def _p_column(self) -> tuple[str, str]:
        return _P_NAMES[self.options.test], CORRECTION_NAMES[self.options.correction]

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
            *((f"p against {self.found.first}", test) for test in ("Student", "Welch", "paired")),
        )
        title = f"{metric} run by run: {self.part.title}"
        return Table(title, ("method",), ("group", "number"), columns, tuple(rows))

    def _untested(self) -> Iterator[str]:
        for name, found in self.tests.items():
            if isinstance(found, str):
                yield f"{name} is not tested: {found}."
        if self.found.aside:
            yield f"No rivals, but ablations or other settings: {', '.join(self.found.aside)}."

    def _despite(self, name: str) -> str:
        """How the inputs of the two differ, if they do."""
        own, other = self.found.inputs[self.found.first], self.found.inputs[name]
        if own == other:
            return ""
        return f", where their input differs ({self.found.first}: {own}; {name}: {other})"

    def _sentences(self) -> Iterator[str]:
        effects = {
            name: found.effect(self.options.test)
            for name, found in self.tests.items()
            if isinstance(found, TwoSampleTests)
        }
        for name in list(effects)[:_MOST_SENTENCES]:
            yield self._sentence(name, effects[name])
        if len(effects) > _MOST_SENTENCES:
            yield f"The table tells of {len(effects) - _MOST_SENTENCES} more."
        if any(min(effect.n_repeats) < _FEW_REPEATS for effect in effects.values()):
            yield f"With fewer than {_FEW_REPEATS} repeats, tests find large differences only."

    def _sentence(self, name: str, effect: Effect) -> str:
        """The verdict on one rival, in the direction of the difference that was tested."""
        ratio = self.part.place.removeprefix(self.part.dataset).strip()
        where = f"{self.part.dataset} at {ratio} ({self.family.rules_text})"
        p = self.p_values[name]
        shown = "is" if p < LEVEL else "is not shown to be"
        side = "worse" if self.family.sign * effect.difference < 0 else "better"
        low, high = effect.interval
        return (
            f"{self.found.first} {shown} {side} than {name} on {where}{self._despite(name)}: "
            f"{effect.difference:+.3f} "
            f"{METRIC_NAMES[self.family.metric]}, 95 % interval [{low:.3f}, {high:.3f}], "
            f"p = {format_number(p, 'p_value')} {CORRECTION_NAMES[self.options.correction]}, "
            f"{_repeats(effect.n_repeats, self.options.test)}."
        )


def _tests(first: pd.Series[float], other: pd.Series[float], test: str) -> TwoSampleTests | str:
    shared = first.index.intersection(other.index)
    pairs = (first[shared].to_numpy(), other[shared].to_numpy())
    found = two_sample_tests(first.to_numpy(), other.to_numpy(), pairs)
    if test == "paired" and not isinstance(found, str) and found.paired is None:
        return "fewer than two repeats match, or all differ alike"
    return found


def _corrected(
    found: Competitors, tests: Mapping[str, TwoSampleTests | str], options: ReportOptions
) -> dict[str, float]:
    """Corrected p of every rival that is tested.

    A reference that was named beforehand makes one family with its rivals; the best one was chosen
    by the numbers, so all pairs are the family.
    """
    done = {
        name: _p(tested, options.test)
        for name, tested in tests.items()
        if not isinstance(tested, str)
    }
    if options.reference:
        return dict(zip(done, corrected(list(done.values()), options.correction), strict=True))
    if options.test == "welch":
        names = list(found.runs)
        samples = [found.runs[name].to_numpy() for name in names]
        places = best_p_values(samples, names.index(found.first), options.correction)
        return {names[place]: p for place, p in places.items()}
    for first, second in combinations([name for name in found.runs if name != found.first], 2):
        tested = _tests(found.runs[first], found.runs[second], options.test)
        if not isinstance(tested, str):
            done[f"{first} against {second}"] = _p(tested, options.test)
    family = dict(zip(done, corrected(list(done.values()), options.correction), strict=True))
    return {name: p for name, p in family.items() if name in tests}


def _p(found: TwoSampleTests, test: str) -> float:
    """The p-value that decides."""
    return float(getattr(found, test))


def _number_cell(value: float | None, style: NumberStyle) -> Cell:
    return Cell() if value is None else Cell(float(value), style=style)


def _repeats(sizes: Sequence[int], test: str) -> str:
    """Printed number of repeats of both."""
    noun = "shared repeats" if test == "paired" else "repeats"
    return " and ".join(str(n) for n in dict.fromkeys(sizes)) + f" {noun}"
