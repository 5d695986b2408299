"""Surface forms of the entities of a KG, and lexical values of literals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.surface_forms import surface_form

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
