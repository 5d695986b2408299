"""Measured numbers by the names under which papers print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from mmea_bench.reports.core.certain import is_certain
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.papers.layouts import RowName
from mmea_bench.reports.core.rows.select import (
    choose_csls,
    current_cells,
    scoring_heading,
    with_sections,
)
from mmea_bench.reports.core.rows.setting_variants import FULL, UNSUPERVISED, setting_words
from mmea_bench.results.core.published import name_key
from mmea_bench.results.core.schema import NO_DECODER, PAIR_METRICS, RANK_METRICS
from mmea_bench.results.core.table import Tables

STAND_INS: Mapping[str, str] = MappingProxyType({"nmmea": "synthetic-nmmkg[n=14921]"})
"""Generated datasets of the published size, for data that nobody released."""

_PAIRS = "pairs"
_MD = "-md"
_OWN_INFERENCE = "CrossEA"
_ONE_THRESHOLD: RowName = (_OWN_INFERENCE, "w/o AIM")
_TOLD = frozenset({"names", "no-names", "iterative", "non-iterative"})
_SAME_RATIO = 1e-9


@dataclass(frozen=True)
class Wanted:
    """What a place of a published table asks for.

    Attributes:
        row: Printed method and variant.
        words: Setting words that the paper states about the row.
        dataset: Canonical dataset.
        seed_ratio: Share of the anchor links.
        metric: Metric.
    """

    row: RowName
    words: frozenset[str]
    dataset: str
    seed_ratio: float
    metric: str


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured there.

    Attributes:
        values: Value per repeat.
        variant: Name of the variant as it was run.
        dataset: Dataset on which it was run.
        keys: Cells behind the values.
        is_certain: Whether no scores could have missed them.
    """

    values: pd.Series[float]
    variant: str
    dataset: str
    keys: frozenset[str]
    is_certain: bool = False


@dataclass(frozen=True, eq=False)
class MeasuredNumbers:
    """Comparable numbers of one protocol and one set of scoring rules.

    Attributes:
        heading: Protocol and scoring, for captions.
        rules: Rules of scoring.
        places: Results with their sections by method, dataset and metric; one version per dataset.
        cells: Cells behind them.
        other_versions: Datasets that were also used in versions that are left out.
    """

    heading: str
    rules: str
    places: Mapping[tuple[str, str, str], pd.DataFrame]
    cells: pd.DataFrame
    other_versions: tuple[str, ...]

    def find(self, wanted: Wanted) -> Found | None:
        """What was measured at a place of a published table, if anything was.

        A row that is the method itself is found by what a run read and learned from, not by how
        the variant is called that was told to. The plain variant comes first; the same with
        changed parameters stands in where it is the only one.
        """
        for dataset in (wanted.dataset, STAND_INS.get(wanted.dataset)):
            there = self.places.get((name_key(wanted.row[0]), str(dataset), wanted.metric))
            if there is None:
                continue
            own = there[_is_meant(there, wanted)]
            for variant in _in_order(own, wanted):
                named = own[own["base"] == variant]
                plain = named[named["variant"] == variant]
                chosen = named if plain.empty else plain
                if chosen["variant"].nunique() == 1:
                    return _found(chosen)
        return None


def _is_meant(rows: pd.DataFrame, wanted: Wanted) -> pd.Series[bool]:
    """Whether rows of one method, dataset and metric are what a published place asks for."""
    is_meant = (rows["seed_ratio"] - wanted.seed_ratio).abs() <= _SAME_RATIO
    is_meant &= rows["inference"].isin(("", _inference(wanted.row)))
    for word, column in (("names", "has_names"), ("iterative", "is_iterative")):
        if word in wanted.words:
            is_meant &= rows[column]
        if f"no-{word}" in wanted.words or f"non-{word}" in wanted.words:
            is_meant &= ~rows[column]
    return is_meant


