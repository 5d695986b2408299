"""Published splits as splits: which of them a repeat trains on, and what they hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.datasets.core.errors import DataError, MissingDataError
from mmea_bench.datasets.core.model.graph import Ids, frozen_array
from mmea_bench.datasets.core.model.pair import Fold, KGPair
from mmea_bench.datasets.core.model.split import Split

_MOST_DIGITS = 6


@dataclass(frozen=True, eq=False)
class FoldSeries:
    """Published splits of one seed ratio; repeat k trains on the k-th of them.

    Attributes:
        seed_ratio: Training share of all links, mean over the splits, in the fewest digits that
            give their number of links: 37 of 124 are 0.3.
        folds: The splits in order of their names; one that is broken keeps its place.
    """

    seed_ratio: float
    folds: tuple[Fold, ...]


def usable_folds(pair: KGPair) -> tuple[Fold, ...]:
    """The published splits that are not broken."""
    return tuple(fold for fold in pair.folds if not fold.problem)


def fold_series(pair: KGPair) -> tuple[FoldSeries, ...]:
    """The published splits of a dataset by seed ratio, smallest first; empty without usable ones.

    Splits of one folder, such as ``721_5fold/1`` to ``721_5fold/5``, belong together.
    """
    by_folder: dict[str, list[Fold]] = {}
    for fold in pair.folds:
        by_folder.setdefault(fold.name.rpartition("/")[0], []).append(fold)
    by_ratio: dict[float, list[Fold]] = {}
    for folds in by_folder.values():
        usable = [fold for fold in folds if not fold.problem]
        if usable:
            n_train = float(np.mean([len(fold.train) for fold in usable]))
            ratio = _shortest(n_train, len(pair.anchor_links))
            by_ratio.setdefault(ratio, []).extend(folds)
    return tuple(FoldSeries(ratio, tuple(folds)) for ratio, folds in sorted(by_ratio.items()))


def _shortest(n_train: float, n_links: int) -> float:
    share = n_train / n_links
    rounded = (round(share, digits) for digits in range(1, _MOST_DIGITS))
    return next((ratio for ratio in rounded if abs(ratio * n_links - n_train) < 1.0), share)


def fold_split(pair: KGPair, name: str, valid_share: float, rng_seed: int) -> Split:
    """A published split: its parts as they are.

    Args:
        pair: The dataset.
        name: Name of the split.
        valid_share: Share of the training links that is held out for validation where the split
            has no validation links of its own; 0 for none.
        rng_seed: Seed of the choice of these.

    Raises:
        MissingDataError: If the dataset has no such split.
        DataError: If it is broken, or too few links are left to train on.
    """
    fold = next((each for each in pair.folds if each.name == name), None)
    if fold is None:
        raise MissingDataError(no_published_split(pair))
    if fold.problem:
        raise DataError(f"The published split {name} cannot be used: {fold.problem}")
    train, valid = fold.train, fold.valid
    if valid_share > 0 and not len(valid):
        n_valid = max(1, round(valid_share * len(train)))
        if n_valid >= len(train):
            raise DataError(f"The published split {name} has too few training links to hold out.")
        train, valid = np.split(np.random.default_rng(rng_seed).permutation(train), [-n_valid])
    links = pair.anchor_links
    train_links, valid_links, test_links = (
        _copy(links, part) for part in (train, valid, fold.test)
    )
    return Split(train_links, valid_links, test_links, valid_were_seeds=not len(fold.valid))


def no_published_split(pair: KGPair) -> str:
    """The sentence for who asks for the published split of a dataset that has none."""
    broken = "; ".join(f"{fold.name}: {fold.problem}" for fold in pair.folds if fold.problem)
    return (
        f"{pair.dataset} has no published split{f' that can be used ({broken})' * bool(broken)}. "
        "Use --split random, or add its files as docs/add_a_dataset.md says."
    )


def _copy(links: Ids, rows: NDArray[np.int64]) -> Ids:
    """Links as an array of their own that leads to no other."""
    part = links[rows]
    frozen_array(part)
    return part


def fold_version(fold: Fold) -> str:
    """Content hash of a published split, 12 hex digits; the dataset's own holds the links."""
    digest = hashlib.sha256()
    for rows in (fold.train, fold.valid, fold.test):
        digest.update(f"{len(rows)}:".encode() + rows.astype("<i8").tobytes())
    return digest.hexdigest()[:12]


def described(pair: KGPair, fold: Fold) -> str:
    """A split in words: ``721_5fold/1: 20 % training, 10 % validation and 70 % test links``."""
    n_links = len(pair.anchor_links)
    parts = [
        f"{100 * len(rows) / n_links:.3g} % {what}"
        for rows, what in (
            (fold.train, "training"),
            (fold.valid, "validation"),
            (fold.test, "test"),
        )
        if len(rows)
    ]
    return f"{fold.name}: {', '.join(parts[:-1])} and {parts[-1]} links"
