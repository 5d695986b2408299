"""Which published number a measured one is held against, and what speaks against doing so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from mmea_bench.reports.core.document import format_number
from mmea_bench.reports.core.published.scoring import PublishedScorings, Scoring
from mmea_bench.reports.core.rows.select import percent
from mmea_bench.reports.core.rows.setting_variants import setting_words
from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.published_scoring import SETTINGS, PrintedScoring

REASON_KINDS = (
    "partial",
    "simulated",
    "features",
    "schedule",
    "protocol",
    "scoring",
    "setting",
    "ratio",
    "contradicted",
)
"""Every kind of reason why two numbers are not comparable, in printing order."""

_FULL = "full"
_CUT = (
    ("-md", "two-thresholds"),
    ("w/o AIM", "one-threshold"),
)
"""Printed variants that mean the full model under the inference that is not its own."""

# The larger the sum, the less a printed number says about the measured one.
_WEIGHTS: Mapping[str, int] = MappingProxyType({"setting": 100, "contradicted": 10})
_UNSTATED_WEIGHT = 1
_SAME_RATIO = 1e-9

_SETTING_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "names": "with names",
        "no-names": "without names",
        "iterative": "as iterative",
        "non-iterative": "as not iterative",
    }
)
_QUESTIONS: Mapping[str, str] = MappingProxyType(
    {"names": "names were read", "iterative": "it is iterative"}
)


@dataclass(frozen=True)
class Reason:
    """Why two numbers are not comparable.

    Attributes:
        kind: One of ``REASON_KINDS``.
        text: Part of a sentence for the reader.
        is_silence: Whether the source merely does not say it.
    """

    kind: str
    text: str
    is_silence: bool = False


@dataclass(frozen=True)
class Place:
    """What a published number must be about.

    Attributes:
        method: Catalogue name.
        variant: Variant without its overrides.
        dataset: Dataset address.
        seed_ratio: Training share of the anchor links.
        names: Whether entity names were read.
        iterative: Whether pseudo-labels were learned.
        inference: How pairs were predicted; empty where links were ranked.
    """

    method: str
    variant: str
    dataset: str
    seed_ratio: float
    names: bool = False
    iterative: bool = False
    inference: str = ""


@dataclass(frozen=True)
class Printed:
    """One printed number, seen from a measured one.

    Attributes:
        value: The number to compare with.
        source: Source and table.
        setting: Words of the setting, as the source states them.
        tolerance: Difference that the number allows for; NaN for none of its own.
        stated: How the source scored it, None where nobody says.
        trust: What became of it in the list of contradictions; empty for nothing.
        reasons: What speaks against a comparison.
    """

    value: float
    source: str
    setting: str
    tolerance: float
    stated: Scoring | None
    trust: str
    reasons: tuple[Reason, ...]

    @property
    def origin(self) -> str:
        """The source, and in brackets what it states and what became of the number."""
        words = [*filter(None, (self.setting.replace(";", ", "), self.trust))]
        return f"{self.source} ({'; '.join(words)})" if words else self.source

    @property
    def text(self) -> str:
        """The number with its origin."""
        return f"{format_number(self.value, 'fraction')} {self.origin}"


class PublishedNumbers:
    """The printed numbers, found by method.

    Args:
        results: ``Published.results``.
        scoring: ``Published.scoring``.
    """

    def __init__(self, results: pd.DataFrame, scoring: Sequence[PrintedScoring] = ()) -> None:
        self._scorings = PublishedScorings(scoring)
        self._by_method: dict[str, list[dict[str, Any]]] = {}
        for row in results.to_dict("records"):
            named = {str(column): value for column, value in row.items()}
            self._by_method.setdefault(name_key(named["method"]), []).append(named)

    def metrics(self, place: Place) -> list[str]:
        """Metrics that are printed for the place, at whatever seed ratio."""
        return sorted({str(row["reads_as"]) for row in self._about(place)})

    def usual_scoring(self, place: Place) -> Scoring | None:
        """How the method is usually scored; None if that is not known, or pairs were predicted."""
        return None if place.inference else self._scorings.usual(place.method)

    def ratios(self, place: Place, metric: str) -> list[float]:
        """Seed ratios for which a metric is printed."""
        found = {float(row["seed_ratio"]) for row in self._about(place, metric)}
        return sorted(ratio for ratio in found if not math.isnan(ratio))

    def printed(self, place: Place, metric: str) -> list[Printed]:
        """The printed numbers of one metric at the seed ratio, the one to compare with first.

        That is the one with the least against it: the same setting before one that is not stated,
        and that before another setting; trusted before contradicted; then the variant by its own
        name, the method's own paper, and the order of the files. Numbers without a seed ratio
        count only where no ratio is printed at all.
        """
        about = self._about(place, metric)
        rows = [row for row in about if abs(row["seed_ratio"] - place.seed_ratio) <= _SAME_RATIO]
        if not self.ratios(place, metric):
            rows = about
        made = [(row, self._seen_from(place, row)) for row in rows]
        return [printed for row, printed in sorted(made, key=lambda pair: _order(place, *pair))]

    def _about(self, place: Place, metric: str | None = None) -> list[dict[str, Any]]:
        variants = self._printed_variants(place)
        return [
            row
            for row in self._of_method(place)
            if row["dataset"] == place.dataset
            and row["variant"] in variants
            and metric in (None, row["reads_as"])
        ]

    def _of_method(self, place: Place) -> list[dict[str, Any]]:
        return self._by_method.get(name_key(place.method), [])

    def _printed_variants(self, place: Place) -> set[str]:
        """Names under which the variant may be printed; the empty one is the full model."""
        named = "" if place.variant == _FULL else place.variant
        known = {str(row["variant"]) for row in self._of_method(place)}
        if place.inference:
            by_other = next((cut for cut in _CUT if cut[0] in known), ("-md", "two-thresholds"))
            if place.inference == by_other[1]:
                return {by_other[0]} if named in ("", by_other[0]) else set()
            return {named} - {by_other[0]}
        return {named} if setting_words(named) is None else {named, ""}

    def _reasons(self, place: Place, row: Mapping[str, Any]) -> tuple[Reason, ...]:
        words = self._setting(row)
        has_names = any(
            "names" in str(other["setting"]).split(";")
            for other in self._of_method(place)
            if other["dataset"] == place.dataset
        )
        all_words = [set(str(other["setting"]).split(";")) for other in self._of_method(place)]
        is_learned = any("iterative" in other for other in all_words)
        reasons = [
            *_told(("names", "no-names"), words, is_so=place.names, may_differ=has_names),
            *_told(
                ("iterative", "non-iterative"), words, is_so=place.iterative, may_differ=is_learned
            ),
        ]
        # What has no seeds has no ratio either; what it was tested on, its scoring says.
        has_seeds = not all("unsupervised" in w for w in all_words)
        # A variant by its own name, or a method that never has seeds, is what the source means.
        is_meant = row["variant"] == place.variant or not has_seeds
        if not is_meant and ("unsupervised" in words) != (
            "unsupervised" in place.variant.split(", ")
        ):
            how = "without" if "unsupervised" in words else "with"
            reasons.append(Reason("setting", f"published {how} seed links"))
        if math.isnan(row["seed_ratio"]) and has_seeds:
            reasons.append(Reason("ratio", "published without a seed ratio", is_silence=True))
        if row["trust"] == "avoid":
            ids = ", ".join(str(row["contradictions"]).split())
            reasons.append(Reason("contradicted", f"contradicted number ({ids})"))
        return tuple(reasons)

    def _setting(self, row: Mapping[str, Any]) -> set[str]:
        """Words of a row's setting: its own, and where it is silent those known of its table."""
        words = set(str(row["setting"]).split(";"))
        known = self._scorings.setting(row["method"], row["source"], row["table"])
        for pair in SETTINGS:
            if words.isdisjoint(pair):
                words |= known & set(pair)
        return words

    def _seen_from(self, place: Place, row: Mapping[str, Any]) -> Printed:
        ids = ", ".join(str(row["contradictions"]).split())
        trust = "" if row["trust"] == "trusted" else f"{row['trust']}, {ids}"
        if float(row["use_value"]) != float(row["value"]):
            trust = f"printed {format_number(float(row['value']), 'fraction')}, corrected by {ids}"
        source = f"{row['source']} {row['table']}"
        if row["variant"] not in ("", place.variant):
            source += f" {row['variant']}"
        stated = self._scorings.stated(row["method"], row["source"], row["table"])
        return Printed(
            float(row["use_value"]),
            source,
            str(row["setting"]),
            float(row["tolerance"]),
            stated,
            trust,
            self._reasons(place, row),
        )


