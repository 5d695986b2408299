"""Which rows of the tables a report may put side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from mmea_bench.results.core.schema import parse_setting
from mmea_bench.results.core.table import Tables

DEFAULT_CSLS = 3

_CELL_IDENTITY = [
    *("method", "variant", "dataset", "dataset_version", "seed_ratio", "repeat", "protocol"),
]
# Part of a method rather than of the rules, so it does not keep two methods apart.
_METHOD_WORDS = ("similarity", "inference")
# What a method was given: told apart within a table, and never ranked with each other.
_SECTION_WORDS = {"names": "names", "iterative": "iterative"}


@dataclass(frozen=True)
class Current:
    """The cells that count, with their numbers.

    Attributes:
        tables: Tables with one cell per identity.
        n_replaced: Cells left out because the same cell was run again.
    """

    tables: Tables
    n_replaced: int

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence about what was left out, if anything was."""
        if not self.n_replaced:
            return ()
        return (
            f"{self.n_replaced} cell(s) were run again with changed code or settings; only the "
            "newest run of each that ended ok counts.",
        )


def current_cells(tables: Tables) -> Current:
    """One cell per method, variant, dataset version, ratio, repeat and protocol.

    A cell that was run again under another key must not count as one more repeat. A cell that
    ended ok wins, then the newest.
    """
    cells = tables.cells
    order = cells.assign(
        _ok=cells["status"] == "ok", _when=cells["finished_at"].fillna("").astype(str)
    ).sort_values(["_ok", "_when", "key"], kind="stable")
    kept = order.drop_duplicates(_CELL_IDENTITY, keep="last")
    # A cell that failed before its dataset was read has no version; it matches any.
    unversioned = [name for name in _CELL_IDENTITY if name != "dataset_version"]
    places = pd.Series(list(kept[unversioned].itertuples(index=False, name=None)), kept.index)
    kept = kept[~(kept["dataset_version"].isna() & places.isin(set(places[kept["_ok"]])))]
    keys = set(kept["key"])
    return Current(
        replace(
            tables,
            results=tables.results[tables.results["key"].isin(keys)].reset_index(drop=True),
            cells=cells[cells["key"].isin(keys)].reset_index(drop=True),
            curves=tables.curves[tables.curves["key"].isin(keys)].reset_index(drop=True),
        ),
        len(cells) - len(kept),
    )


def with_setting_words(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns ``csls``, ``similarity``, ``inference``, ``section`` and ``rules``.

    All are taken from ``setting``. ``inference`` says how pairs were predicted and is empty where
    links were ranked. ``section`` says whether names were read and pseudo-labels learned;
    ``rules`` is the rest: numbers with equal rules, section and csls are comparable.
    """
    words = {setting: parse_setting(setting) for setting in frame["setting"].unique()}
    rules = {
        setting: " ".join(
            f"{key}={value}"
            for key, value in found.items()
            if key not in ("csls", *_METHOD_WORDS, *_SECTION_WORDS)
        )
        for setting, found in words.items()
    }
    csls = {setting: int(found.get("csls", "0")) for setting, found in words.items()}
    section = {
        setting: ", ".join(
            printed if found.get(word) == "yes" else f"no {printed}"
            for word, printed in _SECTION_WORDS.items()
            if word == "names" or found.get(word) == "yes"
        )
        for setting, found in words.items()
    }
    by_method = {
        word: {setting: found.get(word, "") for setting, found in words.items()}
        for word in _METHOD_WORDS
    }
    return frame.assign(
        csls=frame["setting"].map(csls).astype("int64"),
        **{word: frame["setting"].map(found).astype(str) for word, found in by_method.items()},
        section=frame["setting"].map(section).astype(str),
        rules=frame["setting"].map(rules).astype(str),
    )


def choose_csls(found: set[int], asked: int | None) -> int | None:
    """The neighbourhood size to show; None if the one asked for is not there."""
    if asked is not None:
        return asked if asked in found else None
    return DEFAULT_CSLS if DEFAULT_CSLS in found else min(found, default=None)


def dataset_labels(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Printed name of each (dataset, version); the version shows where there are several."""
    pairs = frame[["dataset", "dataset_version"]].dropna().drop_duplicates()
    n_versions = pairs.groupby("dataset")["dataset_version"].nunique()
    return {
        (dataset, version): f"{dataset} @{version[:6]}" if n_versions[dataset] > 1 else dataset
        for dataset, version in pairs.itertuples(index=False)
    }


def name_of(method: str, variant: str) -> str:
    """Printed name of a method in a variant."""
    if variant == "full":
        return method
    return f"{method}{variant[4:]}" if variant.startswith("full[") else f"{method} {variant}"


def percent(ratio: float) -> str:
    """Printed seed ratio."""
    return f"{100 * ratio:.10g} %"
