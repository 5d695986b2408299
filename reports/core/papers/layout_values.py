"""One TOML table of a layout file, each value checked on the way out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mmea_bench.results.core.errors import ResultsError, shown


@dataclass(frozen=True)
class Values:
    """A TOML table with its place, for errors that say where.

    Attributes:
        path: The file.
        place: Which table of the file, empty for its top.
        given: Key to value, as parsed.
    """

    path: Path
    place: str
    given: Mapping[str, object]

    def error(self, key: str, problem: str) -> ResultsError:
        """The error for one key: file, table, key, problem and value."""
        found = f", not {shown(self.given[key])}" if key in self.given else ""
        where = f"{self.path}, {self.place}" if self.place else f"{self.path}"
        return ResultsError(f"{where}, key '{key}': {problem}{found}. Correct this key.")

    def check_keys(self, valid: Collection[str], required: Collection[str]) -> None:
        """Refuses keys that mean nothing, and the lack of those that must be there.

        Raises:
            ResultsError: Naming the first such key.
        """
        for key in self.given:
            if key not in valid:
                raise self.error(key, f"means nothing; valid keys are {', '.join(valid)}")
        for key in required:
            if key not in self.given:
                raise self.error(key, "is missing; add it")

    def text(self, key: str, default: str = "") -> str:
        """A text; one that is there must not be empty."""
        value = self.given.get(key, default)
        if not isinstance(value, str) or (key in self.given and not value.strip()):
            raise self.error(key, "must be a text")
        return value

    def word(self, key: str, valid: Collection[str], default: str = "") -> str:
        """A text out of a list."""
        value = self.text(key, default)
        if key in self.given and value not in valid:
            raise self.error(key, f"must be one of {', '.join(valid)}")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where nothing is written."""
        value = self.given.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def whole(self, key: str, default: int) -> int:
        """A whole number from 1."""
        value = self.given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.error(key, "must be a whole number from 1")
        return value

    def ratio(self, key: str) -> float | None:
        """A share of the anchor links; None where nothing is written."""
        return self._ratio(key, self.given[key]) if key in self.given else None

    def ratios(self, key: str) -> tuple[float, ...]:
        """A list of shares; empty where nothing is written."""
        return tuple(self._ratio(key, item) for item in self._list(key))

    def _ratio(self, key: str, value: object) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        number = float(cast("float", value)) if is_number else math.nan
        if not 0.0 <= number <= 1.0:
            raise self.error(key, "must hold shares of the anchor links from 0 to 1")
        return number

    def words(self, key: str, valid: Collection[str]) -> tuple[str, ...]:
        """A list of words out of ``valid``, at least one, none of them twice."""
        items = self._list(key)
        if not items or len(set(map(str, items))) < len(items):
            raise self.error(key, "must list at least one name, and none of them twice")
        if not all(isinstance(item, str) and item in valid for item in items):
            raise self.error(key, f"must hold names from {', '.join(valid)}")
        return tuple(map(str, items))

    def names(self, key: str, valid: Collection[str] = ()) -> dict[str, str]:
        """A table of header words, its keys out of ``valid`` unless that is empty."""
        value = self.given.get(key)
        if not isinstance(value, dict) or not value:
            raise self.error(key, f"must be a table [{key}] of names with their header words")
        own = Values(self.path, f"table [{key}]", value)
        own.check_keys(valid or value, ())
        return {name: own.text(name) for name in value}

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of "method" or ["method", "variant"], at least one, none of them twice."""
        pairs = []
        for item in self._list(key):
            pair = item if isinstance(item, list) else [item, ""]
            is_pair = len(pair) == 2 and all(isinstance(part, str) for part in pair)
            if not is_pair or not pair[0]:
                raise self.error(key, 'must list "method" or ["method", "variant"]')
            pairs.append((str(pair[0]), str(pair[1])))
        if not pairs or len(set(pairs)) < len(pairs):
            raise self.error(key, "must list at least one row, and none of them twice")
        return tuple(pairs)

    def tables(self, key: str, kind: str) -> Iterator[Values]:
        """The tables ``[[key]]``; errors call each by ``kind`` and its number from 1."""
        items = self._list(key)
        if not all(isinstance(item, dict) for item in items):
            raise self.error(key, f"must be tables that each begin with [[{key}]]")
        for number, item in enumerate(items, 1):
            place = f"{kind} {number}"
            yield Values(
                self.path,
                f"{self.place}, {place}" if self.place else place,
                cast("Mapping[str, object]", item),
            )

    def _list(self, key: str) -> list[object]:
        value = self.given.get(key, [])
        if not isinstance(value, list):
            raise self.error(key, "must be a list")
        return value
