from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmea_bench.datasets.core.errors import DataError
from mmea_bench.datasets.core.model.split import split_links, split_pairs


def links(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.arange(n)[::-1]], axis=1).astype(np.int32)


def rows(array: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(row) for row in array.tolist()}


@pytest.mark.parametrize(
    ("n", "ratio", "share", "sizes"),
    [
        (10, 0.3, 0.0, (3, 0, 7)),
        (15, 0.2, 0.0, (3, 0, 12)),
        (10, 0.39, 0.0, (3, 0, 7)),
        (12846, 0.2, 0.0, (2569, 0, 10277)),
        (12846, 0.5, 0.0, (6423, 0, 6423)),
        (12846, 0.8, 0.0, (10276, 0, 2570)),
        (15000, 0.3, 0.1, (4050, 450, 10500)),
        (100, 0.29, 0.1, (26, 3, 71)),
    ],
)
def test_sizes_are_floors(n: int, ratio: float, share: float, sizes: tuple[int, int, int]) -> None:
    split = split_links(links(n), ratio, 1, share)
    assert tuple(map(len, (split.seed_links, split.valid_links, split.test_links))) == sizes


def test_the_parts_are_disjoint_and_complete() -> None:
    split = split_links(links(101), 0.4, 5, 0.25)
    parts = [rows(part) for part in (split.seed_links, split.valid_links, split.test_links)]
    assert sum(map(len, parts)) == 101
    assert set.union(*parts) == rows(links(101))


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("rng_seed", range(5))
def test_seeds_of_a_smaller_ratio_are_the_first_of_a_larger_one(
    rng_seed: int, share: float
) -> None:
    splits = [split_links(links(237), ratio, rng_seed, share) for ratio in (0.05, 0.2, 0.3, 0.8)]
    for smaller, larger in itertools.pairwise(splits):
        whole = np.concatenate([larger.seed_links, larger.valid_links])
        for first, then in ((smaller.seed_links, larger.seed_links), (smaller.seed_links, whole)):
            assert first.tolist() == then[: len(first)].tolist()
        # The test set is all the rest, so it only loses what the seeds gain.
        assert rows(larger.test_links) == rows(links(237)) - rows(whole)
        assert rows(larger.test_links) < rows(smaller.test_links)


def test_held_out_links_come_out_of_the_seeds_alone() -> None:
    whole = split_links(links(200), 0.3, 7)
    part = split_links(links(200), 0.3, 7, 0.2)
    assert part.test_links.tolist() == whole.test_links.tolist()
    joined = np.concatenate([part.seed_links, part.valid_links])
    assert joined.tolist() == whole.seed_links.tolist()


def test_the_split_depends_on_its_seed_alone() -> None:
    state = np.random.get_state()[1].tolist()  # noqa: NPY002 - the point is that it stays
    first, again, other = (split_links(links(50), 0.3, seed).seed_links for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_the_first_split_stays_what_it_was() -> None:
    split = split_links(links(6), 0.5, 0)
    order = np.random.default_rng(0).permutation(6)
    assert split.seed_links[:, 0].tolist() == order[:3].tolist()


def test_entities_in_several_links_are_welcome() -> None:
    many = np.array([[0, 0], [1, 0], [2, 1], [2, 2]], dtype=np.int32)
    split = split_links(many, 0.5, 3)
    assert rows(split.seed_links) | rows(split.test_links) == rows(many)


@pytest.mark.parametrize("ratio", [0.005, 0.96, 1.0, -0.2])
def test_a_ratio_out_of_range(ratio: float) -> None:
    with pytest.raises(DataError, match=r"neither 0 nor in 0\.01\.\.0\.95"):
        split_links(links(10), ratio, 0)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_without_seeds_every_link_is_a_test_link(share: float) -> None:
    split = split_links(links(10), 0.0, 0, share)
    assert (len(split.seed_links), len(split.valid_links)) == (0, 0)
    assert rows(split.test_links) == rows(links(10))
    held_out = split_pairs(links(10), 0.0, 0, 0.1)
    assert (len(held_out.seed_links), len(held_out.valid_links)) == (0, 1)


@pytest.mark.parametrize(
    ("n", "ratio", "share"),
    [(3, 0.2, 0.0), (10, 0.2, 0.1), (0, 0.5, 0.0), (0, 0.0, 0.0)],
)
def test_a_part_that_would_be_empty(n: int, ratio: float, share: float) -> None:
    with pytest.raises(DataError, match="cannot be split"):
        split_links(links(n), ratio, 0, share)


def test_a_share_out_of_range() -> None:
    with pytest.raises(DataError, match=r"must be in \[0, 1\)"):
        split_links(links(10), 0.5, 0, 1.0)


@pytest.mark.parametrize(
    ("n", "share", "sizes"),
    [(20832, 0.1, (2083, 2083, 16666)), (20832, 0.3, (6249, 2083, 12500)), (10, 0.5, (5, 1, 4))],
)
def test_pairs_are_split_by_shares_of_all(n: int, share: float, sizes: tuple[int, ...]) -> None:
    split = split_pairs(links(n), share, 1)
    parts = (split.seed_links, split.valid_links, split.test_links)
    assert tuple(map(len, parts)) == sizes
    assert set.union(*map(rows, parts)) == rows(links(n))


def test_a_larger_training_share_holds_the_smaller_one() -> None:
    small, large = (rows(split_pairs(links(100), share, 7).seed_links) for share in (0.1, 0.5))
    assert small < large


@pytest.mark.parametrize(
    ("share", "valid", "words"),
    [
        (0.005, 0.1, "Training share 0.005 is neither 0 nor in"),
        (0.5, 1.0, "share of validation pairs must be in"),
        (0.95, 0.1, "cannot be split into 95% for training, 10% for validation"),
    ],
)
def test_impossible_shares_are_explained(share: float, valid: float, words: str) -> None:
    with pytest.raises(DataError, match=words):
        split_pairs(links(50), share, 0, valid)
