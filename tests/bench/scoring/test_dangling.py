"""Dangling entities are told by a threshold on the best score, which validation chooses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.dangling.best_scores import best_scores
from mmea_bench.bench.scoring.dangling.detection import (
    DanglingTask,
    choose_threshold,
    detect,
    detection_metrics,
)
from mmea_bench.bench.scoring.protocol import Protocol, make_split
from mmea_bench.bench.scoring.scorers import FinalScores, make_scorer
from mmea_bench.datasets.core.access.catalogue import open_dataset
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.similarity import ScoreMatrix

METRICS = ("dangling_precision", "dangling_recall", "dangling_f1", "consolidated_hits@1")


@pytest.fixture(scope="module")
def pair() -> KGPair:
    return open_dataset("synthetic[dangling=0.3,n=100]").read()


@pytest.fixture(scope="module")
def split(pair: KGPair) -> Split:
    return make_split(Protocol(valid_share=0.3), pair, 0.4, 7)


@pytest.fixture(scope="module")
def vectors(pair: KGPair) -> Embeddings:
    """Partners are near to each other, and nobody is near to a dangling entity."""
    random = torch.Generator().manual_seed(3)
    source = torch.randn(pair.source.n_entities, 8, generator=random)
    target = torch.randn(pair.target.n_entities, 8, generator=random)
    links = torch.from_numpy(pair.anchor_links.astype(np.int64))
    noise = torch.randn(len(links), 8, generator=random)
    target[links[:, 1]] = source[links[:, 0]] + 0.5 * noise
    return Embeddings(source, target)


def final(pair: KGPair, split: Split, vectors: Embeddings, **rules: object) -> FinalScores:
    return make_scorer(Protocol(**rules), pair, split).final(vectors)  # type: ignore[arg-type]


def of_csls(scores: FinalScores, size: int) -> dict[tuple[str, str], float]:
    return {
        (number.metric, number.direction): number.value
        for number in scores.numbers
        if number.metric in METRICS and number.words["csls"] == size
    }


def by_hand(pair: KGPair, split: Split, vectors: Embeddings, size: int) -> list[dict[str, float]]:
    """One entity at a time, out of the whole matrix."""
    scores = torch.nn.functional.normalize(vectors.source) @ (
        torch.nn.functional.normalize(vectors.target).T
    )
    free = [sorted(set(range(n)) - set(split.seed_links[:, s])) for s, n in enumerate(scores.shape)]
    scores = scores[free[0]][:, free[1]]
    if size:
        row_means = scores.topk(size, dim=1).values.mean(dim=1, keepdim=True)
        scores = 2 * scores - row_means - scores.topk(size, dim=0).values.mean(dim=0)
    partner = [dict(pair.anchor_links.tolist()), dict(pair.anchor_links[:, ::-1].tolist())]
    found = []
    for side, matrix in enumerate((scores, scores.T)):
        best = {e: float(row.max()) for e, row in zip(free[side], matrix, strict=True)}
        first = {
            e: free[1 - side][int(r.argmax())] for e, r in zip(free[side], matrix, strict=True)
        }
        linked, lone = split.valid_links[:, side], split.valid_dangling[side]

        def f1(threshold: float, best=best, linked=linked, lone=lone) -> float:  # type: ignore[no-untyped-def]
            right = sum(best[e] <= threshold for e in lone)
            return 2 * right / (right + sum(best[e] <= threshold for e in linked) + len(lone))

        known = sorted([*(best[e] for e in linked), *(best[e] for e in lone)])
        tried = [(low + high) / 2 for low, high in pairwise(known)]
        threshold = max([*tried, float("inf")], key=f1)
        lone, linked = split.test_dangling[side], split.test_links[:, side]
        right = sum(best[e] <= threshold for e in lone)
        wrong = sum(best[e] <= threshold for e in linked)
        hits = sum(best[e] > threshold and first[e] == partner[side][int(e)] for e in linked)
        precision, recall = right / (right + wrong), right / len(lone)
        f1_of_test = 2 * precision * recall / (precision + recall)
        consolidated = (right + hits) / (len(lone) + len(linked))
        values = (precision, recall, f1_of_test, consolidated)
        found.append(dict(zip(METRICS, values, strict=True)))
    return found


@pytest.mark.parametrize("size", [0, 3])
def test_metrics_are_those_of_one_entity_after_another(
    size: int, pair: KGPair, split: Split, vectors: Embeddings
) -> None:
    found = of_csls(final(pair, split, vectors), size)
    forward, backward = by_hand(pair, split, vectors, size)
    for metric in METRICS:
        assert found[metric, "src2tgt"] == pytest.approx(forward[metric])
        assert found[metric, "tgt2src"] == pytest.approx(backward[metric])
        assert found[metric, "mean"] == pytest.approx((forward[metric] + backward[metric]) / 2)
        assert 0 < forward[metric] < 1


def test_test_entities_cannot_move_the_threshold(
    pair: KGPair, split: Split, vectors: Embeddings
) -> None:
    """Neither who is dangling in the test part, nor how many, nor the test links."""
    fewer = replace(
        split,
        test_links=split.test_links[:5],
        test_dangling=(split.test_dangling[0][:2], split.test_dangling[1][1:]),
    )
    one, other = (final(pair, each, vectors) for each in (split, fewer))
    assert of_csls(one, 0) != of_csls(other, 0)
    notes = [
        [n for n in each.notes if "best score is no better than" in n] for each in (one, other)
    ]
    assert len(notes[0]) == 2
    assert notes[0] == notes[1]


def test_a_threshold_by_hand() -> None:
    # Below 0.25 are 0.1 and 0.2: one right, F1 2/4; below 0.45 two right and one wrong, F1 4/5.
    assert choose_threshold(np.array([0.2, 0.5, 0.6]), np.array([0.1, 0.4])) == pytest.approx(0.45)
    assert choose_threshold(np.array([0.1]), np.array([0.5, 0.6])) == np.inf
    assert choose_threshold(np.array([0.8, 0.9]), np.array([0.1])) == pytest.approx(0.45)


def test_who_has_just_the_score_of_the_threshold_is_declared() -> None:
    """No better score than the threshold: whole numbers may well be equal to it."""
    scores = torch.tensor([3.0, 1.0, 2.0, 2.0, 5.0])  # of the five sources with the one target
    nobody = np.empty(0, dtype=np.int64)
    valid, test = np.array([[0, 0]]), np.array([[4, 0]])
    split = Split(valid[:0], valid, test, (np.array([1]), nobody), (np.array([2, 3]), nobody))
    task = DanglingTask(split, np.concatenate([valid, test]))
    blocks = ScoreMatrix(scores.unsqueeze(1), torch.ones(1, 1), "inner")
    found = detect(blocks, (np.arange(5), np.zeros(1, dtype=np.int64)), task, (0,))[0]["src2tgt"]
    assert found.threshold == 2
    assert found.metrics["dangling_recall"] == 1.0


def test_nobody_declared_is_no_precision() -> None:
    nobody, both = np.zeros(2, dtype=bool), np.array([True, False])
    assert list(detection_metrics(nobody, nobody, both).values()) == [0.0, 0.0, 0.0, 0.25]


def test_a_tie_for_the_best_place_is_no_hit_whatever_the_blocks() -> None:
    source = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    for rows in (1, 2, 3):
        blocks = ScoreMatrix(source, source[:2], "inner", rows)
        ids = np.array([5, 6, 7]), np.array([8, 9])
        of_rows, of_columns = best_scores(blocks, ids)[0]
        assert of_rows.candidates.tolist() == [8, 9, 8]
        assert of_rows.is_sole.all()
        assert of_columns.candidates.tolist() == [5, 6]
        assert of_columns.is_sole.tolist() == [False, True]


def test_danglings_are_cut_in_the_proportion_of_the_links(pair: KGPair, split: Split) -> None:
    share = len(split.valid_links) / (len(split.valid_links) + len(split.test_links))
    for side in (0, 1):
        valid, test = split.valid_dangling[side], split.test_dangling[side]
        assert sorted([*valid, *test]) == sorted(pair.dangling[side])
        assert len(valid) == round(share * len(pair.dangling[side]))
    again = make_split(Protocol(valid_share=0.3), pair, 0.4, 7)
    assert np.array_equal(split.test_dangling[0], again.test_dangling[0])
    assert split.without_test().test_dangling[0].size == 0


def test_without_validation_links_the_row_says_why_there_are_none(
    pair: KGPair, vectors: Embeddings
) -> None:
    protocol = Protocol("paper")
    scores = final(pair, make_split(protocol, pair, 0.4, 7), vectors, name="paper")
    assert of_csls(scores, 0) == {}
    assert any("nothing chooses a threshold" in note for note in scores.notes)


def test_one_training_gives_the_numbers_of_both_sets_of_candidates(
    pair: KGPair, split: Split, vectors: Embeddings
) -> None:
    def ranked(candidates: str) -> set[tuple[object, ...]]:
        found = final(pair, split, vectors, candidates=candidates, decoders=("mutual",))
        return {
            (*map(str, number.words.items()), number.metric, number.direction, number.value)
            for number in found.numbers
        }

    assert ranked("both") == ranked("test") | ranked("unseeded")
    assert ranked("test") != ranked("unseeded")
