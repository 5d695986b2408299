"""Ranks of anybody's own vectors: the benchmark's code, checked inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.api import UserError, evaluate

SOURCE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
TARGET = np.array([[1.0, 0.1], [1.0, 0.9], [0.1, 1.0], [1.0, 0.0]])
LINKS = np.array([[0, 0], [1, 2], [2, 1]])


def test_ranks_by_hand() -> None:
    """Among all targets, target 3 lies closer to source 0 than its partner does."""
    found = evaluate(SOURCE, TARGET, LINKS, candidates="all")
    assert found.ranks.src2tgt.tolist() == [2, 1, 1]
    assert found["hits@1"] == pytest.approx(2 / 3)
    assert found["mrr"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found.metrics["tgt2src"]["hits@1"] == 1
    assert found.metrics["mean"]["hits@1"] == pytest.approx(5 / 6)
    assert found.n_candidates == (3, 4)


def test_candidates_of_the_test_links_are_the_papers_rule() -> None:
    found = evaluate(SOURCE, TARGET, LINKS)
    assert found["hits@1"] == 1
    assert found.n_candidates == (3, 3)


def test_entities_of_seeds_are_no_candidates_of_unseeded() -> None:
    found = evaluate(SOURCE, TARGET, LINKS[1:], candidates="unseeded", seed_links=LINKS[:1])
    assert found.n_candidates == (2, 3)


def test_a_tie_never_wins() -> None:
    same = np.ones((3, 2))
    links = [[0, 0], [1, 1], [2, 2]]
    assert evaluate(same, same, links).ranks.src2tgt.tolist() == [2, 2, 2]
    assert evaluate(same, same, links)["hits@1"] == 0
    assert evaluate(same, same, links, ties="optimistic")["hits@1"] == 1
    assert evaluate(same, same, links, ties="pessimistic").ranks.src2tgt.tolist() == [3, 3, 3]


def test_another_true_partner_does_not_count_against_a_link() -> None:
    target = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.5, 1.0]])
    links = [[0, 1], [1, 2]]
    assert evaluate(SOURCE, target, links, candidates="all").ranks.src2tgt[0] == 2
    known = evaluate(SOURCE, target, links, candidates="all", known_links=[[0, 0], [0, 1]])
    assert known.ranks.src2tgt[0] == 1


def test_csls_and_every_k_against_brute_force() -> None:
    draw = np.random.default_rng(1)
    source, target = draw.normal(size=(40, 5)), draw.normal(size=(40, 5))
    links = np.stack([np.arange(40), draw.permutation(40)], axis=1)
    rows, columns = (
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in (source, target)
    )
    cosines = rows @ columns[links[:, 1]].T  # column i is the partner of row i
    means = [np.sort(cosines, axis=axis) for axis in (1, 0)]
    scores = 2 * cosines - means[0][:, -3:].mean(1)[:, None] - means[1][-3:].mean(0)
    ranks = 1 + (scores > np.diag(scores)[:, None]).sum(1)
    found = evaluate(source, target, links, csls=3, ks=(2, 7))
    assert found.ranks.src2tgt.tolist() == ranks.tolist()
    assert found["hits@2"] == np.mean(ranks <= 2)
    assert found["hits@7"] == np.mean(ranks <= 7)
    assert "hits@10" not in found.metrics["src2tgt"]


@pytest.mark.parametrize("similarity", ["cosine", "inner", "manhattan", "euclidean"])
def test_torch_and_numpy_give_the_same_ranks(similarity: Any) -> None:
    plain = evaluate(SOURCE, TARGET, LINKS, similarity=similarity, candidates="all")
    tensors = (torch.tensor(SOURCE, requires_grad=True), torch.tensor(TARGET))
    by_torch = evaluate(*tensors, torch.tensor(LINKS), similarity=similarity, candidates="all")
    assert by_torch.ranks.src2tgt.tolist() == plain.ranks.src2tgt.tolist()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source_vectors": SOURCE[0]}, r"source vectors need the shape \[n_source, dim\]"),
        ({"target_vectors": TARGET[:, :1]}, "2 columns and target vectors 1; both need the same"),
        ({"target_vectors": TARGET.astype(str)}, "target vectors need numbers"),
        ({"source_vectors": SOURCE * np.nan}, "cannot be compared"),
        ({"links": [[0, 0], [0, 4]]}, "links names target row 4; there are 4 target vectors"),
        ({"links": [[-1, 0]]}, "links names source row -1"),
        ({"links": [[0.0, 1.0]]}, "links needs integers"),
        ({"links": [[0, 1], [0, 1]]}, "links names a pair twice"),
        ({"links": [0, 1]}, r"links needs the shape \[n, 2\]"),
        ({"links": []}, "nothing to rank"),
        ({"known_links": [[9, 0]]}, "known_links names source row 9"),
        ({"similarity": "cosin"}, "Did you mean 'cosine'"),
        ({"candidates": "unseeded"}, "needs seed_links"),
        ({"candidates": "tset"}, "Did you mean 'test'"),
        ({"ties": "lucky"}, "Unknown tie rule 'lucky'"),
        ({"csls": -1}, "csls takes a number of neighbours from 0 on"),
        ({"ks": (0,)}, "ks takes numbers from 1 on"),
        ({"ks": 5}, "ks takes numbers from 1 on"),
        ({"links": [[0, 1], [2]]}, "links need rows of equal length"),
        ({"source_vectors": [[0.0, 1.0], [2.0]]}, "source vectors need rows of equal length"),
        ({"source_vectors": torch.tensor(SOURCE).to_sparse()}, "source vectors are sparse"),
    ],
)
def test_what_does_not_fit_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"source_vectors": SOURCE, "target_vectors": TARGET, "links": LINKS}
    with pytest.raises(UserError, match=sentence):
        evaluate(**{**given, **changes})
