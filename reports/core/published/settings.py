"""The protocol of a cell in words that depend on the cell alone, not on what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pandas as pd

from mmea_bench.reports.core.remembered import remembered
from mmea_bench.reports.core.rows.identity import (
    protocol_name,
    with_words,
    words_of_settings,
)
from mmea_bench.results.core.schema import LINK_SETS
from mmea_bench.results.core.table import Tables

USUAL_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "eval_every": "0",
        "patience": "5",
        "ranking": "exact",
        "stop_csls": "3",
        "stop_metric": "mrr",
        "tie_rule": "realistic",
        "valid_from": "seeds",
        "valid_share": "0.1",
    }
)
"""Settings of a protocol that nobody changed, as words; ``stop_csls`` is the last CSLS size."""

_SAID_BY_NUMBERS = ("candidates", "csls", "decoders")
"""Settings that add numbers to a cell; each number says its own."""
_OF_A_CHOICE = ("eval_every", "stop_metric", "stop_csls")
"""Settings that decide which checkpoint is kept, so that they mean nothing to a last epoch."""
_BETWEEN_WORDS = re.compile(r",(?![^\[\]]*\])")  # not within the brackets of a word itself


@remembered
def with_own_protocols(tables: Tables) -> Tables:
    """Tables whose column ``protocol`` names the settings behind a number that are not the usual.

    What is named does not depend on the other cells of the folder, so that a cell keeps its name
    when others join it. Candidates are no part of it: a number tells them itself, and that among
    the test entities is the same whatever else was ranked besides.
    """
    label_of = dict(zip(tables.cells["key"], own_protocols(tables.cells), strict=True))

    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(protocol=frame["key"].map(label_of).astype("str"))

    # Without the settings nobody names them once more, as they differ within the folder.
    cells = labelled(tables.cells).assign(protocol_settings=None)
    return replace(tables, results=labelled(tables.results), cells=cells)


def usual_words_dropped(protocol: str) -> str:
    """A protocol as an earlier program named it, without words that say what is usual."""
    words = _BETWEEN_WORDS.split(protocol.partition("[")[2].removesuffix("]"))
    kept = [word for word in words if word and not _is_idle(*word.partition("=")[::2])]
    name = protocol_name(protocol)
    return with_words(name, ",".join(kept)) if kept else name


def own_protocols(cells: pd.DataFrame) -> pd.Series[str]:
    """The protocol of every row of cells.csv in its own words."""
    rows = zip(cells["protocol"], cells["protocol_settings"], cells["stopped_on"], strict=True)
    made = [_own_protocol(str(protocol), text, stop) for protocol, text, stop in rows]
    return pd.Series(made, cells.index, dtype=str)


def _own_protocol(protocol: str, settings: object, stopped_on: object) -> str:
    chosen = stopped_on in LINK_SETS
    words = {
        name: word
        for name, word in words_of_settings(settings, stopped_on).items()
        if chosen or name not in _OF_A_CHOICE
    }
    told = [f"{name}={words[name]}" for name in sorted(words) if not _is_idle(name, words[name])]
    return with_words(protocol, ",".join(told)) if told else protocol


def _is_idle(name: str, value: str) -> bool:
    return name in _SAID_BY_NUMBERS or USUAL_SETTINGS.get(name) == value
