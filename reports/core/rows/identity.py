"""What makes numbers repeats of one thing: the settings and the ways of scoring that they share."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd

from mmea_bench.results.core.record import STOP_CSLS, telling_settings
from mmea_bench.results.core.table import Tables

CELL_IDENTITY = [
    *("method", "variant", "dataset", "dataset_version", "seed_ratio", "repeat", "protocol"),
]
"""Columns of cells.csv, ``protocol`` as ``with_protocol_settings`` has it."""

_WAY = ["candidates", "ties", "csls", "decoder"]
"""How a number was scored, as far as a user chooses it; the similarity belongs to the method."""


def protocol_name(protocol: str) -> str:
    """``strict`` or ``paper``, without the settings in brackets."""
    return protocol.partition("[")[0]


def with_words(protocol: str, words: str) -> str:
    """A protocol with more words in its brackets."""
    name, _, before = protocol.removesuffix("]").partition("[")
    return f"{name}[{before},{words}]" if before else f"{name}[{words}]"


def with_protocol_settings(tables: Tables) -> Tables:
    """Tables whose column ``protocol`` names the settings in which cells of one protocol differ.

    ``strict`` becomes ``strict[patience=10]`` beside ``strict[patience=5]``, so that whatever is
    grouped by protocol keeps the two apart. Where all cells agree, or one only says its settings,
    the name stays as it is. Doing it twice changes nothing.
    """
    cells = tables.cells
    rows = zip(cells["key"], cells["protocol_settings"], cells["stopped_on"], strict=True)
    known = {
        key: words_of_settings(text, stop) for key, text, stop in rows if isinstance(text, str)
    }
    label_of: dict[str, str] = {}
    for protocol, own in cells.groupby("protocol")["key"]:
        settings = {key: known[key] for key in own if key in known}
        differing = _differing(list(settings.values()))
        for key, values in settings.items():
            words = ",".join(f"{name}={values[name]}" for name in differing if name in values)
            if words:
                label_of[key] = with_words(str(protocol), words)
    if not label_of:
        return tables

    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        labels = frame["key"].map(label_of)
        return frame.assign(protocol=labels.where(labels.notna(), frame["protocol"]).astype("str"))

    return replace(tables, results=labelled(tables.results), cells=labelled(cells))


def words_of_settings(text: object, stopped_on: object) -> dict[str, str]:
    """``telling_settings``, each value as a word."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in telling_settings(text, stopped_on).items()
    }


def _differing(settings: list[dict[str, str]]) -> list[str]:
    """Names of the settings with several values, sorted.

    One that some cells lack counts, too, but for the size that chose a checkpoint: the last epoch
    is chosen by none.
    """
    names = {name for own in settings for name in own}

    def values(name: str) -> set[str | None]:
        return {own.get(name) for own in settings if name in own or name != STOP_CSLS}

    return sorted(name for name in names if len(values(name)) > 1)


def newest_numbers(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of the newest cell for every way in which something was scored.

    A cell that was run again replaces its older self. Scored in another way (among other
    candidates, with other decoders) it stands beside: the older numbers are no less valid.

    Args:
        rows: Rows of results.csv or curves.csv of these cells.
        cells: Cells of equal identity in the order of their right to count, the last one wins.
    """
    identity = cells.groupby(CELL_IDENTITY, dropna=False, sort=False).ngroup()
    of_key = dict(zip(cells["key"], identity, strict=True))
    right = {key: place for place, key in enumerate(cells["key"])}
    ways = rows[_WAY].astype(object).where(rows[_WAY].notna(), "")
    ranked = ways.assign(cell=rows["key"].map(of_key), right=rows["key"].map(right))
    best = ranked.groupby([*_WAY, "cell"], sort=False)["right"].transform("max")
    return rows[ranked["right"] == best]
