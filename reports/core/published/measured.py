"""Measured numbers as published tables would print them, with what keeps them from being that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.published.match import Place, Reason
from mmea_bench.reports.core.rows.comparison import PAIRS, overrides_of
from mmea_bench.reports.core.rows.select import DEFAULT_CSLS, choose_csls, with_setting_words
from mmea_bench.results.core.schema import parse_setting
from mmea_bench.results.core.table import Tables

METRICS = ("hits@1", "hits@5", "hits@10", "mrr", "precision", "recall", "f1")
PARTIAL_COPY = "partial copy"
"""How a cell's note begins when its dataset lacks part of what was published."""

PUBLISHED_DIRECTION = "src2tgt"
_GROUP = ["method", "variant", "dataset", "dataset_version", "seed_ratio", "protocol", "scoring"]
# Rules that the published tables share, and what to say of others.
_USUAL_RULES = MappingProxyType({"candidates": ("test", "all-pairs"), "ties": ("realistic",)})


@dataclass(frozen=True, eq=False)
class Measured:
    """The repeats of one method in one place.

    Attributes:
        place: What a published number must be about.
        variant: Variant with its overrides in brackets.
        dataset_version: Content hash of the dataset.
        protocol: Rules of training and stopping.
        setting: Names or not, iterative or not, and how pairs were predicted.
        numbers: Columns ``repeat``, ``metric``, ``value``, ``csls``.
        csls: Neighbourhood size to compare.
        reasons: What speaks against any comparison with published numbers.
        remark: What the reader must know; empty for nothing.
    """

    place: Place
    variant: str
    dataset_version: str
    protocol: str
    setting: str
    numbers: pd.DataFrame
    csls: int
    reasons: tuple[Reason, ...]
    remark: str

    @property
    def method(self) -> str:
        """Catalogue name."""
        return self.place.method

    def values(self, metric: str, csls: int) -> pd.Series[float]:
        """Value per repeat."""
        own = self.numbers
        chosen = own[(own["metric"] == metric) & (own["csls"] == csls)]
        return chosen.groupby("repeat")["value"].mean()


def measured_numbers(tables: Tables, csls: int | None = None) -> Iterator[Measured]:
    """Everything that may have a published counterpart, in a fixed order.

    Args:
        tables: Results with one cell per identity (``current_cells``).
        csls: Neighbourhood size to compare, where it was scored; None takes 3, or else the
            smallest.

    Raises:
        ReportError: If there are ranks, but none was scored with ``csls``.
    """
    results = tables.results
    shown = results[
        results["metric"].isin(METRICS) & results["direction"].isin((PUBLISHED_DIRECTION, PAIRS))
    ]
    shown = with_setting_words(shown)
    # Scores of every CSLS size belong to one group, all other words keep numbers apart.
    by_word = (shown[name] for name in ("rules", "section", "inference", "similarity"))
    shown = shown.assign(scoring=[" ".join(words) for words in zip(*by_word, strict=True)])
    found = set(shown.loc[shown["inference"] == "", "csls"])
    if csls is not None and found and csls not in found:
        there = ", ".join(str(size) for size in sorted(found))
        raise ReportError(f"No result was scored with csls={csls}. There is csls={there}.")
    cells = tables.cells.set_index("key")
    for _place, group in shown.groupby(_GROUP, sort=True):
        sizes = set(group["csls"])
        chosen = csls if csls in sizes else choose_csls(sizes, None)
        yield _measured_of(group, cells.loc[sorted(set(group["key"]))], int(chosen or 0))


def _measured_of(group: pd.DataFrame, cells: pd.DataFrame, csls: int) -> Measured:
    first = group.iloc[0]
    words = parse_setting(str(first["setting"]))
    inference = words.get("inference", "")
    place = Place(
        str(first["method"]),
        str(first["variant"]).partition("[")[0],
        str(first["dataset"]),
        float(first["seed_ratio"]),
        names=words.get("names") == "yes",
        iterative=words.get("iterative") == "yes",
        inference=inference,
    )
    is_on_test = bool((cells["stopped_on"] == "test").any())
    return Measured(
        place,
        str(first["variant"]),
        str(first["dataset_version"]),
        str(first["protocol"]),
        ", ".join(filter(None, (str(first["section"]), inference))),
        group[["repeat", "metric", "value", "csls"]],
        csls,
        tuple(_own_reasons(cells, words, csls)),
        "the checkpoint was chosen on the test links, as in the released code" * is_on_test,
    )


def _own_reasons(cells: pd.DataFrame, words: Mapping[str, str], csls: int) -> Iterator[Reason]:
    notes = [part for text in cells["notes"].dropna().unique() for part in str(text).split("; ")]
    for note in sorted({note for note in notes if note.startswith(PARTIAL_COPY)}):
        yield Reason("partial", note)
    features = {word for text in cells["simulated_features"].dropna() for word in text.split()}
    stand_ins = {
        feature: f"other features: {note.replace('_', ' ')}"
        for feature in features
        for note in notes
        if note.startswith(f"{feature}: ")
    }
    simulated = sorted(features - set(stand_ins))
    if simulated:
        yield Reason("simulated", f"simulated data: {', '.join(simulated)}")
    for feature in sorted(stand_ins):
        yield Reason("features", stand_ins[feature])
    for text in sorted(set(cells["overrides"].dropna())):
        changed = ", ".join(f"{name}={value}" for name, value in overrides_of(text).items())
        if changed:
            yield Reason("schedule", f"other hyper-parameters: {changed}")
    yield from _protocol_reasons(set(cells["protocol"]), words, csls)


def _protocol_reasons(protocols: set[str], words: Mapping[str, str], csls: int) -> Iterator[Reason]:
    is_ranked = "inference" not in words
    # N-MMKG pairs have validation pairs of their own, so strict trains on the same pairs as paper.
    if is_ranked and "strict" in protocols:
        yield Reason(
            "protocol", "other protocol: strict holds part of the seed links out to stop on"
        )
    for word, usual in _USUAL_RULES.items():
        if word in words and words[word] not in usual:
            yield Reason("protocol", f"other protocol: {word}={words[word]}")
    if is_ranked and csls != DEFAULT_CSLS:
        text = f"scored with csls={csls}, the published tables with csls={DEFAULT_CSLS}"
        yield Reason("protocol", text)
