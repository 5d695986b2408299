"""Relation paths against plain enumeration."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmea_bench.methods.parts.iptranse import paths
from mmea_bench.methods.parts.iptranse.paths import relation_paths


def enumerated(triples: np.ndarray, max_weight: int) -> Counter[tuple[int, ...]]:
    """Every two triples in a row beside every direct one, with their weight."""
    known = {tuple(triple) for triple in triples.tolist()}
    fan_out = Counter((head, relation) for head, relation, _ in known)
    found: Counter[tuple[int, ...]] = Counter()
    for head, first, middle in known:
        for start, second, tail in known:
            weight = fan_out[head, first] * fan_out[middle, second]
            if start != middle or weight > max_weight:
                continue
            found.update(
                (first, second, direct, weight)
                for other, direct, end in known
                if (other, end) == (head, tail)
            )
    return found


@pytest.mark.parametrize("chunk", [1, 7, 10**6])
@pytest.mark.parametrize("max_weight", [2, 100])
def test_paths_are_those_of_plain_enumeration(
    chunk: int, max_weight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    triples = np.stack([rng.integers(0, size, 60) for size in (8, 3, 8)], axis=1)
    found = relation_paths(triples, max_weight)
    rows = np.concatenate([found.relations, found.weights[:, None]], axis=1).tolist()
    assert Counter(map(tuple, rows)) == enumerated(triples, max_weight)
    assert rows


def test_no_triples_give_no_paths_and_a_cap_keeps_some() -> None:
    assert relation_paths(np.empty((0, 3), dtype=np.int64), 100).relations.shape == (0, 3)
    ring = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1]])
    found = relation_paths(ring, 100)
    kept = found.at_most(2, np.random.default_rng(0))
    assert len(kept.weights) == 2 < len(found.weights)
    assert found.at_most(10**6, np.random.default_rng(0)) is found