def measured_groups(tables: Tables, options: ReportOptions) -> Iterator[MeasuredNumbers]:
    """Everything that may stand in a published table, by protocol and scoring rules."""
    current = current_cells(tables).tables
    results = current.in_own_similarity()
    shown = results[
        results["metric"].isin((*RANK_METRICS, *PAIR_METRICS))
        & results["direction"].isin((options.direction, _PAIRS))
    ]
    shown = with_sections(shown[shown["decoder"] == NO_DECODER])
    is_ranked = shown["is_ranked"]
    csls = choose_csls(set(shown.loc[is_ranked, "csls"]), options.csls)
    shown = shown[~is_ranked | (shown["csls"] == csls)]
    shown = shown.assign(
        base=shown["variant"].str.partition("[")[0] if len(shown) else shown["variant"],
        has_names=shown["names"] == "yes",
        is_iterative=shown["iterative"] == "yes",
        modalities=shown["key"].map(current.cells.set_index("key")["modalities"]).fillna(""),
    )
    shown, other_versions = _one_version(shown)
    for (protocol, rules), group in shown.groupby(["protocol", "rules"], sort=True):
        yield MeasuredNumbers(
            f"{protocol} protocol, {scoring_heading(group, csls, options.direction)}",
            str(rules),
            _by_place(group),
            current.cells[current.cells["key"].isin(set(group["key"]))],
            other_versions,
        )


def _by_place(group: pd.DataFrame) -> dict[tuple[str, str, str], pd.DataFrame]:
    by = group.groupby(["method", "dataset", "metric"], sort=False)
    return {(name_key(str(key[0])), str(key[1]), str(key[2])): rows for key, rows in by}


def _one_version(shown: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The version of each dataset with the most numbers, and the datasets that have others."""
    counts = shown.groupby(["dataset", "dataset_version"]).size().reset_index(name="n")
    counts = counts.sort_values(["dataset", "n", "dataset_version"], ascending=[True, False, True])
    kept = counts.drop_duplicates("dataset")
    others = counts.loc[~counts.index.isin(kept.index), "dataset"].unique()
    # By dataset: the version that one leaves out may be the content of another.
    versions = shown["dataset"].map(kept.set_index("dataset")["dataset_version"])
    return shown[shown["dataset_version"] == versions], tuple(str(name) for name in others)


def _in_order(rows: pd.DataFrame, wanted: Wanted) -> list[str]:
    """Variants among the rows that may be what a place asks for, the first choice first.

    The printed name wins. After it come variants of the same method in a setting that was said:
    those that read the most, and of these the one with the fewest words.
    """
    printed = _full_name(wanted.row)
    found: dict[str, tuple[object, ...]] = {}
    for variant, modalities in zip(rows["base"], rows["modalities"], strict=True):
        if name_key(variant) == name_key(printed):
            found[variant] = (0,)
        elif _is_same_in_setting(variant, printed, wanted.words):
            n_read = len(str(modalities or "").split())
            found[variant] = (1, -n_read, variant.count(","), variant)
    return sorted(found, key=lambda variant: found[variant])


def _is_same_in_setting(variant: str, printed: str, words: frozenset[str]) -> bool:
    """Whether two variants are one method, told to do what the words say.

    Without a word nothing was told: what the method does by itself is meant.
    """
    given, asked = setting_words(variant), setting_words(printed)
    if not given or asked is None or words.isdisjoint(_TOLD):
        return False
    return (UNSUPERVISED in given) == (UNSUPERVISED in words)


def _full_name(row: RowName) -> str:
    """The variant to run for a printed row; another inference is read from the same training."""
    return FULL if row[1] in ("", _MD) or row == _ONE_THRESHOLD else row[1]


def _inference(row: RowName) -> str:
    """How the printed pairs were predicted: -md is the inference of CrossEA."""
    is_two = row[1] == _MD or (row[0] == _OWN_INFERENCE and row != _ONE_THRESHOLD)
    return "two-thresholds" if is_two else "one-threshold"


def _found(rows: pd.DataFrame) -> Found:
    return Found(
        rows.groupby("repeat")["value"].mean(),
        str(rows["variant"].iloc[0]),
        str(rows["dataset"].iloc[0]),
        frozenset(rows["key"]),
        is_certain(rows),
    )
