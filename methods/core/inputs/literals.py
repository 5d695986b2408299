"""Values of attribute triples: the text and the number that a literal holds.

Files write literals in many ways: ``"178.0"^^<.../XMLSchema#double>``, ``"Wien"@de``, a bare
``54.2``, a date. Readers store what a literal says, so that a text is taken as it stands: quotes
that are left are its own. Vectors of texts come from ``text_encoders.text_vectors``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph

_TYPE_OR_LANGUAGE = re.compile(r"(?:\^\^\s*<?(?P<type>[^\s<>]+)>?|@(?P<language>[\w-]+))?")
_TYPE = re.compile(r"<([^\s<>]+)>|([A-Za-z][\w.-]*:[^\s<>]+)")
"""The type behind a text without quotes: a URI, since ``x^^2`` may mean a power."""

# Each digit has one place in the pattern: with two, a long run of them would take for ever.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_SMALLEST_DEVIATION = 1e-6
_LARGEST_TO_SQUARE = 1e140
_DATE = re.compile(r"(-?[0-9]{3,9})-([0-9]{1,2}|##)(?:-([0-9]{1,2}|##))?(?:T.*|Z)?")


class Literal(NamedTuple):
    """A literal in parts; the last two are "" where nothing says them."""

    text: str
    datatype: str
    language: str


def parse_literal(raw: str) -> Literal:
    """The parts of a literal as files write it; a text may stand without quotes, also with a type.

    The datatype is the last part of its URI, such as ``double``.
    """
    raw = raw.strip()
    # Found from the last quote on: a pattern for the whole literal could be made to run for hours.
    last = raw.rfind('"')
    if last < 0:
        text, mark, end = raw.rpartition("^^")
        typed = _TYPE.fullmatch(end) if mark else None
        return _literal(text, typed[1] or typed[2]) if typed else Literal(raw, "", "")
    found = _TYPE_OR_LANGUAGE.fullmatch(raw, last + 1) if last and raw.startswith('"') else None
    if found is None:
        return Literal(raw, "", "")
    return _literal(raw[1:last], found["type"] or "", found["language"] or "")


def _literal(text: str, uri_of_type: str, language: str = "") -> Literal:
    return Literal(text, re.split(r"[/#:]", uri_of_type)[-1], language)


def number_of(text: str) -> float:
    """The number that a literal's text is, NaN if it is none.

    Plain and scientific notation, thousands between commas, and dates as years with a fraction:
    ``1912-09`` is 1912.667, as Freebase's numeric dates are written; unknown months and days
    (``##``) count as the first. What is too large for a float is none.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text) or _GROUPED.fullmatch(text):
        number = float(text.replace(",", ""))
        return number if math.isfinite(number) else math.nan
    found = _DATE.fullmatch(text)
    if found is None:
        return math.nan
    month, day = (int(part) if part and part != "##" else 1 for part in found.group(2, 3))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return math.nan
    return int(found[1]) + (month - 1) / 12 + (day - 1) / 365.25


def is_float(text: str) -> bool:
    """Whether Python reads a text as a float: ``nan`` is one, a date is none."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers_of(texts: Iterable[str]) -> NDArray[np.float64]:
    """``number_of`` what each text says, [n]; quotes or a type around a number are no part of it.

    Each distinct text is parsed once.
    """
    listed = list(texts)
    numbers = {text: number_of(parse_literal(text).text) for text in dict.fromkeys(listed)}
    return np.array([numbers[text] for text in listed], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class AttributeValues:
    """The attribute triples of both KGs with their values, in the order of ``JointGraph``.

    Attributes:
        entities: Joint id, [n] int64.
        attributes: Shared attribute id, [n] int64.
        texts: What the literal says, [n]; "" where files give no value, or blanks alone.
        numbers: Its number, [n] float64; NaN where it is none. Quotes or a type that stand around
            it, as where a file gives the type without quotes, are no part of it.
    """

    entities: IntArray
    attributes: IntArray
    texts: list[str]
    numbers: NDArray[np.float64]

    @classmethod
    def of(cls, view: TrainView, graph: JointGraph) -> AttributeValues:
        """The values of a view whose union is ``graph``."""
        stored = [*view.source.attribute_values, *view.target.attribute_values]
        texts = [text if text.strip() else "" for text in stored]
        entities, attributes = graph.attributes.T
        return cls(entities, attributes, texts, numbers_of(texts))

    def __len__(self) -> int:
        """Number of attribute triples."""
        return len(self.texts)

    def chosen(self, kept: NDArray[np.generic]) -> AttributeValues:
        """Some of the triples, by position or mask."""
        places = np.arange(len(self))[kept]
        texts = [self.texts[place] for place in places]
        return AttributeValues(
            self.entities[places], self.attributes[places], texts, self.numbers[places]
        )

    def digital(
        self, n_attributes: int, among: IntArray | None = None, share: float = 0.5
    ) -> NDArray[np.bool_]:
        """Whether more than a share of an attribute's values read as floats, [n_attributes].

        Dates do not, other than in ``numbers``.

        Args:
            n_attributes: Attributes of both graphs.
            among: Entities whose values count, such as those of seed links; None for all. An
                attribute without values there is not digital.
            share: Of the values.

        Reference: Liu et al. (AttrGNN), EMNLP 2020, as the released code splits attributes.
        """
        counted = np.ones(len(self), dtype=bool) if among is None else np.isin(self.entities, among)
        floats = {text: is_float(text) for text in dict.fromkeys(self.texts)}
        numeric = counted & np.array([floats[text] for text in self.texts], dtype=bool)
        total, numbers = (
            np.bincount(self.attributes[mask], minlength=n_attributes)
            for mask in (counted, numeric)
        )
        return np.asarray(numbers > share * total)

    def one_each(self, most: int) -> AttributeValues:
        """One value per entity and attribute (the last), for the first attributes of an entity.

        Args:
            most: Attributes of an entity that are kept, those that come first.
        """
        keys = self.entities * (int(self.attributes.max(initial=0)) + 1) + self.attributes
        _, first = np.unique(keys, return_index=True)
        _, from_end = np.unique(keys[::-1], return_index=True)
        last = len(self) - 1 - from_end  # of the same attributes, in the order of their keys
        order = np.lexsort((first, self.entities[first]))
        entities = self.entities[first][order]
        starts = np.searchsorted(entities, entities)
        rank = np.arange(len(entities)) - starts
        return self.chosen(last[order][rank < most])


def standardised_numbers(attributes: IntArray, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers less the mean of their attribute, in its population deviations, [n].

    Numbers of an attribute that does not vary become 0; NaN stays and counts for nothing.

    Args:
        attributes: Attribute of each number, [n].
        numbers: [n].
    """
    known = ~np.isnan(numbers)
    owners = attributes[known]
    # Squares of the largest numbers would overflow, and with them their attribute's deviation.
    peaks = np.zeros(owners.max(initial=0) + 1)
    np.maximum.at(peaks, owners, np.abs(numbers[known]))
    own = numbers[known] / np.where(peaks > _LARGEST_TO_SQUARE, peaks, 1.0)[owners]
    counts = np.maximum(1, np.bincount(owners, minlength=1))
    gaps = own - (np.bincount(owners, weights=own, minlength=1) / counts)[owners]
    deviations = np.sqrt(np.bincount(owners, weights=gaps**2, minlength=1) / counts)
    scaled = np.full(len(numbers), np.nan)
    scaled[known] = gaps / np.maximum(deviations, _SMALLEST_DEVIATION)[owners]
    return scaled
