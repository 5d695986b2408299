"""Citation records as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from mmea_bench.datasets.core.paper import Paper

_JOURNALS = re.compile(r"\b(Journal|Transactions|Neurocomputing|Fusion|TKDE|TOIS|PVLDB|Letters)\b")
_ARXIV = re.compile(r"arxiv\.org/abs/([\w.-]+/?\d*)")
_SMALL_WORDS = frozenset(
    ("a", "an", "the", "on", "of", "for", "in", "to", "and", "with", "from", "via", "by")
)
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def citation_key(paper: Paper) -> str:
    """Key of an entry: first surname, year, and the first word of the title that says something."""
    surname = paper.authors.partition(",")[0]
    words = re.findall(r"\w+", _ascii(paper.title).lower())
    word = next((word for word in words if word not in _SMALL_WORDS), "")
    return re.sub(r"\W+", "", f"{_ascii(surname).lower()}{paper.year}{word}")


def bibtex(paper: Paper) -> str:
    """A paper as one BibTeX entry; records hold surnames only, and so does the entry."""
    preprint = _ARXIV.search(paper.url)
    if paper.venue.lower() == "arxiv":
        kind, where = "misc", {}
    elif _JOURNALS.search(paper.venue):
        kind, where = "article", {"journal": _escaped(paper.venue)}
    else:
        kind, where = "inproceedings", {"booktitle": _escaped(paper.venue)}
    fields = {
        "author": " and ".join(_authors(paper.authors)),
        # Braces keep capitals, which styles would lower.
        "title": f"{{{_escaped(paper.title)}}}",
        **where,
        "year": str(paper.year),
        **({"eprint": preprint[1], "archiveprefix": "arXiv"} if preprint else {}),
        "url": paper.url,
    }
    return entry(kind, citation_key(paper), fields)


def entry(kind: str, key: str, fields: dict[str, str]) -> str:
    """The text of an entry; fields without a value are left out."""
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _authors(text: str) -> Iterable[str]:
    for name in re.split(r",\s*|\s+and\s+", text):
        if re.fullmatch(r"et al\.?", name.strip()):
            yield "others"
        elif name.strip():
            yield _escaped(name.strip())


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
