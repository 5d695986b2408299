"""Shipped repeats of one training as a band that another training is held against."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import pandas as pd

from mmea_bench.reports.core.published.scoring import PUBLISHED_DIRECTION
from mmea_bench.reports.core.published.settings import with_own_protocols
from mmea_bench.reports.core.rows.select import (
    PAIRS,
    choose_csls,
    current_cells,
    with_sections,
)
from mmea_bench.results.core.table import Tables

CURVE_METRIC = "hits@1"
CURVE_DIRECTIONS = (PUBLISHED_DIRECTION, "mean", PAIRS)

Side = Literal["inside", "above", "below"]


@dataclass(frozen=True)
class Run:
    """What is trained, without its repeats.

    Attributes:
        method: Catalogue name.
        variant: Variant without overrides.
        dataset: Dataset address.
        seed_ratio: Training share of the anchor links.
        protocol: Rules of training and stopping.
    """

    method: str
    variant: str
    dataset: str
    seed_ratio: float
    protocol: str = "paper"

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of cells.csv or results.csv that are about this run."""
        return frame[
            (frame["method"] == self.method)
            & (frame["variant"] == self.variant)
            & (frame["dataset"] == self.dataset)
            & ((frame["seed_ratio"] - self.seed_ratio).abs() < 1e-9)
            & (frame["protocol"] == self.protocol)
        ]


@dataclass(frozen=True)
class BandPoint:
    """The repeats at one epoch.

    Attributes:
        epoch: Epochs trained.
        middle: Median of the repeats.
        low: Smallest.
        high: Largest.
    """

    epoch: float
    middle: float
    low: float
    high: float

    def side(self, value: float) -> Side:
        """Where a value lies: inside the band, above or below it."""
        if value > self.high:
            return "above"
        return "below" if value < self.low else "inside"


@dataclass(frozen=True)
class ReferenceCurve:
    """The learning curve of the repeats.

    Attributes:
        points: By epoch; none where no repeat has a curve.
        n: Repeats behind it.
    """

    points: tuple[BandPoint, ...]
    n: int

    def at(self, epoch: float) -> BandPoint | None:
        """The band at an epoch, straight lines between its points; None outside of them."""
        epochs = [point.epoch for point in self.points]
        if not epochs or not epochs[0] <= epoch <= epochs[-1]:
            return None
        place = bisect_left(epochs, epoch)
        after = self.points[place]
        if after.epoch == epoch:
            return after
        before = self.points[place - 1]
        share = (epoch - before.epoch) / (after.epoch - before.epoch)

        def between(first: float, second: float) -> float:
            return first + share * (second - first)

        return BandPoint(
            epoch,
            between(before.middle, after.middle),
            between(before.low, after.low),
            between(before.high, after.high),
        )


def reference_curve(tables: Tables, run: Run) -> ReferenceCurve:
    """The curve of Hits@1 on the test links, over the repeats of a run.

    Of epochs that not all repeats have, those of the most repeats count, so that a band never
    narrows because a repeat is missing.
    """
    current = current_cells(with_own_protocols(tables)).tables
    keys = set(run.rows(current.cells)["key"])
    curves = current.curves[current.curves["key"].isin(keys)]
    own = curves[(curves["metric"] == CURVE_METRIC) & (curves["links"] == "test")]
    for direction in CURVE_DIRECTIONS:
        if (own["direction"] == direction).any():
            own = own[own["direction"] == direction]
            break
    points = [
        BandPoint(int(epoch), median(values), min(values), max(values))
        for epoch, values in sorted(_by_epoch(own).items())
    ]
    return ReferenceCurve(tuple(points), own["key"].nunique())


def _by_epoch(curves: pd.DataFrame) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for epoch, own in curves.drop_duplicates(["key", "epoch"]).groupby("epoch"):
        found[int(str(epoch))] = [float(value) for value in own["value"]]
    most = max(map(len, found.values()), default=0)
    return {epoch: values for epoch, values in found.items() if len(values) == most}


def own_numbers(tables: Tables, run: Run, metrics: Sequence[str]) -> dict[str, list[float]]:
    """Values over the repeats of a run by metric, by the method's own similarity.

    CSLS as in the main table, source to target; of pairs that were predicted by several inferences
    the first by name. For runs without a printed number, whose scoring no source decides.
    """
    current = current_cells(with_own_protocols(tables)).tables
    own = with_sections(run.rows(current.in_own_similarity()))
    own = own[own["direction"].isin((PUBLISHED_DIRECTION, PAIRS)) & (own["modality"] == "")]
    ranked = own[own["is_ranked"]]
    csls = choose_csls(set(ranked["csls"]), None)
    shown = ranked[ranked["csls"] == csls] if csls is not None else own
    shown = shown[shown["inference"] == min(shown["inference"], default="")]
    return {
        metric: list(shown[shown["metric"] == metric].groupby("repeat")["value"].mean())
        for metric in metrics
        if (shown["metric"] == metric).any()
    }
