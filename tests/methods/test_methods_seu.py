"""SEU's propagation and similarity, against values by hand and a plain computation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.features import bigram_counts, word_vectors
from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.seu import SEU, SEUParams, propagated
from tests.methods.small_graphs import small_view


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plain_adjacency() -> np.ndarray:
    """Of ``small_view``, joint ids 3 and 4 being the target's; written out triple by triple."""
    r, s = [(0, 1), (1, 0), (3, 4)], [(0, 2), (2, 2)]
    n_directed, adjacency = 10, np.zeros((5, 5))
    for pairs in (r, s):
        for head, tail in pairs:
            adjacency[head, tail] += math.log(n_directed / len(pairs))
            adjacency[tail, head] += math.log(n_directed / len(pairs))
    return adjacency + math.log(n_directed / 5) * np.eye(5)


def test_a_step_by_hand() -> None:
    adjacency = FixedMatrix.of(torch.tensor([[1.0, 2.0], [0.0, 3.0]]))
    first, second = propagated(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), adjacency, depth=1)
    assert first.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    expected = [[1 / math.sqrt(5), 2 / math.sqrt(5)], [0.0, 1.0]]
    np.testing.assert_allclose(second.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_scores_are_the_mean_of_the_cosines_of_all_steps(depth: int) -> None:
    view, ctx = small_view(), RunContext(rng_seed=1)
    parts = word_vectors(view, ctx), bigram_counts(view, ctx)
    step = unit(torch.cat(parts, dim=1).numpy().astype(np.float64))
    expected = np.zeros((3, 2))
    for _ in range(depth + 1):
        expected += step[:3] @ step[3:].T / (depth + 1)
        step = unit(plain_adjacency() @ step)
    found = SEU(SEUParams(depth=depth)).fit(view, RunContext(rng_seed=1))
    assert found.similarity == "inner"
    scores = found.source.float() @ found.target.float().T
    np.testing.assert_allclose(scores.numpy(), expected, atol=2e-4)  # half precision, 300 columns


def test_seed_links_are_of_no_influence() -> None:
    view = small_view()
    without_seeds = replace(view, seed_links=view.seed_links[:0])
    first, second = (SEU().fit(each, RunContext(rng_seed=1)) for each in (view, without_seeds))
    assert torch.equal(first.source, second.source)
