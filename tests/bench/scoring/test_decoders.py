"""Decoders are addressed, checked, and measured against the test links."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring import decoders
from mmea_bench.bench.scoring.decoders import (
    DECODERS,
    Hungarian,
    Rescored,
    Sinkhorn,
    decoder_address,
    pair_numbers,
    parse_decoder,
)
from mmea_bench.bench.scoring.evaluate import Layout, Scored, rank_in, rank_links, ranking_task
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import Number, PublishedTask, RankingScorer
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Embeddings, Scoring
from mmea_bench.methods.core.pair_scores import PairScores

LINKS = np.stack([np.arange(12), np.arange(12)], axis=1)
TASK = ranking_task(LINKS, LINKS)


def vectors(similarity: str = "cosine") -> Embeddings:
    generator = torch.Generator().manual_seed(5)
    source = torch.randn(12, 6, generator=generator)
    return Embeddings(source, source + torch.randn(12, 6, generator=generator), similarity)  # type: ignore[arg-type]


def final(protocol: Protocol, published: Scoring | None = None) -> list[Number]:
    asked = None if published is None else PublishedTask(published, TASK)
    return list(RankingScorer(protocol, {"test": TASK}, asked).final(vectors()).numbers)


def ways(numbers: list[Number]) -> set[tuple[object, ...]]:
    words = ("similarity", "csls", "decoder", "candidates")
    return {tuple(number.words.get(word, "none") for word in words) for number in numbers}


@pytest.mark.parametrize("address", ["hungarian[candidates=5,csls=3]", "csls[k=10]", "mutual"])
def test_an_address_is_read_and_written(address: str) -> None:
    assert decoder_address(parse_decoder(address)) == address


def test_defaults_are_left_out_of_the_address() -> None:
    assert decoder_address(parse_decoder("sinkhorn[sweeps=10,temperature=0.02]")) == "sinkhorn"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hungarain", "Did you mean 'hungarian'"),
        ("sinkhorn[sweeps=0]", "sweeps must be 1 or more"),
        ("sinkhorn[temperature=0]", "temperature must be above 0"),
        ("sinkhorn[temperature=inf]", "temperature must be above 0, and finite"),
        ("sinkhorn[temperature=1e-310]", "it must be 1e-200 or more"),
        ("mutual[k=3]", "parameter of decoder mutual"),
        ("csls[k=0]", "k must be 1 or more"),
    ],
)
def test_a_wrong_address_is_one_sentence(address: str, words: str) -> None:
    with pytest.raises(UserError, match=words.replace("'", ".")):
        parse_decoder(address)


def test_numbers_of_pairs_by_hand() -> None:
    # Three links; one pair is right, one wrong, the third link has none.
    links = np.array([[0, 0], [1, 1], [2, 2]])
    measured = pair_numbers(np.array([[0, 0], [1, 2]]), Layout(ranking_task(links, links)))
    assert measured["pairs", "precision"] == (1 / 2, 3)
    assert measured["pairs", "recall"] == (1 / 3, 3)
    assert measured["pairs", "f1"] == (pytest.approx(0.4), 3)
    assert measured["pairs", "hits@1"] == (1 / 3, 3)


def test_another_true_partner_is_neither_right_nor_wrong() -> None:
    links = np.array([[0, 0], [1, 1]])
    known = np.array([[0, 0], [1, 1], [0, 1]])
    measured = pair_numbers(np.array([[0, 1]]), Layout(ranking_task(links, known)))
    assert measured["pairs", "precision"] == (0.0, 2)
    measured = pair_numbers(np.array([[1, 1], [0, 1]]), Layout(ranking_task(links, known)))
    assert measured["pairs", "precision"] == (1.0, 2)


def test_a_validation_link_among_the_candidates_is_neither_right_nor_wrong() -> None:
    """Each counted as wrong once: perfect matchings had a precision of .625."""
    known = np.stack([np.arange(20), np.arange(20)], axis=1)
    seeds, links = known[:4], known[10:]
    layout = Layout(ranking_task(links, known, (20, 20), seeds))
    rows = np.arange(16)
    columns = [layout.targets.tolist().index(entity) for entity in layout.sources[rows]]
    measured = pair_numbers(np.stack([rows, columns], axis=1), layout)
    assert measured["pairs", "precision"] == measured["pairs", "recall"] == (1.0, 10)


def test_a_source_with_two_partners_is_asked_once() -> None:
    links = np.array([[0, 0], [0, 1], [1, 2]])
    measured = pair_numbers(np.array([[0, 1], [1, 2]]), Layout(ranking_task(links, links)))
    assert measured["pairs", "hits@1"] == (1.0, 2)
    assert measured["pairs", "recall"] == (2 / 3, 3)


def test_sinkhorn_ranks_by_its_plan() -> None:
    embeddings = vectors()
    scores = (
        torch.nn.functional.normalize(embeddings.source)
        @ torch.nn.functional.normalize(embeddings.target).T
    )
    plan = torch.exp(scores.double() / 0.5)
    for _ in range(3):
        plan /= plan.sum(1, keepdim=True)
        plan /= plan.sum(0, keepdim=True)
    expected = float((plan.argmax(1) == torch.arange(12)).double().mean())
    numbers = final(Protocol(decoders=("sinkhorn[sweeps=3,temperature=0.5]",)))
    (found,) = [
        number.value
        for number in numbers
        if number.words.get("decoder", "").startswith("sinkhorn")  # type: ignore[attr-defined]
        and (number.metric, number.direction) == ("hits@1", "src2tgt")
    ]
    assert found == expected


def rescaled_once(scores: torch.Tensor) -> torch.Tensor:
    """CSLS of 3, plainly."""
    rows = scores.topk(3, dim=1).values.mean(dim=1, keepdim=True)
    return 2 * scores - rows - scores.topk(3, dim=0).values.mean(dim=0)


def test_csls_again_ranks_by_scores_that_were_rescaled_twice() -> None:
    embeddings = vectors("inner")
    scores = rescaled_once(rescaled_once(embeddings.source @ embeddings.target.T))
    ranks = 1 + (scores > scores.diagonal().unsqueeze(1)).sum(dim=1)
    numbers = final(Protocol(name="paper", csls=(0, 3)), Scoring("inner", 3, "csls_again"))
    (found,) = [
        number.value
        for number in numbers
        if number.words.get("decoder") == "csls_again[csls=3]"
        and (number.metric, number.direction) == ("mrr", "src2tgt")
    ]
    assert found == pytest.approx(float((1 / ranks.double()).mean()))


def test_every_decoder_has_rows_of_its_own() -> None:
    numbers = final(Protocol(csls=(0,), decoders=tuple(DECODERS)))
    assert ways(numbers) == {
        *(("cosine", size, "none", "test") for size in (0, 3)),
        *(("cosine", 0, name, "test") for name in sorted(set(DECODERS) - {"none", "csls"})),
    }


def test_one_to_one_decoders_give_no_ranks() -> None:
    numbers = final(Protocol(decoders=("hungarian", "stable", "mutual")))
    metrics = {number.metric for number in numbers if "decoder" in number.words}
    assert metrics == {"precision", "recall", "f1", "hits@1"}


def test_a_csls_decoder_is_one_more_size() -> None:
    numbers = final(Protocol(csls=(0,), decoders=("csls[k=5]",)))
    ranks = rank_links(vectors(), TASK, (5,))[5]
    (found,) = [
        number.value
        for number in numbers
        if (number.words["csls"], number.metric, number.direction) == (5, "mrr", "src2tgt")
    ]
    assert found == pytest.approx(float(np.mean(1 / ranks.src2tgt)))


def test_a_matrix_too_large_is_matched_among_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "LARGEST_DENSE_CELLS", 100)
    assert Hungarian().fitted(10, 10) == Hungarian()
    assert Hungarian(csls=3).fitted(10, 11) == Hungarian(3, Hungarian.LARGE_CANDIDATES)
    assert ("cosine", 0, "hungarian[candidates=100]", "test") in ways(
        final(Protocol(decoders=("hungarian",)))
    )


def test_two_names_of_one_matching_give_its_numbers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "LARGEST_DENSE_CELLS", 100)
    numbers = final(Protocol(decoders=("hungarian", "hungarian[candidates=100]")))
    assert len([number for number in numbers if "decoder" in number.words]) == 4


def test_published_scoring_is_added_to_the_common_one() -> None:
    published = Scoring(similarity="manhattan", csls=10)
    found = ways(final(Protocol(name="paper", csls=(0, 3)), published))
    assert found == {
        ("cosine", 0, "none", "test"),
        ("cosine", 3, "none", "test"),
        ("manhattan", 10, "none", "test"),
    }


def test_published_scoring_that_is_common_is_scored_once() -> None:
    numbers = final(Protocol(name="paper", csls=(0, 3)), Scoring(similarity="cosine", csls=3))
    assert len(numbers) == len(final(Protocol(name="paper", csls=(0, 3))))


def test_published_decoders_are_scored() -> None:
    published = Scoring(decoder="sinkhorn[sweeps=15]", similarity="inner")
    assert ("inner", 0, "sinkhorn[sweeps=15]", "test") in ways(final(Protocol(), published))
    assert isinstance(parse_decoder(published.decoder), Sinkhorn)


def test_a_published_csls_size_rescales_before_a_published_decoder() -> None:
    published = Scoring(csls=3, decoder="hungarian")
    found = ways(final(Protocol(decoders=("hungarian",)), published))
    assert ("cosine", 3, "hungarian[csls=3]", "test") in found


@pytest.mark.parametrize(
    "address", [*("hungarian", "hungarian[candidates=20]", "stable", "mutual"), "hungarian[csls=3]"]
)
def test_constant_scores_do_not_win(address: str) -> None:
    links = np.stack([np.arange(300), np.random.default_rng(1).permutation(300)], axis=1)
    same = Embeddings(torch.ones(300, 3), torch.ones(300, 3))
    scorer = RankingScorer(Protocol(decoders=(address,)), {"test": ranking_task(links, links)})
    found = [number.value for number in scorer.final(same).numbers if number.metric == "hits@1"]
    assert max(found) < 0.03  # one pair in 300 is right by chance


def test_constant_scores_do_not_win_by_a_plan() -> None:
    same = Embeddings(torch.ones(12, 3), torch.ones(12, 3))
    scorer = RankingScorer(Protocol(csls=(0,), decoders=("sinkhorn",)), {"test": TASK})
    ranks = [number.value for number in scorer.final(same).numbers if number.metric == "mean_rank"]
    assert set(ranks) == {6.5}


@pytest.mark.parametrize("address", ["hungarian", "stable", "mutual", "hungarian[candidates=12]"])
def test_shuffled_candidates_are_told_by_their_own_entities(address: str) -> None:
    links = np.stack([np.arange(12), np.random.default_rng(1).permutation(12)], axis=1)
    target = torch.empty(12, 12)
    target[links[:, 1]] = torch.eye(12)
    scorer = RankingScorer(Protocol(decoders=(address,)), {"test": ranking_task(links, links)})
    numbers = scorer.final(Embeddings(torch.eye(12), target)).numbers
    decoded = [number.value for number in numbers if number.direction == "pairs"]
    assert decoded == [1.0] * 4


@pytest.mark.parametrize("tie_rule", ["realistic", "optimistic", "pessimistic"])
def test_what_a_plan_leaves_out_has_the_last_rank_in_both_directions(tie_rule: Any) -> None:
    """All sources prefer target 0: the other columns are empty, and all of their rows tied."""
    scores = torch.zeros(6, 6)
    scores[:, 0] = 1 + torch.arange(6) / 100
    links = np.stack([np.arange(6)] * 2, axis=1)
    scored = Scored(PairScores(scores.__getitem__, 6, 6), ranking_task(links, links))
    decoder = parse_decoder("sinkhorn[candidates=1]")
    assert isinstance(decoder, Rescored)
    ranks = rank_in(decoder.plan(scored.blocks), scored.layout, (0,), tie_rule)[0]
    assert ranks.src2tgt.tolist() == [1, 6, 6, 6, 6, 6]
    of_first = {"realistic": 3.5, "optimistic": 1, "pessimistic": 6}[tie_rule]
    assert ranks.tgt2src.tolist() == [of_first, 6, 6, 6, 6, 6]
