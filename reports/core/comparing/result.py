"""The whole comparison: what changed, what came of it, and what could not be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mmea_bench.reports.core.comparing.changes import Changes, find_changes
from mmea_bench.reports.core.comparing.pairs import (
    GROUP,
    Pairs,
    pair_numbers,
    setting_words,
)
from mmea_bench.reports.core.comparing.sides import Sides
from mmea_bench.reports.core.comparing.unpaired import Unpaired
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import BY_ID
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import STOPPED_ON_TEST, metric_style
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.reports.core.stated.interpretations import (
    interpretation_notes,
    interpreted_methods,
)
from mmea_bench.reports.core.statistics.paired import PairedDifference, paired_difference
from mmea_bench.reports.core.statistics.statistics import LEVEL, corrected
from mmea_bench.reports.core.words import LESS_IS_BETTER

EXIT_NOTHING_WORSE = 0
EXIT_WORSE = 1
EXIT_NOTHING_TO_COMPARE = 2


@dataclass(frozen=True)
class Difference:
    """One cell of both sides in one metric.

    Attributes:
        name: Method and variant, as far as both sides share them.
        dataset: Address.
        seed_ratio: Share of the anchor links that are seeds.
        setting: Protocol, input and scoring in words.
        metric: What was measured.
        repeats: Repeats that both sides have.
        paired: The numbers.
        corrected_p: p after the correction for all tested cells of the metric; None without test.
        verdict: ``better``, ``worse``, ``equal``, ``no difference shown``, or why nothing can be.
    """

    name: str
    dataset: str
    seed_ratio: float
    setting: str
    metric: str
    repeats: tuple[int, ...]
    paired: PairedDifference
    corrected_p: float | None = None
    verdict: str = ""

    @property
    def place(self) -> str:
        """Dataset and seed ratio."""
        return f"{self.dataset}, {percent(self.seed_ratio)}"

    @property
    def style(self) -> str:
        """How its numbers are printed."""
        return metric_style(self.metric)


@dataclass(frozen=True)
class Comparing:
    """Two sides held against each other.

    Attributes:
        labels: What the sides are called.
        kind: What was compared: folders, variants, methods or commits.
        changes: What differs between paired cells.
        differences: What came of it, by metric.
        unpaired: What is not compared, and why.
        options: Choices of the reader.
        problems: Sentences about records that could not be read.
        despite: In what paired cells may differ although it changes what a number means.
        interpretations: A sentence on the methods that are such; nothing where there are none.
    """

    labels: tuple[str, str]
    kind: str
    changes: Changes
    differences: tuple[Difference, ...]
    unpaired: tuple[Unpaired, ...]
    options: ReportOptions
    problems: tuple[str, ...] = ()
    despite: tuple[str, ...] = ()
    interpretations: tuple[str, ...] = ()

    @property
    def n_worse(self) -> int:
        """Numbers that are significantly worse on the second side."""
        return sum(each.verdict == "worse" for each in self.differences)

    @property
    def exit_code(self) -> int:
        """0 where nothing is significantly worse, 1 where something is, 2 without any pair."""
        if not self.differences:
            return EXIT_NOTHING_TO_COMPARE
        return EXIT_WORSE if self.n_worse else EXIT_NOTHING_WORSE

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "first": self.labels[0],
            "second": self.labels[1],
            "kind": self.kind,
            "n_paired_cells": self.changes.n_pairs,
            "changes": [asdict(each) for each in self.changes.found],
            "notes": [*self.changes.notes, *self.interpretations, *self.problems],
            "differences": [
                {**asdict(each), "paired": None, **asdict(each.paired)} for each in self.differences
            ],
            "unpaired": [asdict(each) for each in self.unpaired],
            "n_worse": self.n_worse,
            "exit_code": self.exit_code,
        }


def compare(sides: Sides, options: ReportOptions, despite: tuple[str, ...] = ()) -> Comparing:
    """Holds the second side against the first.

    Args:
        sides: Both sides.
        options: CSLS size, direction, metrics and the correction of p-values.
        despite: In what the sides may differ although it changes what a number means.

    Raises:
        ReportError: If what was asked for cannot be compared.
    """
    pairs = pair_numbers(sides, options, despite)
    found = _differences(pairs)
    tested = [
        each
        for metric in options.metrics
        for each in _tested([one for one in found if one.metric == metric], options.correction)
    ]
    problems = dict.fromkeys((*sides.first.tables.problems, *sides.second.tables.problems))
    interpreted = [interpreted_methods(each.tables.cells) for each in (sides.first, sides.second)]
    return Comparing(
        (sides.first.label, sides.second.label),
        sides.kind,
        find_changes(sides, pairs),
        tuple(tested),
        pairs.unpaired,
        options,
        tuple(problems),
        despite,
        interpretation_notes(interpreted[0] | interpreted[1], BY_ID),
    )


def _differences(pairs: Pairs) -> list[Difference]:
    if pairs.numbers.empty:
        return []
    found = []
    for _key, group in pairs.numbers.groupby([*GROUP, "metric", "direction"], sort=True):
        rows = group.sort_values("repeat")
        row: Mapping[str, Any] = {str(k): v for k, v in rows.iloc[0].to_dict().items()}
        found.append(
            Difference(
                name=f"{row['name']}{STOPPED_ON_TEST if rows['on_test'].any() else ''}",
                dataset=str(row["dataset"]),
                seed_ratio=float(row["seed_ratio"]),
                setting=setting_words(row),
                metric=str(row["metric"]),
                repeats=tuple(int(repeat) for repeat in rows["repeat"]),
                paired=paired_difference(
                    np.asarray(rows["first"], dtype=float), np.asarray(rows["second"], dtype=float)
                ),
            )
        )
    return found


def _tested(differences: Sequence[Difference], correction: str) -> list[Difference]:
    """The differences of one metric, their p-values corrected as one family, with verdicts."""
    p_values = [each.paired.p_value for each in differences if each.paired.p_value is not None]
    left = iter(corrected(p_values, correction))
    found = []
    for each in differences:
        p_value = None if each.paired.p_value is None else next(left)
        found.append(replace(each, corrected_p=p_value, verdict=_verdict(each, p_value)))
    return found


def _verdict(each: Difference, p_value: float | None) -> str:
    paired = each.paired
    if p_value is None:
        return "equal" if paired.is_zero else paired.why_no_test
    if p_value >= LEVEL:
        return "no difference shown"
    is_gain = (paired.difference > 0) != (each.metric in LESS_IS_BETTER)
    return "better" if is_gain else "worse"


def nothing_in_common(comparing: Comparing) -> ReportError:
    """Why two sides have no number in common, for the user."""
    reasons = [
        f"{each.side}: {each.method} on {each.place}: {each.why}" for each in comparing.unpaired[:3]
    ]
    more = len(comparing.unpaired) - len(reasons)
    listed = "".join(f"\n  - {reason}" for reason in reasons)
    return ReportError(
        f"{comparing.labels[0]} and {comparing.labels[1]} have no number that can be paired."
        f"{listed}" + (f"\n  - and {more} more" if more > 0 else "")
    )
