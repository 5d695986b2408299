"""Schema 1 to 2: the text ``setting`` gives way to columns, and the cell says what it read.

Schema 1 had in every row a text of ``key=value`` words, which each report parsed again, and in the
notes of a cell a sentence on copies that lack part of the published dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

VERSION = 1
_RESULTS = ("setting", "metric", "direction", "value", "n")
_CURVES = ("epoch", "loss", "links", "setting", "metric", "direction", "value")
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "similarity": None,
        "csls": 0,
        "decoder": "none",
        "candidates": None,
        "ties": None,
        "inference": None,
        "modality": None,
    }
)
"""The columns in place of ``setting``, in the order of schema 2, with their value for no word."""

_FACTS = ("names", "iterative")
_PARTIAL_COPY = "partial copy: "
# Which modality reads a count; entities and pairs concern everybody.
_READ_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        r"relations|(?:relation|tt|tv|vv) triples": ("structure", "relation"),
        r"attributes|attribute triples": ("attribute",),
        r"images|visual nodes": ("image",),
        r"text nodes": ("text",),
        r"entities": ("entities",),
        r"pairs": ("pairs",),
    }
)
_UNKNOWN = "files"


def upgraded(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record's file in schema 2.

    What the method read is not known: ``modalities`` stays empty, and a copy counts as incomplete
    in everything that its note names.

    Args:
        content: The parsed file of a record of schema 1.

    Raises:
        ValueError: If the record breaks schema 1.
        KeyError: If a part of it is missing.
    """
    words: dict[str, dict[str, str]] = {}
    results = _upgraded_rows(content["results"], _RESULTS, words)
    curves = _upgraded_rows(content["curves"], _CURVES, words)
    similarities = {found["similarity"] for found in words.values()}
    own = similarities.pop() if len(similarities) == 1 else None
    known = {tuple(found[fact] for fact in _FACTS) for found in words.values()}
    if len(known) > 1:
        raise ValueError("its rows disagree on whether the cell is iterative or read names")
    facts = dict(zip(_FACTS, known.pop() if known else (None, None), strict=True))
    cell = content["cell"] | {"modalities": None, "own_similarity": own} | facts
    cell |= _lacking(cell["notes"])
    return {**content, "schema_version": 2, "cell": cell, "results": results, "curves": curves}


def parse_setting(text: str) -> dict[str, str]:
    """The words of a setting: ``key=value``, sorted by key, one space between.

    Raises:
        ValueError: If the text is not canonical.
    """
    words = dict(word.partition("=")[::2] for word in text.split(" "))
    spelled = " ".join(f"{key}={words[key]}" for key in sorted(words))
    # An address such as hungarian[csls=3] may hold the sign inside its brackets.
    is_whole = all(
        re.fullmatch(r"[^\s=]+", key) and re.fullmatch(r"[^\s=]+(\[[^\s\]]*\])?", value)
        for key, value in words.items()
    )
    if spelled != text or not is_whole:
        raise ValueError(f"a setting that is not canonical: {text[:80]!r}")
    return words


def _upgraded_rows(
    packed: Mapping[str, Any], columns: Sequence[str], words: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """Rows with columns in place of the setting; ``words`` gathers each setting once."""
    if packed["columns"] != list(columns):
        raise ValueError(f"its columns are {packed['columns']!r:.100}, schema 1 has {columns}")
    place = columns.index("setting")
    made: dict[str, list[Any]] = {}
    rows = []
    for row in packed["rows"]:
        if not isinstance(row, list) or len(row) != len(columns):
            raise ValueError(f"a row of {len(columns)} values is {row!r:.100}")
        setting = row[place]
        if setting not in made:
            words[setting] = parse_setting(setting)
            made[setting] = _columns(setting, words[setting])
        rows.append([*row[:place], *made[setting], *row[place + 1 :]])
    names = [*columns[:place], *_DEFAULTS, *columns[place + 1 :]]
    return {"columns": names, "rows": rows}


def _columns(setting: str, words: Mapping[str, str]) -> list[Any]:
    """The values of ``_DEFAULTS`` that the words of a setting say."""
    needed = {"similarity", *_FACTS}
    known = needed | set(_DEFAULTS)
    wrong = sorted((words.keys() - known) | (needed - words.keys()))
    csls = words.get("csls", "0")
    if wrong or not (csls.isascii() and csls.isdecimal()):
        raise ValueError(f"{(wrong or ['csls'])[:3]} is none of schema 1: {setting[:80]!r}")
    said = {name: words[name] for name in _DEFAULTS if name in words}
    return list({**_DEFAULTS, **said, "csls": int(csls)}.values())


def _lacking(notes: str | None) -> dict[str, str | None]:
    """The notes without the sentence on a partial copy, and that sentence as columns."""
    if not notes:
        return {"lacking": None, "partial_copy": None, "notes": notes}
    parts = notes.split("; ")
    own = [part.removeprefix(_PARTIAL_COPY) for part in parts if part.startswith(_PARTIAL_COPY)]
    rest = [part for part in parts if not part.startswith(_PARTIAL_COPY)]
    sentence = ", ".join(dict.fromkeys(own))
    found = [
        modality
        for words, modalities in _READ_AS.items()
        if re.search(rf"\b(?:{words}): (?:not in these files|[\d,]+ of )", sentence)
        for modality in modalities
    ]
    return {
        "lacking": " ".join(found or [_UNKNOWN]) if sentence else None,
        "partial_copy": sentence or None,
        "notes": "; ".join(rest) or None,
    }
