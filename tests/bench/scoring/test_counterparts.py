"""Similarity to predicted counterparts, against values by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.counterparts import counterpart_cosines, counterpart_notes
from mmea_bench.bench.scoring.evaluate import Scored, ranking_task
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.bench.scoring.scorers import RankingScorer
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


def half_empty(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of 30 entities of either KG, of which the first ten have none."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randn(30, 4, generator=generator)
    target = source + 0.3 * torch.randn(30, 4, generator=generator)
    source[:10] = target[:10] = 0
    return source.to(dtype), target.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_entities_without_a_modality_do_not_spoil_half_precision(dtype: torch.dtype) -> None:
    joint = torch.randn(30, 4, generator=torch.Generator().manual_seed(2))
    links = np.stack([np.arange(30)] * 2, axis=1)
    source, target = half_empty(dtype)
    found, expected = (
        counterpart_cosines(
            scored(Embeddings(joint, joint, by_modality={"image": v}), links), links
        )
        for v in ((source, target), (source.float(), target.float()))
    )
    assert found == expected
    assert 0 < found["image"][0] < 1


def broken(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    source, target = half_empty(torch.float32)
    source[3, 1] = value
    return source, target


@pytest.mark.parametrize(
    ("vectors", "why"),
    [
        (broken(float("nan")), "the embeddings hold values that are not finite"),
        (broken(float("inf")), "the embeddings hold values that are not finite"),
        (broken(1e30), "the embeddings are too long to be compared"),
        ((torch.zeros(30, 4), torch.zeros(29, 4)), "are not one row for each entity"),
        ((torch.zeros(30, 4), torch.zeros(30, 5)), "are not one row for each entity"),
    ],
)
def test_a_modality_that_cannot_be_compared_is_left_out_with_a_note(
    vectors: tuple[torch.Tensor, torch.Tensor], why: str
) -> None:
    """A training that lasted a day had no record for the vectors of one modality."""
    joint, links = torch.eye(30), np.stack([np.arange(30)] * 2, axis=1)
    by_modality = {"image": vectors, "text": half_empty(torch.float32)}
    found = checked(Embeddings(joint, joint, by_modality=by_modality), (30, 30))
    final = RankingScorer(Protocol(), {"test": ranking_task(links, links)}).final(found)
    told = {n.words["modality"] for n in final.numbers if n.metric == "cosine@1"}
    assert told == {"text", "joint"}
    [note] = final.notes
    assert note.startswith("no cosines of image: ")
    assert why in note


def test_a_modality_whose_name_no_table_takes_is_left_out_with_a_note() -> None:
    """PCMEA's `attribute text` cost a cell all of its numbers."""
    joint, vectors = torch.eye(30), half_empty(torch.float32)
    by_modality = {"image": vectors, "attribute text": vectors}
    found = counterpart_notes(Embeddings(joint, joint, by_modality=by_modality))
    assert found == (
        "no cosines of attribute text: a modality's name must be a word of printable letters",
    )
