"""Which numbers of two sides belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from mmea_bench.reports.core.comparing.sides import Kind, Side, Sides
from mmea_bench.reports.core.comparing.unpaired import (
    Unpaired,
    ended_badly,
    lonely,
    not_shown,
    with_is_paired,
)
from mmea_bench.reports.core.errors import ReportError
from mmea_bench.reports.core.options import ReportOptions
from mmea_bench.reports.core.rows.comparison import shown_numbers
from mmea_bench.reports.core.rows.select import choose_csls
from mmea_bench.results.core.schema import NO_DECODER, RANK_METRICS
from mmea_bench.results.core.table import Tables

DESPITE: Mapping[str, tuple[str, ...]] = {
    "data": ("dataset_version", "split_seed"),
    "protocol": ("protocol",),
}
"""What a reader may want to compare across, and the columns that then need not agree."""

_PLACE = ("pair_method", "dataset", "seed_ratio", "pair_variant")
_INPUT = ("dataset_version", "protocol", "names", "iterative", "simulated_text")
_SPLIT = ("repeat", "split_seed")
_SCORING = ("rules", "inference")
_ORDER = (*_PLACE, *_INPUT, *_SPLIT, *_SCORING)
"""What must agree; in the order in which a missing partner is explained."""
_NUMBER = ("metric", "direction")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Numbers of both sides that belong together.

    Attributes:
        numbers: One row for each pair: the columns of ``GROUP``, ``repeat``, ``metric``, ``first``
            and ``second`` (values), ``first_key``, ``second_key``, ``on_test`` (whether one of
            both chose its checkpoint on test links).
        unpaired: Cells that are not compared, or not with all of their numbers.
    """

    numbers: pd.DataFrame
    unpaired: tuple[Unpaired, ...]


GROUP = ("name", *(column for column in _ORDER if column not in _SPLIT))
"""Columns that the repeats of one difference share."""


def pair_numbers(sides: Sides, options: ReportOptions, despite: tuple[str, ...] = ()) -> Pairs:
    """Every number of the first side beside that of the second.

    Args:
        sides: Both sides.
        options: CSLS size, direction and metrics.
        despite: Kinds of ``DESPITE`` in which the sides may differ.

    Raises:
        ReportError: If something of ``despite`` does not exist, or makes partners ambiguous.
    """
    for word in despite:
        if word not in DESPITE:
            raise ReportError(f"Unknown word of --despite '{word}'. Valid: {', '.join(DESPITE)}.")
    loose = {column for word in despite for column in DESPITE[word]}
    options = replace(options, csls=_common_csls(sides, options.csls))
    frames = [_numbers(side, options) for side in (sides.first, sides.second)]
    first, second = _with_names(sides.kind, *frames)
    order = [column for column in _ORDER if column not in loose]
    keys = [*order, *_NUMBER]
    for side, frame in ((sides.first, first), (sides.second, second)):
        _check_unique(side.label, frame, keys)
    merged = first.merge(second, on=keys, suffixes=("", "_2"))
    numbers = merged.assign(
        first=merged["value"],
        second=merged["value_2"],
        first_key=merged["key"],
        second_key=merged["key_2"],
        on_test=merged["on_test"] | merged["on_test_2"],
        name=_names(sides.kind, merged),
    )
    frames = [with_is_paired(*pair, keys) for pair in ((first, second), (second, first))]
    shown = list(zip((sides.first, sides.second), frames, strict=True))
    unpaired = [
        *lonely(*shown[0], *shown[1], order),
        *lonely(*shown[1], *shown[0], order),
        *(each for side, own in shown for each in not_shown(side, own, options)),
        *(each for side in (sides.first, sides.second) for each in ended_badly(side)),
    ]
    return Pairs(numbers, tuple(unpaired))


def setting_words(row: Mapping[str, object]) -> str:
    """What numbers of a group were made under: protocol, input, features, scoring."""
    words = [
        str(row["protocol"]),
        "names" if row["names"] == "yes" else "no names",
        *["iterative"] * (row["iterative"] == "yes"),
        *[f"simulated {row['simulated_text']}"] * bool(row["simulated_text"]),
        *[str(row["inference"])] * bool(row["inference"]),
    ]
    rules = [word for word in str(row["rules"]).split() if word not in _USUAL_RULES]
    return ", ".join([*words, *rules])


