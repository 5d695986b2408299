"""Surface forms of the entities of a KG, their translated names, lexical values of literals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from mmea_bench.datasets.core.errors import DataError, shown
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.readers import text

_LETTERS = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"""\\(?:([tbnrf"'\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))""")
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_TYPE_OR_LANGUAGE = re.compile(r"(\^\^\s*\S+|@[A-Za-z0-9_-]+)?\Z")


def surface_forms(uris: Iterable[str]) -> list[str]:
    """The surface form of each entity of a KG.

    Where most of them are bare numbers, these are ids and no names ("1984" among names is a name),
    and give "".
    """
    uris = list(uris)
    forms = [surface_form(uri) for uri in uris]
    if 2 * sum(map(_is_number, forms)) <= len(forms):
        return forms
    return ["" if _is_number(form) else form for form in forms]


def _is_number(form: str) -> bool:
    return form.isascii() and form.isdigit()


def number_notes(graphs: Iterable[KnowledgeGraph]) -> list[str]:
    """A sentence for each KG whose entities are numbers, and therefore no names."""
    notes = []
    for graph in graphs:
        local = (text.rstrip("/#>").rpartition("/")[2] for text in graph.entities.tolist())
        n_numbers = sum(map(_is_number, local))
        if 2 * n_numbers > graph.n_entities:
            notes.append(f"{n_numbers:,} entities of {graph.name} are numbers, not names.")
    return notes


def lexical_value(literal: str) -> str:
    """The text inside a typed or tagged literal, its escapes undone (N-Triples).

    Blanks around it and the dot of a statement behind it are none of it. A bare value is returned
    as it is.
    """
    # Found from the last quote on: a pattern for the whole literal could be made to run for hours.
    quoted = literal.strip().removesuffix(".").rstrip()
    last = quoted.rfind('"')
    if last > 0 and quoted.startswith('"') and _TYPE_OR_LANGUAGE.match(quoted, last + 1):
        return _unescaped(quoted[1:last])
    return literal


def escaped(text: str) -> str:
    """The text as it stands between the quotes of a literal."""
    return text.translate(_ESCAPED)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(match: re.Match[str]) -> str:
    letter, code = match[1], match[2] or match[3]
    if letter:
        return _LETTERS[letter]
    number = int(code, 16)
    is_letter = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF and number
    return chr(number) if is_letter else match[0]


def canonical_id(written: str) -> str:
    """One spelling per id, so that ``007`` and ``7`` are the same."""
    return written.lstrip("0") or "0"


def read_names(path: Path, known: set[str]) -> dict[str, str]:
    """Name by id from ``[[id, [word, ...]], ...]``; words are joined by a space.

    Raises:
        DataError: If the file is not such a list or names an id that is in neither KG.
    """
    content = "\n".join(text.read_lines(path))
    try:
        entries = json.loads(content)
        if not isinstance(entries, list):
            raise TypeError(f"{shown(entries)} is no list")
        names = dict(map(_name_entry, entries))
    except json.JSONDecodeError as error:
        raise DataError.at(
            path, f"is no JSON ({error.msg})", "Copy it again.", error.lineno
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"is not a list of [id, [word, ...]] ({shown(error, quote='')})"
        raise DataError.at(path, problem, "Copy it again, or write it in that form.") from None
    if len(names) < len(entries):
        raise DataError.at(path, "names an id twice", "Keep one entry per id.")
    stray = next((entity_id for entity_id in names if entity_id not in known), None)
    if stray is not None:
        raise DataError.at(
            path,
            f"names id {stray[:20]}, which neither ent_ids file holds",
            "Use the names of this very dataset.",
        )
    return names


def _name_entry(entry: object) -> tuple[str, str]:
    """Id and name of one entry.

    Raises:
        TypeError: If the entry has another form.
        ValueError: If the id is no whole number, or a word holds half a character.
    """
    if not isinstance(entry, list) or len(entry) != 2:
        raise TypeError(f"{shown(entry)} is no [id, [word, ...]]")
    entity_id, words = entry
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError(f"the words of id {shown(entity_id)} are not a list of text")
    written = str(entity_id) if isinstance(entity_id, (int, str)) else ""
    if not (written.isascii() and written.isdigit()):
        raise ValueError(f"{shown(entity_id)} is no id")
    name = " ".join(words)
    name.encode("utf-8")  # JSON can write half of a character, which no file can hold
    return canonical_id(written), name
