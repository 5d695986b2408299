"""Measured numbers as published tables would print them, with what keeps them from being that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.attempts import Failures, failures
from mmea_bench.reports.core.published.match import Place, Reason
from mmea_bench.reports.core.published.scoring import PUBLISHED_DIRECTION, WHOLE_CANDIDATES, Scoring
from mmea_bench.reports.core.rows.comparison import overrides_of
from mmea_bench.reports.core.rows.identity import protocol_name
from mmea_bench.reports.core.rows.select import PAIRS, input_words, with_sections
from mmea_bench.reports.core.swept_points import settings_of
from mmea_bench.results.core.published_files import METRICS
from mmea_bench.results.core.table import Tables

_DIRECTIONS = (PUBLISHED_DIRECTION, "tgt2src", PAIRS)
_SCORING = ["similarity", "csls", "decoder", "candidates", "direction"]
_GROUP = [
    *("method", "variant", "dataset", "dataset_version", "seed_ratio", "protocol"),
    *("names", "iterative", "inference", "ties"),
]
_USUAL_TIES = "realistic"


@dataclass(frozen=True, eq=False)
class Measured:
    """The repeats of one method in one place, under all scorings that there are.

    Attributes:
        place: What a published number must be about.
        variant: Variant with its overrides in brackets.
        dataset_version: Content hash of the dataset.
        protocol: Rules of training and stopping.
        setting: Names or not, iterative or not, and how pairs were predicted.
        numbers: Columns ``repeat``, ``metric``, ``value``, and ``scoring`` (a ``Scoring``).
        reasons: What speaks against any comparison with published numbers.
        remark: What the reader must know; empty for nothing.
        failures: Repeats of the same that did not end ok.
    """

    place: Place
    variant: str
    dataset_version: str
    protocol: str
    setting: str
    numbers: pd.DataFrame
    reasons: tuple[Reason, ...]
    remark: str
    failures: Failures

    @property
    def method(self) -> str:
        """Catalogue name."""
        return self.place.method

    def scorings(self, metric: str) -> set[Scoring]:
        """How a metric was scored."""
        return set(self.numbers.loc[self.numbers["metric"] == metric, "scoring"])

    def values(self, metric: str, scoring: Scoring) -> pd.Series[float]:
        """Value per repeat."""
        own = self.numbers
        chosen = own[(own["metric"] == metric) & (own["scoring"] == scoring)]
        return chosen.groupby("repeat")["value"].mean()


def measured_numbers(
    tables: Tables, csls: int | None = None, runs: pd.DataFrame | None = None
) -> Iterator[Measured]:
    """Everything that may have a published counterpart, in a fixed order.

    Args:
        tables: Results with one cell per identity (``current_cells``).
        csls: Only scores of this neighbourhood size are compared; None takes all, and each printed
            number chooses.
        runs: Cells of all that was run, also what was run again; those of ``tables`` if None.

    Raises:
        ReportError: If there are ranks, but none was scored with ``csls``.
    """
    results = tables.results
    shown = results[results["metric"].isin(METRICS) & results["direction"].isin(_DIRECTIONS)]
    shown = with_sections(shown)
    is_ranked = shown["is_ranked"]
    found = set(shown.loc[is_ranked, "csls"])
    if csls is not None and found and csls not in found:
        there = ", ".join(str(size) for size in sorted(found))
        raise ReportError(f"No result was scored with csls={csls}. There is csls={there}.")
    if csls is not None:
        shown = shown[~is_ranked | (shown["csls"] == csls)]
    # Without seeds all links are test links.
    is_whole = (shown["seed_ratio"] == 0) & (shown["candidates"] == "test")
    shown = shown.assign(candidates=shown["candidates"].mask(is_whole, WHOLE_CANDIDATES))
    words = shown[_SCORING].fillna("").itertuples(index=False, name=None)
    shown = shown.assign(
        scoring=pd.Series([Scoring(*found) for found in words], shown.index, dtype=object),
        ties=shown["ties"].fillna(""),
    )
    cells = tables.cells.set_index("key")
    for _place, group in shown.groupby(_GROUP, sort=True):
        own = cells.loc[sorted(set(group["key"]))]
        failed = failures(set(own.index), tables.cells if runs is None else runs)
        yield _measured_of(group, own, failed)


def _measured_of(group: pd.DataFrame, cells: pd.DataFrame, failed: Failures) -> Measured:
    first = group.iloc[0]
    place = Place(
        str(first["method"]),
        str(first["variant"]).partition("[")[0],
        str(first["dataset"]),
        float(first["seed_ratio"]),
        names=first["names"] == "yes",
        iterative=first["iterative"] == "yes",
        inference=str(first["inference"]),
    )
    is_on_test = bool((cells["stopped_on"] == "test").any())
    setting = (*input_words(str(first["names"]), str(first["iterative"])), place.inference)
    return Measured(
        place,
        str(first["variant"]),
        str(first["dataset_version"]),
        str(first["protocol"]),
        ", ".join(filter(None, setting)),
        group[["repeat", "metric", "value", "scoring"]],
        tuple(_own_reasons(cells, place, str(first["ties"]))),
        "the checkpoint was chosen on the test links, as in the released code" * is_on_test,
        failed,
    )


def made_up_inputs(cells: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Inputs that were simulated, and a sentence on each that stands in for another one.

    Args:
        cells: Rows of cells.csv.
    """
    notes = [part for text in cells["notes"].dropna().unique() for part in str(text).split("; ")]
    features = {word for text in cells["simulated_features"].dropna() for word in text.split()}
    stand_ins = {
        feature: note.replace("_", " ")
        for feature in features
        for note in notes
        if note.startswith(f"{feature}: ")
    }
    sentences = tuple(stand_ins[feature] for feature in sorted(stand_ins))
    return tuple(sorted(features - set(stand_ins))), sentences


def _own_reasons(cells: pd.DataFrame, place: Place, ties: str) -> Iterator[Reason]:
    for lacking in sorted(set(cells["partial_copy"].dropna())):
        yield Reason("partial", f"partial copy: {lacking}")
    simulated, stand_ins = made_up_inputs(cells)
    if simulated:
        yield Reason("simulated", f"simulated data: {', '.join(simulated)}")
    for sentence in stand_ins:
        yield Reason("features", f"other features: {sentence}")
    trained = zip(cells["variant"], cells["overrides"].fillna("{}"), strict=True)
    for variant, text in sorted(set(trained)):
        overrides = overrides_of(text)
        changed = ", ".join(f"{name}={value}" for name, value in overrides.items())
        if changed:
            yield Reason("schedule", f"other hyper-parameters: {changed}")
        settings = settings_of(variant, text)
        others = ", ".join(f"{n}={value}" for n, value in settings.items() if n not in overrides)
        if others:
            yield Reason("schedule", f"trained in another way: {others}")
    # N-MMKG pairs have validation pairs of their own, so strict trains on the same pairs as paper.
    if not place.inference and "strict" in set(cells["protocol"].map(protocol_name)):
        yield Reason(
            "protocol", "other protocol: strict holds part of the seed links out to stop on"
        )
    if ties not in ("", _USUAL_TIES):
        yield Reason("protocol", f"other protocol: ties={ties}")
