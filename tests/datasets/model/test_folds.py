"""Published splits: which one a repeat gets, and that its parts are used as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.errors import DataError, MissingDataError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.folds import (
    described,
    fold_series,
    fold_split,
    fold_version,
)
from mmea_bench.datasets.core.model.pair import Fold, KGPair

N_LINKS = 20


def fold(name: str, n_train: int, n_valid: int = 0, first: int = 0) -> Fold:
    rows = np.roll(np.arange(N_LINKS), -first)
    return Fold(name, rows[:n_train], rows[n_train : n_train + n_valid], rows[n_train + n_valid :])


def with_folds(*folds: Fold) -> KGPair:
    links = np.stack([np.arange(N_LINKS), np.arange(N_LINKS)[::-1]], axis=1).astype(np.int32)
    pair = open_dataset("synthetic[n=100]").read()
    return replace(pair, anchor_links=links, folds=folds, version="")


def test_repeat_k_is_split_k_and_a_broken_one_keeps_its_place() -> None:
    broken = Fold.broken("721_5fold/2", "no file")
    pair = with_folds(fold("721_5fold/1", 4, 2), broken, fold("721_5fold/3", 4, 2, first=5))
    (series,) = fold_series(pair)
    assert series.seed_ratio == 0.2
    assert [each.name[-1] for each in series.folds] == ["1", "2", "3"]
    with pytest.raises(DataError, match="721_5fold/2 cannot be used: no file"):
        fold_split(pair, "721_5fold/2", 0.1, 0)


def test_splits_of_several_seed_ratios_are_series_of_their_own() -> None:
    pair = with_folds(fold("0.3/1", 6, 2), fold("0.1/1", 2, 2), fold("0.3/2", 6, 2, first=3))
    found = [(each.seed_ratio, [f.name for f in each.folds]) for each in fold_series(pair)]
    assert found == [(0.1, ["0.1/1"]), (0.3, ["0.3/1", "0.3/2"])]


def test_the_seed_ratio_is_the_shortest_that_gives_the_number_of_links() -> None:
    """5 of 20 links are 0.25 and not 0.2 or 0.3, which would be 4 and 6."""
    assert [series.seed_ratio for series in fold_series(with_folds(fold("a/1", 5)))] == [0.25]


def test_a_dataset_with_broken_splits_alone_has_none() -> None:
    pair = with_folds(Fold.broken("1", "no file"))
    assert fold_series(pair) == ()
    with pytest.raises(MissingDataError, match=r"no published split that can be used \(1: no file"):
        fold_split(pair, "none", 0.0, 0)


def test_the_parts_are_used_as_they_are() -> None:
    pair = with_folds(fold("f/1", 4, 2, first=7))
    split = fold_split(pair, "f/1", 0.1, 3)
    for part, rows in (
        (split.seed_links, pair.folds[0].train),
        (split.valid_links, pair.folds[0].valid),
        (split.test_links, pair.folds[0].test),
    ):
        assert part.tolist() == pair.anchor_links[rows].tolist()
        assert part.base is None
        assert not part.flags.writeable
    assert not split.valid_were_seeds


def test_validation_links_that_are_not_published_are_held_out_of_the_training_links() -> None:
    pair = with_folds(fold("f/1", 10))
    split = fold_split(pair, "f/1", 0.1, 3)
    train = {tuple(link) for link in pair.anchor_links[pair.folds[0].train].tolist()}
    seeds, valid = (
        {tuple(link) for link in part.tolist()} for part in (split.seed_links, split.valid_links)
    )
    assert (len(seeds), len(valid), seeds | valid) == (9, 1, train)
    assert split.valid_were_seeds
    assert len(fold_split(pair, "f/1", 0.0, 3).valid_links) == 0


def test_the_version_of_a_split_follows_its_links() -> None:
    assert fold_version(fold("a", 4)) == fold_version(fold("b", 4))
    assert fold_version(fold("a", 4)) != fold_version(fold("a", 4, first=1))
    assert fold_version(fold("a", 4, 2)) != fold_version(fold("a", 6))


def test_a_split_in_words() -> None:
    pair = with_folds(fold("721_5fold/1", 4, 2))
    words = "721_5fold/1: 20 % training, 10 % validation and 70 % test links"
    assert described(pair, pair.folds[0]) == words


def test_canonical_order_keeps_what_is_broken() -> None:
    pair = canonical(with_folds(Fold.broken("1", "no file")))
    assert pair.folds[0].problem == "no file"
