"""What a reader can choose about a report."""

from __future__ import annotations

from dataclasses import dataclass

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.schema import DIRECTIONS

COMPLETE = ("places", "methods")
"""What rank tests keep where a method lacks a place: every place, or every method."""

CORRECTIONS = ("holm", "none", "bonferroni", "fdr_bh")
"""Corrections of p-values for multiple comparisons, by their names in statsmodels."""


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
        correction: Correction of p-values for multiple comparisons.
        complete: What rank tests keep where a method lacks a place; of ``COMPLETE``.
        reach: Value of the first metric whose price in seed links is asked for, in (0, 1].
        published: Whether tables show the printed numbers of the papers beside the measured ones.
        significance: Whether the main table marks a best number that is significantly better
            than the second.

    Raises:
        ReportError: If a direction, a metric or a correction does not exist, or ``reach`` cannot
            be reached.
    """

    csls: int | None = None
    direction: str = "src2tgt"
    metrics: tuple[str, ...] = ("hits@1", "hits@10", "mrr", "precision", "recall", "f1")
    curve_metric: str = "mrr"
    correction: str = "holm"
    complete: str = "places"
    reach: float = 0.5
    published: bool = False
    significance: bool = False

    def __post_init__(self) -> None:
        _check("direction", (self.direction,), DIRECTIONS)
        _check("metric", (*self.metrics, self.curve_metric), tuple(METRIC_NAMES))
        _check("correction", (self.correction,), CORRECTIONS)
        _check("complete", (self.complete,), COMPLETE)
        if not 0.0 < self.reach <= 1.0:
            raise ReportError(
                f"The value to reach must lie above 0 and not above 1, not {self.reach:g}. "
                "Write a fraction such as 0.5."
            )
        if not self.metrics:
            raise ReportError(f"Name at least one metric: {', '.join(METRIC_NAMES)}.")


def _check(what: str, values: tuple[str, ...], valid: tuple[str, ...]) -> None:
    for value in values:
        if value not in valid:
            raise ReportError(f"Unknown {what} '{value}'. Valid: {', '.join(valid)}.")
