"""Similarity to predicted counterparts, against values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.counterparts import counterpart_cosines
from mmea_bench.bench.scoring.evaluate import Scored, ranking_task
from mmea_bench.methods.core.base import Embeddings, Similarity

LINKS = np.array([[0, 0], [1, 1]])


def scored(embeddings: Embeddings, links: np.ndarray, **task: Any) -> Scored:
    return Scored(embeddings, ranking_task(links, links, **task))


# By cosines the joint vectors are compared once, for the ranks and for these numbers, unless the
# ranks have further candidates.
@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("task", [{}, {"sizes": (3, 3)}], ids=["links", "all entities"])
def test_means_are_those_of_the_nearest_candidates(
    similarity: Similarity, task: dict[str, Any]
) -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    target = torch.tensor([[1.0, 0.0], [3.0, 4.0], [1.0, 1.0]])
    embeddings = Embeddings(source, target, similarity, {"image": (target, source)})
    found = counterpart_cosines(scored(embeddings, LINKS, **task), LINKS)
    # Source 0: cosines 1 and .6; source 1: .8 and 0. The third entities are in no link.
    assert found["joint"] == pytest.approx([0.9, 0.3])
    # The other way round: target 0 has 1 and 0, target 1 has .8 and .6.
    assert found["image"] == pytest.approx([0.9, 0.3])


def test_methods_without_vectors_by_modality_have_none() -> None:
    vectors = torch.eye(3)
    assert counterpart_cosines(scored(Embeddings(vectors, vectors), LINKS), LINKS) == {}


def test_there_are_ten_at_most() -> None:
    vectors = torch.randn(30, 4)
    links = np.stack([np.arange(30)] * 2, axis=1)
    embeddings = Embeddings(vectors, vectors, by_modality={"image": (vectors, vectors)})
    found = counterpart_cosines(scored(embeddings, links), links)
    assert len(found["joint"]) == 10
    assert found["joint"][0] == pytest.approx(1.0)
    assert found["joint"] == sorted(found["joint"], reverse=True)
