"""How much of what a results folder was asked for is there: planned, done, failed, missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmea_bench.results.core.plans.plan_file import CellWords

State = Literal["done", "skipped", "failed", "missing"]

_STATES: Mapping[str, State] = {"ok": "done", "skipped": "skipped"}


@dataclass(frozen=True)
class Counts:
    """Cells by what became of them.

    Attributes:
        planned: All of them.
        done: Ended well, with numbers.
        skipped: Could not be asked: data are not there, or the method cannot do what they ask.
        failed: Failed, timed out, out of memory or diverged.
        missing: Asked for and never ended; some may be running.
    """

    planned: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    missing: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every cell that could be run has numbers."""
        return not self.failed and not self.missing

    def sentence(self) -> str:
        """Such as ``3 of 9 cells done, 1 failed, 5 missing``; without a full stop."""
        further = [
            f"{count} {word}"
            for count, word in (
                (self.skipped, "skipped"),
                (self.failed, "failed"),
                (self.missing, "missing"),
            )
            if count
        ]
        noun = "cell" if self.planned == 1 else "cells"
        return ", ".join((f"{self.done} of {self.planned} {noun} done", *further))


@dataclass(frozen=True)
class Completeness:
    """Every cell that a folder was asked for or holds, with what became of it.

    How to use it: reports find one in ``Tables.completeness``::

        state = tables.completeness
        state.counts().sentence()                  # "3 of 9 cells done, 6 missing": for a heading
        row = state.counts(method="mclea", variant="full", dataset=name, seed_ratio=0.3)
        if not row.is_complete: ...                # mark the row; row.done of row.planned repeats
        state.by("method", "variant")              # {("mclea", "full"): Counts(...), ...}
        state.words("missing", method="eva")       # which cells, to name the gap

    A word left out is not asked about. Rows that exist in no record at all (a method whose cells
    are all missing) are in ``by`` too, so iterate over it where a gap must be named.

    Attributes:
        cells: Key to the words of the cell: method, variant (with overrides, as in the tables),
            dataset, seed_ratio, repeat, protocol.
        states: Key to what became of it.
        has_plan: Whether the folder says what it was asked for. Without (tables alone, folders of
            older versions) nothing can be missing, and a report must not call itself complete.
    """

    cells: Mapping[str, CellWords]
    states: Mapping[str, State]
    has_plan: bool

    def counts(self, **words: object) -> Counts:
        """Counts of the cells with these words, of all cells without any."""
        return _counts(self.states[key] for key in self._keys(words))

    def by(self, *columns: str) -> dict[tuple[Any, ...], Counts]:
        """Counts of each combination of values of some columns, in the order of the plan."""
        groups: dict[tuple[Any, ...], list[State]] = {}
        for key, words in self.cells.items():
            group = tuple(words.get(column) for column in columns)
            groups.setdefault(group, []).append(self.states[key])
        return {group: _counts(states) for group, states in groups.items()}

    def words(self, state: State, **words: object) -> list[CellWords]:
        """The cells of a state with these words, in the order of the plan."""
        return [self.cells[key] for key in self._keys(words) if self.states[key] == state]

    def _keys(self, words: Mapping[str, object]) -> Iterator[str]:
        for key, cell in self.cells.items():
            if all(cell.get(name) == value for name, value in words.items()):
                yield key


def completeness(
    planned: Mapping[str, CellWords], cell_rows: Iterable[Mapping[str, Any]]
) -> Completeness:
    """Holds the plan of a folder against its records.

    Args:
        planned: Key to words, of ``planned_cells(folder)``.
        cell_rows: Rows of cells.csv. Cells that no plan names count as asked for as well.
    """
    cells = dict(planned)
    states: dict[str, State] = dict.fromkeys(planned, "missing")
    for row in cell_rows:
        key = str(row["key"])
        cells[key] = row
        states[key] = _STATES.get(str(row["status"]), "failed")
    return Completeness(cells, states, bool(planned))


def _counts(states: Iterable[State]) -> Counts:
    counted = Counter(states)
    return Counts(
        planned=counted.total(),
        done=counted["done"],
        skipped=counted["skipped"],
        failed=counted["failed"],
        missing=counted["missing"],
    )
