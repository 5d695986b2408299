"""Fidelity: how near each method comes to its printed Hits@1, and what explains a miss."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from mmea_bench.reports.core.evidence.order import dataset_order
from mmea_bench.reports.core.names import FULL
from mmea_bench.reports.core.published.verdicts import Check, CheckRow
from mmea_bench.reports.core.rows.identity import protocol_name
from mmea_bench.results.core.measured.remarks import (
    INTERPRETED,
    RELEASED,
    Remark,
    remark_on,
)
from mmea_bench.results.core.published import name_key

METRIC = "hits@1"
FURTHER = ("hits@10", "mrr")
RELEASED_WITHIN = 0.015
INTERPRETED_WITHIN = 0.03
SPREADS = 2
"""Standard deviations that the goal of a method with released code allows."""
TO_EXPLAIN = "To be explained."
_ROUNDING = 1e-9

Outcome = Literal["met", "missed", "not comparable"]


@dataclass(frozen=True)
class FidelityRow:
    """One method in one place, held against the printed Hits@1.

    Attributes:
        check: The measured Hits@1 beside the printed one.
        origin: ``released code`` or ``interpretation``.
        goal: Largest difference that the project allows itself.
        outcome: Whether the goal is met.
        sentence: Why it is not, or why it cannot be asked; "" where nothing needs saying.
        further: Other metrics to the difference from the printed number.
    """

    check: CheckRow
    origin: str
    goal: float
    outcome: Outcome
    sentence: str
    further: Mapping[str, float]

    @property
    def is_unexplained(self) -> bool:
        """Whether the goal is missed and nobody has said why."""
        return self.outcome == "missed" and self.sentence.endswith(TO_EXPLAIN)


@dataclass(frozen=True)
class Fidelity:
    """All rows, and what was not measured.

    Attributes:
        rows: By dataset, seed ratio, method and variant.
        not_measured: Printed name of a method to its datasets with a printed number and no run
            of the full method that ended ok.
        notes: Sentences of the check.
    """

    rows: tuple[FidelityRow, ...]
    not_measured: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def count(self, outcome: Outcome) -> int:
        """Rows with an outcome."""
        return sum(row.outcome == outcome for row in self.rows)


def goal_of(origin: str, sd: float | None) -> float:
    """The largest difference in Hits@1 that meets the goal.

    Args:
        origin: ``released code`` or ``interpretation``.
        sd: Standard deviation over the repeats, None for one.

    Returns:
        0.015 or two standard deviations where code was released, whichever is larger; else 0.03.
    """
    if origin == RELEASED:
        return max(RELEASED_WITHIN, SPREADS * (sd or 0.0))
    return INTERPRETED_WITHIN


def fidelity(
    check: Check,
    published: pd.DataFrame,
    origins: Mapping[str, str],
    remarks: Sequence[Remark],
    methods: Collection[str],
) -> Fidelity:
    """The fidelity of everything that was measured under protocol ``paper``.

    Args:
        check: Of the reference runs.
        published: ``Published.results``.
        origins: Key of a method's name to what it stands on; ``interpretation`` where it is not
            named.
        remarks: Hand-written sentences.
        methods: Catalogue names of all methods that exist.
    """
    shown = [row for row in check.rows if protocol_name(row.protocol) == "paper"]
    shown = [row for row in shown if row.published is not None]
    further: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in shown:
        if row.metric in FURTHER and row.difference is not None:
            further.setdefault(_place(row), {})[row.metric] = row.difference
    rows = [
        _row(row, origins, remarks, further.get(_place(row), {}))
        for row in shown
        if row.metric == METRIC
    ]
    rows.sort(key=lambda row: dataset_order(row.check.dataset))
    measured = {
        (name_key(row.check.method), row.check.dataset)
        for row in rows
        if row.check.variant.partition("[")[0] == FULL
    }
    return Fidelity(tuple(rows), dict(_not_measured(published, methods, measured)), check.notes)


def _place(row: CheckRow) -> tuple[Any, ...]:
    return (
        *(row.method, row.variant, row.dataset, row.dataset_version),
        *(row.seed_ratio, row.protocol, row.setting),
    )


def _row(
    row: CheckRow,
    origins: Mapping[str, str],
    remarks: Sequence[Remark],
    further: Mapping[str, float],
) -> FidelityRow:
    origin = origins.get(name_key(row.method), INTERPRETED)
    goal = goal_of(origin, row.sd)
    variant = row.variant.partition("[")[0]
    said = remark_on(remarks, row.method, variant, row.dataset, row.seed_ratio)
    outcome: Outcome
    if row.verdict == "not comparable" or row.difference is None:
        outcome = "not comparable"
        sentence = ". ".join(filter(None, (_sentence(row.reason), said.rstrip("."))))
    else:
        is_met = abs(row.difference) <= goal + _ROUNDING
        outcome = "met" if is_met else "missed"
        despite = f"Despite {row.reason}" if row.reasons else ""
        own = said.rstrip(".") or ("" if is_met else TO_EXPLAIN.rstrip("."))
        sentence = ". ".join(filter(None, (despite, own)))
    if sentence and not sentence.endswith("."):
        sentence += "."
    return FidelityRow(row, origin, goal, outcome, sentence, further)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _not_measured(
    published: pd.DataFrame, methods: Collection[str], measured: Collection[tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Methods that exist, with the datasets for which a Hits@1 is printed and none measured."""
    existing = {name_key(name) for name in methods}
    printed = published[published["reads_as"] == METRIC]
    for name, rows in sorted(printed.groupby("method"), key=lambda pair: str(pair[0]).lower()):
        key = name_key(str(name))
        datasets = tuple(
            dataset
            for dataset in sorted(set(rows["dataset"]), key=dataset_order)
            if (key, dataset) not in measured
        )
        if key in existing and datasets:
            yield str(name), datasets
