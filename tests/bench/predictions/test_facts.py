"""Facts on entities and names, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmea_bench.bench.predictions.facts import identified
from mmea_bench.bench.predictions.name_similarity import edit_similarities
from mmea_bench.datasets.core.model.graph import KnowledgeGraph, text_array


def graph(triples: list[tuple[int, int, int]], n: int = 30) -> KnowledgeGraph:
    nothing = text_array([])
    return KnowledgeGraph(
        "G",
        text_array(f"e{i}" for i in range(n)),
        text_array(["r0", "r1"]),
        nothing,
        np.array(triples, dtype=np.int32),
        np.empty((0, 2), dtype=np.int32),
        nothing,
        text_array([""] * n),
    )


def by_hand(first: str, second: str) -> float:
    """Levenshtein as the textbook has it."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (one != other))
    return 1 - row[-1] / max(len(first), len(second))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        ("Berlin", "berlin", 1.0),
        ("abc", "xyz", 0.0),
        ("a", "abcd", 0.25),
    ],
)
def test_edit_similarity(first: str, second: str, expected: float) -> None:
    assert edit_similarities([first], [second])[0] == pytest.approx(expected)


def test_many_names_at_once_are_as_each_alone() -> None:
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcd"), size=rng.integers(1, 30))) for _ in range(200)]
    found = edit_similarities(words[:100], words[100:])
    alone = [by_hand(*pair) for pair in zip(words[:100], words[100:], strict=True)]
    np.testing.assert_allclose(found, alone, rtol=1e-6)


def test_a_lacking_name_has_no_similarity() -> None:
    found = edit_similarities(["", "a", "b"], ["a", "", "b"])
    assert np.isnan(found[:2]).all()
    assert found[2] == 1.0
    assert len(edit_similarities([], [])) == 0


def test_a_relation_identifies_the_side_that_shares_nothing() -> None:
    """Ten heads with a tail of their own (r0); ten heads that share one tail (r1)."""
    own = [(i, 0, 10 + i) for i in range(10)]
    shared = [(20 + i, 1, 0) for i in range(10)]
    found = identified(graph(own + shared))
    assert found[:20].all()  # heads and tails of r0; entity 0 is one of them
    assert not found[20:].any()  # whoever shares a tail is not told apart by it
    assert identified(graph(shared))[0]  # but whichever head is known has this one tail
