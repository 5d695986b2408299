"""Printed, reference and own number of one training, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mmea_bench.reports.core.document import NOTHING, Cell, format_number
from mmea_bench.reports.core.evidence.reference import Run, own_numbers
from mmea_bench.reports.core.published.document import signed
from mmea_bench.reports.core.published.verdicts import CheckRow, check_rows
from mmea_bench.reports.core.words import METRIC_NAMES
from mmea_bench.results.core.published import Published
from mmea_bench.results.core.table import Tables

METRICS = ("hits@1", "hits@10", "mrr", "precision", "recall", "f1")
NOTHING_PRINTED = "nothing printed"


@dataclass(frozen=True)
class ThreeNumbers:
    """One metric.

    Attributes:
        metric: What was measured.
        scoring: How ours was scored, in words.
        printed: The printed number, None for none.
        source: Where it is printed.
        reference: Mean over the shipped repeats, None for none.
        reference_sd: Their deviation, None for fewer than two.
        n_reference: Shipped repeats.
        yours: Mean over the repeats that were run.
        sd: Their deviation, None for fewer than two.
        n: Repeats that were run.
        verdict: As `bench check` gives it, or that nothing is printed.
        reason: What speaks against a comparison; "" for nothing.
        remark: What the reader must know; "" for nothing.
    """

    metric: str
    scoring: str
    printed: float | None
    source: str
    reference: float | None
    reference_sd: float | None
    n_reference: int
    yours: float
    sd: float | None
    n: int
    verdict: str
    reason: str = ""
    remark: str = ""

    @property
    def metric_name(self) -> str:
        """As papers print it."""
        return METRIC_NAMES[self.metric]

    @property
    def texts(self) -> list[str]:
        """A row of the final table."""
        printed = NOTHING
        difference = NOTHING
        if self.printed is not None:
            printed = f"{format_number(self.printed, 'fraction')} {self.source}"
            difference = signed(self.yours - self.printed)
        reference = NOTHING
        if self.reference is not None:
            cell = Cell(self.reference, self.reference_sd, self.n_reference)
            reference = f"{cell.plain} ({self.n_reference})"
        yours = f"{Cell(self.yours, self.sd, self.n).plain} ({self.n})"
        return [
            *(self.metric_name, self.scoring, printed, reference, yours, difference),
            self.verdict,
        ]

    @property
    def notes(self) -> list[str]:
        """Sentences below the table."""
        reason = f"Not comparable: {self.reason}." if self.verdict == "not comparable" else ""
        return [text for text in (reason, f"{self.remark}." if self.remark else "") if text]


def three_numbers(
    tables: Tables, shipped: Tables | None, run: Run, published: Published
) -> list[ThreeNumbers]:
    """The numbers of a run, each beside the printed and the reference one.

    Args:
        tables: What was run.
        shipped: Reference runs, None for none.
        run: Which training.
        published: What the sources print.
    """
    ours = _checked(tables, run, published)
    theirs = [] if shipped is None else _checked(shipped, run, published)
    by_metric = {(row.metric, row.scoring): row for row in theirs}
    rows = [_beside(row, by_metric.get((row.metric, row.scoring))) for row in ours]
    if rows:
        return sorted(rows, key=lambda row: METRICS.index(row.metric))
    own = own_numbers(tables, run, METRICS)
    kept = {} if shipped is None else own_numbers(shipped, run, METRICS)
    return [_unprinted(metric, values, kept.get(metric, ())) for metric, values in own.items()]


def _checked(tables: Tables, run: Run, published: Published) -> list[CheckRow]:
    check = check_rows(tables, published.results, scoring=published.scoring)
    return [
        row
        for row in check.rows
        if (row.method, row.variant, row.dataset) == (run.method, run.variant, run.dataset)
        and abs(row.seed_ratio - run.seed_ratio) < 1e-9
        and row.protocol == run.protocol
        and row.metric in METRICS
        and row.published is not None
    ]


def _beside(row: CheckRow, reference: CheckRow | None) -> ThreeNumbers:
    return ThreeNumbers(
        row.metric,
        row.scoring,
        row.published,
        row.source,
        None if reference is None else reference.mean,
        None if reference is None else reference.sd,
        0 if reference is None else reference.n,
        row.mean,
        row.sd,
        row.n,
        row.verdict,
        row.reason,
        row.remark,
    )


def _unprinted(metric: str, values: Sequence[float], reference: Sequence[float]) -> ThreeNumbers:
    return ThreeNumbers(
        metric,
        "own similarity",
        None,
        "",
        fmean(reference) if reference else None,
        _sd(reference),
        len(reference),
        fmean(values),
        _sd(values),
        len(values),
        NOTHING_PRINTED,
    )


def _sd(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) >= 2 else None
