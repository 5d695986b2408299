"""Texts that look the same and are not: what a reader says about them instead of nothing.

A graph whose files were joined, converted or edited may hold one entity in two spellings that
nobody can tell apart on a screen. Which of them is meant is not ours to decide, so nothing is
merged: what differs in spelling alone is counted in a note, and named where it leads to an error.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.graph import KnowledgeGraph

_WHAT = "a blank, an invisible character, or the way a letter is encoded"
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_HEADERS = re.compile(
    r"(head|tail|subject|sub|object|source|target|entity|ent|id|uri)[_ ]?(entity|id|uri|name|\d)?s?"
    r"|(relation|rel|predicate|property|attribute|attr|value|literal|image)[_ ]?(id|uri|name)?s?"
    r"|[ehrtspov]([_ ]?id)?"
)
"""Words that name a column; ``e1`` and ``relation1`` name an entity and a relation of toy data."""


def folded(text: str) -> str:
    r"""The text as it looks: one spelling for what differs in encoding or invisible characters.

    Percent-encoding and ``\uXXXX`` are decoded, letters are composed (NFC), format characters
    (zero-width ones, byte order marks, soft hyphens) dropped, all blanks are one.
    """
    if text.isascii() and "%" not in text and "\\" not in text:
        return " ".join(text.split())
    decoded = _ESCAPE.sub(_letter, text)
    if "%" in decoded:
        with contextlib.suppress(UnicodeDecodeError):
            decoded = unquote(decoded, errors="strict")
    visible = "".join(c for c in decoded if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _letter(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    is_letter = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_letter else match[0]


def look_alike_notes(graphs: Iterable[KnowledgeGraph]) -> list[str]:
    """A sentence for each kind of text of a graph of which some differ in spelling alone."""
    notes = []
    for graph in graphs:
        kinds = {
            "entities": graph.entities,
            "relations": graph.relations,
            "attributes": graph.attributes,
        }
        for kind, texts in kinds.items():
            groups: dict[str, list[str]] = {}
            for text in texts.tolist():
                groups.setdefault(folded(text), []).append(text)
            alike = [group for group in groups.values() if len(group) > 1]
            if alike:
                notes.append(
                    f"{sum(map(len, alike)):,} {kind} of {graph.name} look like another one and "
                    f"differ in {_WHAT}, such as {_pair(alike[0])}; they are kept apart."
                )
    return notes


def _pair(texts: Sequence[str]) -> str:
    return " and ".join(ascii(text) if len(text) <= 80 else shown(text) for text in texts[:2])


def hint(entity: str, known: Iterable[str]) -> str:
    """Where an unknown entity looks like a known one: a clause that says so, else ""."""
    look = folded(entity)
    other = next((each for each in known if folded(each) == look), None)
    return "" if other is None else f" ({_pair([entity, other])} differ in {_WHAT})"


def left_out_hint(unknown: Iterable[str], known: Mapping[str, int]) -> str:
    """How many of the names that were left out look like an entity: a clause, else ""."""
    looks = {folded(each) for each in known}
    alike = [each for each in dict.fromkeys(unknown) if folded(each) in looks]
    if not alike:
        return ""
    return f" {len(alike):,} of these names look like an entity, such as {alike[0]!a}."


def check_header(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Refuses a file that begins with the names of its columns.

    Read as data, they would be entities and a relation that do not exist.

    Raises:
        DataError: If all words of the first line name columns, and no other line has its first.
    """
    if len(rows) < 2:
        return
    words = filter(None, (word.strip('#<>." ').lower() for word in rows[0]))
    is_header = all(_HEADERS.fullmatch(word) for word in words)
    if is_header and all(row[0] != rows[0][0] for row in rows[1:]):
        problem = f"{shown(' '.join(rows[0]))} names columns, where a line of data should stand"
        raise DataError.at(path, problem, "Remove the line.", 1)
