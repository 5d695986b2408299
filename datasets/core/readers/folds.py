"""Published splits as folders of link files: their order, and those that cannot be used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.pair import Fold
from mmea_bench.datasets.core.readers import graphs, text

_DIGITS = re.compile(r"([0-9]+)")


def locate(folder: Path, patterns: Sequence[str], parts: Sequence[str]) -> tuple[Path, ...]:
    """The folders of published splits by name, numbers by value: split 2 comes before split 10.

    A folder counts if it holds any part, and if it has a number for a name beside one that does:
    split 3 must not be taken for split 2 where files of that one are missing.

    Args:
        folder: Folder of the dataset.
        patterns: Where splits may lie below it.
        parts: File names of the training, validation and test links; each may be compressed.
    """
    names = [f"{part}{end}" for part in parts for end in ("", ".gz")]
    places = {place for pattern in patterns for place in folder.glob(pattern) if place.is_dir()}
    found = {p for p in places if any(os.path.lexists(p / name) for name in names)}
    parents = {place.parent for place in found}
    found |= {p for p in places if p.parent in parents and p.name.isdecimal()}
    return tuple(sorted(found, key=_natural))


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


def link_split(
    name: str,
    parts: Sequence[Path],
    read: Callable[[Path], list[tuple[str, str]]],
    links: Sequence[tuple[str, str]],
) -> Fold:
    """Files of training and of test links as rows of all links.

    Raises:
        DataError: If a link is unknown, or stands in both.
    """
    position = graphs.positions(links)
    found = []
    for path in parts:
        pairs = dict.fromkeys(read(path))
        unknown = next((pair for pair in pairs if pair not in position), None)
        if unknown is not None:
            problem = f"the link of {' and '.join(unknown)} is not among all links"
            raise DataError.at(text.stored(path) or path, problem, "Copy the files again.")
        found.append(np.array([position[pair] for pair in pairs], dtype=np.int64))
    train, test = found
    if n_both := len(np.intersect1d(train, test)):
        problem = f"{n_both:,} of its links stand in {parts[0].name}, too"
        raise DataError.at(parts[1], problem, "Keep each link in one of the two files.")
    return Fold(name, train, train[:0].copy(), test)


def broken_notes(folds: Iterable[Fold]) -> list[str]:
    """A sentence for each split that cannot be used."""
    return [
        f"The published split {fold.name} cannot be used: {fold.problem}"
        for fold in folds
        if fold.problem
    ]
