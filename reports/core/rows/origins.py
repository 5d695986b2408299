"""Where repeats come from: program, libraries, device and seeds that one mean should share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from mmea_bench.reports.core.rows.identity import CELL_IDENTITY, with_words
from mmea_bench.results.core.table import Tables

_LONGEST_LIST = 3
_MEAN = [name for name in CELL_IDENTITY if name != "repeat"]
"""Columns that the repeats of one mean share."""


class Origin(NamedTuple):
    """What a cell was made with; empty where it does not say."""

    commit: str
    versions: str
    device: str
    n_seeds: str
    simulated: str


_KINDS = {
    "commit": "commits of the program",
    "versions": "library versions",
    "device": "devices",
    "n_seeds": "numbers of seed links",
    "simulated": "simulated inputs",
}
_OF_PLACES = ("n_seeds", "simulated")
"""Kinds that differ from place to place, or from method to method, as they should."""


def origins(cells: pd.DataFrame) -> pd.Series[Any]:
    """The ``Origin`` of every cell.

    Args:
        cells: Rows of cells.csv.
    """
    n_seeds = cells["n_train"].astype("Float64") + cells["n_valid"].astype("Float64").fillna(0)
    texts = (
        cells["git_commit"].fillna(""),
        cells["versions"].fillna("{}"),
        cells["device"].fillna(""),
        n_seeds.map(lambda n: f"{n:.0f}", na_action="ignore").astype(object).fillna(""),
        cells["simulated_features"].fillna("none"),
    )
    found = [Origin(*map(str, words)) for words in zip(*texts, strict=True)]
    return pd.Series(found, cells.index, dtype=object)


def origin_notes(numbers: pd.DataFrame) -> tuple[str, ...]:
    """Sentences on means over unlike repeats, and on unlike cells side by side; nothing for none.

    Args:
        numbers: Rows with the identity of their cells, ``key`` and ``origin``.
    """
    if numbers.empty:
        return ()
    cells = numbers.drop_duplicates("key")
    return tuple(note for kind in _KINDS for note in _notes(cells, kind))


def kept_apart(tables: Tables, kinds: Sequence[str]) -> Tables:
    """Tables in which cells that were made unlike are no repeats of each other.

    What differs stands in brackets behind the protocol, such as ``strict[torch 2.5]``.

    Args:
        tables: Of a results folder.
        kinds: What tells cells apart; of ``APART``.
    """
    cells = tables.cells
    found = origins(cells)
    label_of = dict(zip(cells["key"], map(str, cells["protocol"]), strict=True))
    for kind in kinds:
        values = [getattr(origin, kind) for origin in found]
        words = _distinct_versions(v or "{}" for v in values) if kind == "versions" else values
        if len(set(words)) > 1:
            for key, word in zip(cells["key"], words, strict=True):
                label_of[key] = with_words(label_of[key], word or f"{kind} unknown")

    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(protocol=frame["key"].map(label_of).astype("str"))

    return replace(tables, results=labelled(tables.results), cells=labelled(cells))


def _notes(cells: pd.DataFrame, kind: str) -> Iterator[str]:
    values = cells.assign(value=[getattr(origin, kind) for origin in cells["origin"]])
    values = values[values["value"] != ""]
    if kind == "versions":
        values = values.assign(value=_distinct_versions(values["value"]))
    mixed, of_places = [], set()
    for place, own in values.groupby(_MEAN, dropna=False, sort=True):
        of_places.add(frozenset(own["value"]))
        if own["value"].nunique() > 1:
            method, variant, dataset, _version, ratio, protocol = place
            words = (
                f"{method} ({variant}) on {dataset}, {100 * float(str(ratio)):.10g} %, {protocol}"
            )
            mixed.append(f"{words}: {_counted(own['value'])}")
    if mixed:
        more = f"; and {len(mixed) - _LONGEST_LIST} more" if len(mixed) > _LONGEST_LIST else ""
        listed = "; ".join(mixed[:_LONGEST_LIST])
        yield f"Means over repeats of different {_KINDS[kind]}: {listed}{more}."
    if kind not in _OF_PLACES and len(of_places) > 1:
        yield f"Side by side stand cells of different {_KINDS[kind]}: {_counted(values['value'])}."


def _counted(values: pd.Series[str]) -> str:
    counts = Counter(values)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = [f"{len(ordered) - 4} more"] if len(ordered) > 4 else []
    return ", ".join([*(f"{value} ({count})" for value, count in ordered[:4]), *more])


def _distinct_versions(texts: Iterable[str]) -> list[str]:
    """Of each text of versions only the libraries that not all texts have alike."""
    all_texts = list(texts)
    found = {text: json.loads(text) for text in set(all_texts)}
    names = sorted({name for versions in found.values() for name in versions})
    differing = [n for n in names if len({str(own.get(n)) for own in found.values()}) > 1]
    words = {
        text: " ".join(f"{name} {versions[name]}" for name in differing if name in versions)
        for text, versions in found.items()
    }
    return [words[text] or "unknown" for text in all_texts]
