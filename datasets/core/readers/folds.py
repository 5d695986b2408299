"""Published splits as folders of link files: their order, and those that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import Fold

_DIGITS = re.compile(r"([0-9]+)")


def in_order(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Folders by name, numbers by value: split 2 comes before split 10."""
    return tuple(sorted(set(folders), key=_natural))


def _natural(path: Path) -> list[list[tuple[int, str]]]:
    return [
        [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in _DIGITS.split(part)]
        for part in path.parts
    ]


def read_or_broken(name: str, read: Callable[[], Fold]) -> Fold:
    """The split, or one that keeps its place and says why it cannot be used."""
    try:
        return read()
    except DataError as error:
        return Fold.broken(name, str(error))


def broken_notes(folds: Iterable[Fold]) -> list[str]:
    """A sentence for each split that cannot be used."""
    return [
        f"The published split {fold.name} cannot be used: {fold.problem}"
        for fold in folds
        if fold.problem
    ]
