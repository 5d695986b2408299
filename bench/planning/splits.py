"""Which datasets of a plan run on the splits that they were published with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmea_bench.bench.planning.suite import Suite
from mmea_bench.datasets.core.model.folds import (
    FoldSeries,
    described,
    fold_series,
    no_published_split,
)
from mmea_bench.datasets.core.model.pair import Fold, KGPair

_SAME_RATIO = 0.005
_NO_FOLD = "none"


@dataclass(frozen=True)
class PublishedSplits:
    """The published splits that a dataset of a plan is run on.

    Attributes:
        series: By seed ratio; each split is one repeat.
        remarks: What they hold, and what becomes of the ratios and repeats that were asked for.
        problem: Why there are none although they were asked for; "" otherwise.
    """

    series: Sequence[FoldSeries]
    remarks: tuple[str, ...] = ()
    problem: str = ""


def planned_splits(suite: Suite, pair: KGPair) -> PublishedSplits | None:
    """The published splits to run a dataset on; None where its splits are drawn at random.

    Where splits of several seed ratios are published (N-MMKGs), the suite's ratios choose among
    them; otherwise a published split is planned whatever ratios are asked for.
    """
    asked = suite.splits.get(pair.dataset)
    series = fold_series(pair)
    if asked == "random" or (asked is None and not series):
        return None
    if not series:
        # The cells are planned, so that each of them says why it was skipped.
        nothing = (Fold.broken(_NO_FOLD, "there is none"),) * suite.repeats
        planned = [FoldSeries(ratio, nothing) for ratio in suite.seed_ratios]
        return PublishedSplits(planned, problem=no_published_split(pair))
    chosen = [
        each
        for each in series
        if any(abs(each.seed_ratio - ratio) <= _SAME_RATIO for ratio in suite.seed_ratios)
    ]
    chosen = chosen or list(series)
    remarks = [_remark(suite, pair, each) for each in chosen]
    return PublishedSplits(chosen, tuple(remarks))


def _remark(suite: Suite, pair: KGPair, series: FoldSeries) -> str:
    usable = next(fold for fold in series.folds if not fold.problem)
    sentence = (
        f"{pair.dataset}: trained and tested on its published split {described(pair, usable)}"
    )
    n_folds = len(series.folds)
    if n_folds > 1:
        sentence += f"; repeat k is split k of {n_folds}"
    if n_folds < suite.repeats:
        sentence += f"; {n_folds} of the {suite.repeats} repeats, for each split is trained on once"
    if not any(abs(series.seed_ratio - ratio) <= _SAME_RATIO for ratio in suite.seed_ratios):
        sentence += f"; its seed ratio of {100 * series.seed_ratio:g} % replaces the one asked for"
    broken = [fold for fold in series.folds[: suite.repeats] if fold.problem]
    sentence += "".join(f"; {fold.name} cannot be used ({fold.problem})" for fold in broken)
    return f"{sentence}. `--split random` draws splits instead."
