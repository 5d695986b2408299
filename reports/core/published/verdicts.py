"""Measured against published, cell by cell: what is the same, and what cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
from scipy import stats

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.match import (
    REASON_KINDS,
    Printed,
    PublishedNumbers,
    Reason,
    other_ratios,
)
from mmea_bench.reports.core.published.measured import Measured, measured_numbers
from mmea_bench.reports.core.published.scoring import Choice, Scoring, choose
from mmea_bench.reports.core.published.settings import with_own_protocols
from mmea_bench.reports.core.rows.select import DEFAULT_CSLS, current_cells, name_of
from mmea_bench.reports.core.statistics.statistics import CONFIDENCE
from mmea_bench.results.core.published_files import METRICS
from mmea_bench.results.core.published_scoring import PrintedScoring
from mmea_bench.results.core.table import Tables

Verdict = Literal["reproduced", "close", "better", "off", "not comparable"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "close", "better", "off", "not comparable")
REPRODUCED_WITHIN = 0.01
REPRODUCED_WITHIN_INTERVAL = 0.02
CLOSE_WITHIN = 0.03
FEWEST_REPEATS = 3
# Differences of printed decimals are never exact in binary: .455 - .445 is a little above .01.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class CheckRow:
    """One measured number beside the published one.

    Attributes:
        method: Catalogue name.
        variant: Variant with its overrides in brackets.
        dataset: Dataset address.
        dataset_version: Content hash of the dataset.
        seed_ratio: Training share of the anchor links.
        protocol: Rules of training and stopping, in words of the cell alone.
        setting: Names or not, iterative or not, and how pairs were predicted.
        metric: What was measured.
        scoring: Similarity, CSLS and decoder of ours, in words.
        published_scoring: The same of the published number; ``not stated``.
        mean: Mean over repeats.
        sd: Sample standard deviation, None for one repeat.
        n: Repeats that ended ok.
        n_failed: Repeats that did not, or no longer do.
        plain: Mean without CSLS, None if that was not scored or is ``mean`` itself.
        published: The number to compare with, None if there is none for the seed ratio.
        source: Where it is printed.
        difference: ``mean - published``.
        verdict: One of ``VERDICTS``.
        reasons: What speaks against a comparison, also where it was made nevertheless.
        others: Other printed numbers of the same cell, with their sources.
        remark: What the reader must know about the numbers; empty for nothing.
    """

    method: str
    variant: str
    dataset: str
    dataset_version: str
    seed_ratio: float
    protocol: str
    setting: str
    metric: str
    scoring: str
    published_scoring: str
    mean: float
    sd: float | None
    n: int
    n_failed: int
    plain: float | None
    published: float | None
    source: str
    difference: float | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    others: tuple[Printed, ...]
    remark: str

    @property
    def name(self) -> str:
        """Printed name of method and variant."""
        return name_of(self.method, self.variant)

    @property
    def reason(self) -> str:
        """All reasons as one text."""
        return "; ".join(reason.text for reason in self.reasons)


@dataclass(frozen=True)
class Check:
    """All that a results folder says about published numbers.

    Attributes:
        rows: One per measured number with a published counterpart, in printing order.
        unmatched: Measured things without a published number.
        notes: Sentences that hold for all of it.
    """

    rows: tuple[CheckRow, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[Verdict, int]:
        """Rows by verdict, every verdict named."""
        found = [row.verdict for row in self.rows]
        return {verdict: found.count(verdict) for verdict in VERDICTS}


def verdict_of(
    difference: float,
    sd: float | None = None,
    n: int = 1,
    tolerance: float = math.nan,
    *,
    n_failed: int = 0,
) -> Verdict:
    """How near a measured number is to the published one.

    Spread helps a number over the line by no more than 0.01: the noisier a method, the wider its
    interval, and a verdict must not be the easier to have.

    Args:
        difference: Mean of the measured repeats less published.
        sd: Standard deviation of the repeats; None for one.
        n: Repeats.
        tolerance: Difference that the published number itself allows for; NaN for none.
        n_failed: Repeats that did not end ok.

    Returns:
        ``reproduced`` within 0.01 or the tolerance, or within 0.02 where the published number lies
        in the 95 % interval of the mean; three repeats are needed, and none may have failed. Else
        ``close`` within 0.03 or the tolerance; else ``better`` above and ``off`` below.
    """
    interval = 0.0
    if sd is not None and n >= 2:
        interval = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
    allowed = 0.0 if math.isnan(tolerance) else tolerance
    by_spread = min(REPRODUCED_WITHIN_INTERVAL, interval)
    is_near = abs(difference) <= max(REPRODUCED_WITHIN, by_spread, allowed) + _ROUNDING
    if is_near and n >= FEWEST_REPEATS and n_failed == 0:
        return "reproduced"
    if abs(difference) <= max(CLOSE_WITHIN, allowed) + _ROUNDING:
        return "close"
    return "better" if difference > 0 else "off"


def check_rows(
    tables: Tables,
    published: pd.DataFrame,
    csls: int | None = None,
    despite: Collection[str] = (),
    scoring: Sequence[PrintedScoring] = (),
) -> Check:
    """Every measured number that has a published counterpart, with its verdict.

    Args:
        tables: Results of a folder.
        published: ``Published.results``.
        csls: Neighbourhood size of the scores to compare; None takes what the published number
            was scored with.
        despite: Kinds of reasons (``REASON_KINDS``) that do not keep a verdict from being given.
        scoring: ``Published.scoring``.

    Raises:
        ReportError: If a kind does not exist, or nothing was scored with this ``csls``.
    """
    for kind in despite:
        if kind not in REASON_KINDS:
            raise ReportError(f"Unknown reason '{kind}'. Valid: {', '.join(REASON_KINDS)}.")
    current = current_cells(with_own_protocols(tables))
    numbers = PublishedNumbers(published, scoring)
    rows: list[CheckRow] = []
    without: list[tuple[str, str, str]] = []
    for measured in measured_numbers(current.tables, csls, tables.cells):
        found = list(_rows_of(measured, numbers, frozenset(despite)))
        rows += found
        if not found:
            place = measured.place
            without.append((measured.method, name_of(place.method, place.variant), place.dataset))
    notes = (*_notes(rows), *current.notes, *tables.problems)
    return Check(tuple(sorted(rows, key=_row_order)), _unmatched(without, rows), notes)


def _rows_of(
    measured: Measured, numbers: PublishedNumbers, despite: frozenset[str]
) -> Iterator[CheckRow]:
    for metric in numbers.metrics(measured.place):
        scorings = measured.scorings(metric)
        if not scorings:
            continue
        usual = numbers.usual_scoring(measured.place)
        printed = numbers.printed(measured.place, metric)
        ratios = numbers.ratios(measured.place, metric)
        if printed:
            choice = _choice(measured, scorings, printed[0].stated, usual)
            yield _row(measured, metric, choice, printed, despite)
        elif ratios:
            choice = _choice(measured, scorings, None, usual)
            row = _row(measured, metric, choice, (), despite)
            yield replace(row, reasons=(*row.reasons, other_ratios(ratios)))


def _choice(
    measured: Measured,
    scorings: Collection[Scoring],
    stated: Scoring | None,
    usual: Scoring | None,
) -> Choice:
    if measured.place.inference and stated is None:
        # Pairs above thresholds are scored in one way, and no source says more of it.
        return Choice(min(scorings), "not stated")
    if measured.place.inference and stated is not None:
        candidates = min(scorings).candidates
        stated = replace(stated, candidates=candidates)
    return choose(scorings, stated, usual)


def _row(
    measured: Measured,
    metric: str,
    choice: Choice,
    printed: Sequence[Printed],
    despite: frozenset[str],
) -> CheckRow:
    values = measured.values(metric, choice.measured)
    mean = float(values.mean())
    sd = float(values.std(ddof=1)) if len(values) >= 2 else None
    plain = values.iloc[:0]
    if choice.measured.csls:
        plain = measured.values(metric, replace(choice.measured, csls=0))
    best = printed[0] if printed else None
    reasons = (*measured.reasons, *(best.reasons if best else ()))
    if best and choice.mismatch:
        reasons = (*reasons, Reason("scoring", choice.mismatch))
    difference = None if best is None else mean - best.value
    verdict: Verdict = "not comparable"
    if best is not None and all(reason.kind in despite for reason in reasons):
        verdict = verdict_of(
            mean - best.value, sd, len(values), best.tolerance, n_failed=measured.failures.n
        )
    place = measured.place
    assumption = choice.assumption if best else ""
    remarks = (measured.remark, _failed_remark(measured, len(values)), assumption)
    return CheckRow(
        method=place.method,
        variant=measured.variant,
        dataset=place.dataset,
        dataset_version=measured.dataset_version,
        seed_ratio=place.seed_ratio,
        protocol=measured.protocol,
        setting=measured.setting,
        metric=metric,
        scoring=choice.measured.words(),
        published_scoring=choice.published if best else "",
        mean=mean,
        sd=sd,
        n=len(values),
        n_failed=measured.failures.n,
        plain=float(plain.mean()) if len(plain) else None,
        published=best.value if best else None,
        source=best.source if best else "",
        difference=difference,
        verdict=verdict,
        reasons=tuple(sorted(reasons, key=lambda reason: REASON_KINDS.index(reason.kind))),
        others=tuple(printed[1:]),
        remark="; ".join(filter(None, (*remarks, _trust_remark(best)))),
    )


def _failed_remark(measured: Measured, n_ok: int) -> str:
    n_without, n_again = measured.failures
    words = [f"{n_without} of {n_ok + n_without} repeats failed"] * bool(n_without)
    words += [f"{n_again} of {n_ok} repeats failed when run again"] * bool(n_again)
    return f"{' and '.join(words)}, so it cannot count as reproduced" if words else ""


def _trust_remark(printed: Printed | None) -> str:
    if printed is None or not printed.trust or "contradicted" in {r.kind for r in printed.reasons}:
        return ""
    allowed = "" if math.isnan(printed.tolerance) else f", taken with ± {printed.tolerance:g}"
    return f"the published number stands in the list of contradictions ({printed.trust}{allowed})"


def _row_order(row: CheckRow) -> tuple[object, ...]:
    return (
        *(row.dataset, row.seed_ratio, row.protocol, row.dataset_version),
        *(row.method, row.variant != "full", row.variant, row.setting, METRICS.index(row.metric)),
    )


def _unmatched(
    without: Sequence[tuple[str, str, str]], rows: Sequence[CheckRow]
) -> tuple[str, ...]:
    """Names of what has no published number: the method where it has none at all."""
    matched = {row.method for row in rows}
    return tuple(
        sorted(
            {
                f"{name} on {dataset}" if method in matched else name
                for method, name, dataset in without
            }
        )
    )


def _notes(rows: Sequence[CheckRow]) -> Iterator[str]:
    if not rows:
        return
    yield (
        "Source to target where nothing else is said. Ours is scored as the published number was "
        "(similarity, CSLS, decoder, candidates, direction), if that was measured; where the "
        "source does not say it, as the method usually is, or with CSLS of k = "
        f"{DEFAULT_CSLS}. Difference is ours less published."
    )
    yield (
        f"reproduced: within {REPRODUCED_WITHIN}, or within {REPRODUCED_WITHIN_INTERVAL} and in "
        f"the 95 % interval of the mean, with {FEWEST_REPEATS} repeats or more and none failed; "
        f"close: within {CLOSE_WITHIN}; better and off: further above and below."
    )
    if any(row.n < FEWEST_REPEATS for row in rows):
        yield f"With fewer than {FEWEST_REPEATS} repeats no number counts as reproduced."
    if any(row.verdict != "not comparable" and row.reasons for row in rows):
        yield "Verdicts that come with a reason were asked for despite it."