def _told(
    pair: tuple[str, str], words: set[str], *, is_so: bool, may_differ: bool
) -> Sequence[Reason]:
    """What the source says about one setting word, if that is not what was measured.

    A source that is silent is taken for the usual case where the method knows no other.
    """
    if not words.isdisjoint(pair):
        printed = pair[0] if pair[0] in words else pair[1]
        if (printed == pair[0]) == is_so:
            return ()
        return (Reason("setting", f"published {_SETTING_TEXTS[printed]}"),)
    if is_so or may_differ:
        text = f"the source does not say whether {_QUESTIONS[pair[0]]}"
        return (Reason("setting", text, is_silence=True),)
    return ()


def _order(place: Place, row: Mapping[str, Any], printed: Printed) -> tuple[object, ...]:
    against = sum(
        _UNSTATED_WEIGHT if reason.is_silence else _WEIGHTS[reason.kind]
        for reason in printed.reasons
    )
    is_own_paper = name_key(str(row["source"])).startswith(name_key(place.method))
    is_named = row["variant"] == ("" if place.variant == _FULL else place.variant)
    return against, row["trust"] != "trusted", not is_named, not is_own_paper, row["row"]


def other_ratios(ratios: Sequence[float]) -> Reason:
    """The reason where a number is printed at other seed ratios only."""
    return Reason("ratio", f"published at {', '.join(percent(ratio) for ratio in ratios)} only")
