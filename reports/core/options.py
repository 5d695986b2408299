"""What a reader can choose about a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.names import BY_ID, Names
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import DANGLING_METRICS, DIRECTIONS

COMPLETE = ("places", "methods")
"""What rank tests keep where a method lacks a place: every place, or every method."""

CORRECTIONS = ("holm", "none", "bonferroni", "fdr_bh")
"""Corrections of p-values for multiple comparisons, by their names in statsmodels."""

APART = ("commit", "versions", "device")
"""What can tell cells apart that would else be repeats of each other."""


TESTS = ("welch", "student", "paired")
"""t-tests of two methods over repeats that a p-value can come from."""


def _option(default: Any, text: str, **more: Any) -> Any:
    """A field with the help of its option on the command line."""
    return field(default=default, metadata={"help": text, "panel": None, **more})


@dataclass(frozen=True)
class ReportOptions:
    """Choices of the reader; every report reads those that concern it.

    Attributes:
        csls: Neighbourhood size of the scores to show; None takes 3 where there is such a score,
            otherwise 0.
        direction: ``src2tgt`` as the papers print, ``tgt2src``, or the ``mean`` of both.
        metrics: Metrics of tables, in printing order; a table shows those it has numbers of.
            Cosines by rank and weights of modalities have reports of their own.
        curve_metric: Metric of learning curves; those of predicted pairs show F1.
        methods: Methods to show; empty for all.
        variants: Variants to show, with or without their settings; empty for all.
        datasets: Datasets to show, with or without their options; empty for all.
        reference: Method that tests hold against every other; empty for the best of each place.
        across_inputs: Whether the reference is also held against methods with other input.
        test: Which t-test decides; of ``TESTS``.
        correction: Correction of p-values for multiple comparisons.
        complete: What rank tests keep where a method lacks a place; of ``COMPLETE``.
        reach: Value of the first metric whose price in seed links is asked for, in (0, 1].
        published: Whether tables show the printed numbers of the papers beside the measured ones.
        significance: Whether the main table marks a best number that is significantly better
            than the second.
        apart: Cells that differ in these are no repeats of each other; of ``APART``.
        title: Heading of the report and the web page; empty for one made from the suites.
        names: How methods, variants and datasets are printed.

    Raises:
        ReportError: If a direction, a metric, a test or a correction does not exist, ``reach``
            cannot be reached, or inputs are to be crossed without a reference.
    """

    csls: int | None = _option(None, "Neighbours of CSLS; 0 is none.", min=0)
    direction: str = _option("src2tgt", "src2tgt, tgt2src or mean.")
    metrics: tuple[str, ...] = _option(
        ("hits@1", "hits@10", "mrr", "precision", "recall", "f1", *DANGLING_METRICS),
        "Metrics of ranks in tables; figures show the first.",
    )
    curve_metric: str = _option("mrr", "Metric of learning curves, such as hits@1.")
    methods: tuple[str, ...] = _option((), "Show these methods only.")
    variants: tuple[str, ...] = _option((), "Show these variants only, such as full.")
    datasets: tuple[str, ...] = _option((), "Show these datasets only.")
    reference: str = _option("", "Method that significance tests hold against every other.")
    across_inputs: bool = _option(
        False,  # noqa: FBT003 - a default
        "Hold the reference against methods with other input (names, pseudo-labels), too.",
        flag="--across-inputs",
    )
    test: str = _option("welch", "t-test of the significance report: welch, student or paired.")
    correction: str = _option("holm", "Of p-values: holm, none, bonferroni or fdr_bh.")
    complete: str = _option(
        "places", "What rank tests keep where a method lacks a place: places or methods."
    )
    apart: tuple[str, ...] = _option((), "Never average across these: commit, versions, device.")
    reach: float = _option(0.5, "Value whose price in seed links is shown.")
    published: bool = _option(
        False,  # noqa: FBT003 - a default
        "Show the papers' numbers too; without DIR, their tables alone.",
        flag="--published",
    )
    significance: bool = _option(
        False,  # noqa: FBT003 - a default
        "Mark a best number that is significantly better than the second best.",
        flag="--significance",
    )
    title: str = _option("", "Heading of report.md and the web page.")
    names: Names = BY_ID

    def __post_init__(self) -> None:
        _check("direction", (self.direction,), DIRECTIONS)
        _check("metric", (*self.metrics, self.curve_metric), tuple(METRIC_NAMES))
        _check("correction", (self.correction,), CORRECTIONS)
        _check("word of --apart", self.apart, APART)
        _check("test", (self.test,), TESTS)
        _check("complete", (self.complete,), COMPLETE)
        if not 0.0 < self.reach <= 1.0:
            raise ReportError(
                f"The value to reach must lie above 0 and not above 1, not {self.reach:g}. "
                "Write a fraction such as 0.5."
            )
        if not self.metrics:
            raise ReportError(f"Name at least one metric: {', '.join(METRIC_NAMES)}.")
        if self.across_inputs and not self.reference:
            raise ReportError(
                "Inputs are crossed for one method against the others. Name it with --reference."
            )


def _check(what: str, values: tuple[str, ...], valid: tuple[str, ...]) -> None:
    for value in values:
        if value not in valid:
            raise ReportError(f"Unknown {what} '{value}'. Valid: {', '.join(valid)}.")