_USUAL_RULES = ("candidates=test", "ties=realistic")


def _common_csls(sides: Sides, asked: int | None) -> int | None:
    """The CSLS size that both sides have: the one asked for, else 3, else the smallest."""
    found = [_sizes(side.tables) for side in (sides.first, sides.second)]
    if not all(found):
        return asked
    shared = found[0] & found[1]
    chosen = choose_csls(shared, asked)
    if chosen is None:
        listed = ", ".join(map(str, sorted(shared))) or "none"
        raise ReportError(f"Both sides need numbers of one CSLS size; they share: {listed}.")
    return chosen


def _sizes(tables: Tables) -> set[int]:
    results = tables.results
    ranks = results["metric"].isin(RANK_METRICS) & (results["decoder"] == NO_DECODER)
    return {int(size) for size in results.loc[ranks, "csls"]}


def _numbers(side: Side, options: ReportOptions) -> pd.DataFrame:
    """The comparable numbers of a side, with all that must agree."""
    shown = shown_numbers(side.tables, options)
    shown = shown[(shown["modality"] == "") & shown["metric"].isin(options.metrics)]
    cells = side.tables.cells.drop_duplicates("key").set_index("key")
    seeds = shown["key"].map(cells["split_seed"]).astype("Float64").astype(object)
    features = shown["key"].map(cells["simulated_features"]).astype(object)
    return shown.assign(
        split_seed=seeds.where(seeds.notna(), -1.0).astype(float),
        simulated_text=features.where(features.notna(), "").astype(str),
        seed_ratio=shown["seed_ratio"].astype(float),
        repeat=shown["repeat"].astype(int),
    )


def _with_names(
    kind: Kind, first: pd.DataFrame, second: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns by which partners are found; what is compared is no part of them."""
    if kind == "variants":
        return _named(first, first["method"], ""), _named(second, second["method"], "")
    if kind == "methods":
        return _named(first, "", first["variant"]), _named(second, "", second["variant"])
    single = _single_settings(first) & _single_settings(second)
    variants = [
        frame["base"].where(_places(frame).isin(single), frame["variant"])
        for frame in (first, second)
    ]
    return (
        _named(first, first["method"], variants[0]),
        _named(second, second["method"], variants[1]),
    )


def _named(
    frame: pd.DataFrame, method: pd.Series[str] | str, variant: pd.Series[str] | str
) -> pd.DataFrame:
    return frame.assign(pair_method=method, pair_variant=variant)


def _places(frame: pd.DataFrame) -> pd.Series[str]:
    words = zip(frame["method"], frame["base"], frame["dataset"], frame["seed_ratio"], strict=True)
    return pd.Series(list(words), frame.index, dtype=object)


def _single_settings(frame: pd.DataFrame) -> set[object]:
    """Places of methods and variants that a side has with one set of overrides.

    There the overrides are what changed, such as tuned values against the defaults, and do not
    keep the two sides apart.
    """
    counts = frame.assign(place=_places(frame)).groupby("place")["variant"].nunique()
    return set(counts[counts == 1].index)


def _check_unique(label: str, frame: pd.DataFrame, keys: list[str]) -> None:
    twice = frame[frame.duplicated(keys, keep=False)]
    if not twice.empty:
        row = twice.iloc[0]
        raise ReportError(
            f"{label} has several numbers for {row['method']} ({row['variant']}) on "
            f"{row['dataset']}, repeat {row['repeat']}, that --despite does not tell apart."
        )


def _names(kind: Kind, merged: pd.DataFrame) -> list[str]:
    """How the rows of a pair are called: by what both sides share."""
    if kind == "variants":
        return [str(method) for method in merged["pair_method"]]
    if kind == "methods":
        return [str(variant) for variant in merged["pair_variant"]]
    pairs = zip(merged["pair_method"], merged["pair_variant"], strict=True)
    return [str(m) if v == "full" else f"{m} ({v})" for m, v in pairs]
