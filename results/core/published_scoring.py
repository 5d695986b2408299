"""How the published numbers were scored, as far as anybody says: ``published/scoring.csv``."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmea_bench.results.core.published_files import (
    CsvLine,
    Parser,
    any_text,
    check_unique,
    filled_text,
    one_of,
    read_csv_lines,
    typed_frame,
)

ORIGINS = ("code", "paper", "interpretation", "not stated")
SETTINGS = (("names", "no-names"), ("iterative", "non-iterative"))
"""Setting words of ``results.csv`` that exclude each other: with, and without."""
_YES_NO = ("", "yes", "no")


@dataclass(frozen=True)
class PrintedScoring:
    """How the numbers of one method in one table were scored; "" and None for what is not known.

    Attributes:
        method: Name as in ``results.csv``.
        source: Key of the source; "" where the row tells what a released program does and stands
            for no printed number.
        table: Table, or file of a repository with all its lines; "" with ``source``.
        similarity: How pairs were compared: ``cosine``, ``inner``, ``manhattan``, ``euclidean``,
            or another word.
        csls: Neighbourhood size of CSLS, 0 for none.
        decoder: What came after the scores; ``none`` for nothing.
        candidates: ``test`` for the entities of the test links, ``links`` for those of all links,
            none of which is a seed, ``unseeded`` for all that stand in no seed link, ``all`` for
            every entity.
        direction: Which KG asks, ``src2tgt`` or ``tgt2src``.
        names: ``yes`` or ``no``: whether entity names were read.
        iterative: ``yes`` or ``no``: whether pseudo-labels were learned.
        origin: Who says so, one of ``ORIGINS``; an interpretation is what is taken for a method
            whose scoring no source states.
        note: Sentences for the reader.
    """

    method: str
    source: str
    table: str
    similarity: str
    csls: int | None
    decoder: str
    candidates: str
    direction: str
    names: str
    iterative: str
    origin: str
    note: str

    @property
    def is_stated(self) -> bool:
        """Whether it is known how scores were ranked; all else follows from the method."""
        return self.csls is not None

    @property
    def setting_words(self) -> frozenset[str]:
        """What is known of names and pseudo-labels, in words of ``results.csv``."""
        known = zip(SETTINGS, (self.names, self.iterative), strict=True)
        return frozenset(pair[word == "no"] for pair, word in known if word)


def read_scoring(path: Path, sources: Collection[str]) -> tuple[PrintedScoring, ...]:
    """The rows of the file, in its order.

    Args:
        path: The file.
        sources: Keys of the known sources.

    Raises:
        ResultsError: If the file is missing or a field holds something else than it should.
    """
    parsers: dict[str, Parser] = {
        "method": filled_text,
        "source": one_of("", *sources),
        "table": any_text,
        "similarity": _word,
        "csls": _csls,
        "decoder": _word,
        "candidates": one_of("", "test", "links", "unseeded", "all"),
        "direction": one_of("", "src2tgt", "tgt2src"),
        "names": one_of(*_YES_NO),
        "iterative": one_of(*_YES_NO),
        "origin": one_of(*ORIGINS),
        "note": filled_text,
    }
    lines = read_csv_lines(path, list(parsers))
    check_unique(lines, ["method", "source", "table"])
    for line in lines:
        _check(line)
    return tuple(
        PrintedScoring(**{**row, "csls": int(row["csls"]) if row["csls"] else None})
        for row in map(_texts, typed_frame(lines, parsers).to_dict("records"))
    )


def _texts(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {str(column): str(value) for column, value in row.items()}


def _check(line: CsvLine) -> None:
    if bool(line.texts["source"]) != bool(line.texts["table"]):
        raise line.error("table", "must be filled where the source is, and there alone")
    if line.texts["csls"] and line.texts["origin"] == "not stated":
        raise line.error("origin", "must say who states the CSLS size")


def _csls(text: str) -> str:
    if text and not (text.isascii() and text.isdecimal()):
        raise ValueError("must hold a whole number from 0, or nothing")
    return text


def _word(text: str) -> str:
    if " " in text or not text.isprintable():
        raise ValueError("must hold one word, or nothing")
    return text
