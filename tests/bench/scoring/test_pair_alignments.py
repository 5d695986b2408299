"""A method that scores pairs is scored as one whose vectors give the same scores."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.counterparts import counterpart_cosines
from mmea_bench.bench.scoring.evaluate import Scored, rank_links, ranking_task
from mmea_bench.bench.scoring.fusion_weights import fusion_weights
from mmea_bench.bench.scoring.monitor import CurveMonitor
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.bench.scoring.scorers import RankingScorer
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import DivergedError, Embeddings, RunContext
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.training.loop import Checkpoint
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.core.training_log import TrainingLog

LINKS = np.stack([np.arange(30), np.random.default_rng(0).permutation(30)], axis=1)


def both(dim: int = 5) -> tuple[Embeddings, PairScores]:
    """Vectors of small integers, and a function that gives their inner products."""
    generator = torch.Generator().manual_seed(1)
    source, target = (
        torch.randint(-3, 4, (size, dim), generator=generator).float() for size in (33, 31)
    )
    scores = PairScores(lambda rows: source[rows] @ target.T, 33, 31)
    return Embeddings(source, target, "inner"), scores


@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("all_entities", [False, True])
def test_ranks_are_those_of_the_vectors(size: int, all_entities: bool) -> None:
    embeddings, scores = both()
    task = ranking_task(LINKS, LINKS, (33, 31) if all_entities else None)
    expected, found = (rank_links(each, task, (size,))[size] for each in (embeddings, scores))
    assert np.array_equal(expected.src2tgt, found.src2tgt)
    assert np.array_equal(expected.tgt2src, found.tgt2src)


def test_pseudo_seeds_are_those_of_the_vectors() -> None:
    generator = torch.Generator().manual_seed(2)
    vectors = torch.nn.functional.normalize(torch.randn(64, 8, generator=generator), dim=1)
    scores = PairScores(lambda rows: vectors[:33][rows] @ vectors[33:].T, 33, 31)
    seeds = torch.tensor([[0, 33], [4, 40]])
    grown = []
    for found in (vectors, scores):
        pseudo = PseudoSeeds(seeds, 33, 64, IterativeSchedule(0, 1, 1), TrainingLog())
        for epoch in (1, 2):
            pseudo.after_epoch(epoch, lambda found=found: found)  # type: ignore[misc]
        grown.append(pseudo.pairs)
    assert len(grown[0]) > len(seeds)
    assert torch.equal(*grown)


def test_saved_candidates_are_the_best_ones(tmp_path: Path) -> None:
    embeddings, scores = both()
    scores.save(tmp_path / "scores.npz", n_candidates=4)
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as stored:
        expected = (embeddings.source @ embeddings.target.T).topk(4, dim=1).values
        assert np.array_equal(stored["scores"], expected.numpy())
        assert stored["targets"].shape == (33, 4)


def test_the_kept_checkpoint_holds_values_that_training_goes_on_changing() -> None:
    weight = torch.ones(1)
    scores = PairScores(lambda rows: weight * torch.ones(len(rows), 2), 3, 2, state={"w": weight})
    rising_then_falling = iter([0.5, 0.9, 0.1])
    ctx = RunContext(rng_seed=0, monitor=lambda *_: next(rising_then_falling))
    checkpoint = Checkpoint(ctx)
    for epoch in (1, 2, 3):
        weight.fill_(epoch)
        checkpoint.offer(epoch, 0.0, lambda: scores)
    assert checkpoint.chosen(lambda: scores).rows(torch.tensor([0])).tolist() == [[2.0, 2.0]]


def test_kept_vectors_are_copies_too() -> None:
    vectors = torch.zeros(3, 2)
    found = Embeddings(vectors, vectors)
    ctx = RunContext(rng_seed=0, monitor=lambda epoch, *_: -float(epoch))
    checkpoint = Checkpoint(ctx)
    for epoch in (1, 2):
        vectors.fill_(epoch)
        checkpoint.offer(epoch, 0.0, lambda: found)
    assert checkpoint.chosen(lambda: found).source.unique().tolist() == [1.0]


def test_scores_without_vectors_have_no_counterpart_cosines() -> None:
    scored = Scored(both()[1], ranking_task(LINKS, LINKS))
    assert counterpart_cosines(scored, LINKS) == {}


def test_fusion_weights_count_the_entities_of_both_graphs() -> None:
    scores = PairScores(lambda rows: rows, 3, 2, modality_weights={"name": 2.0, "image": 2.0})
    numbers, _ = fusion_weights(scores)
    assert [(number.value, number.n) for number in numbers] == [(0.5, 5), (0.5, 5)]


def test_a_score_that_is_not_finite_is_no_result() -> None:
    broken = PairScores(lambda rows: torch.full((len(rows), 31), torch.nan), 33, 31)
    with pytest.raises(DivergedError):
        rank_links(broken, ranking_task(LINKS, LINKS))


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (torch.ones(33, 2), "fit returned Tensor; it must return Embeddings"),
        (None, "fit returned NoneType"),
        (Embeddings(torch.ones(64, 2), torch.ones(64, 2)), "rows for 64 source and 64 target"),
        (Embeddings(torch.ones(33, 2), torch.ones(31, 3)), "2 columns and target vectors of 3"),
        (Embeddings(torch.ones(33, 2), torch.ones(31, 2), "dot"), "Unknown similarity"),  # type: ignore[arg-type]
        (Embeddings(torch.ones(33), torch.ones(31, 2)), "must be a tensor"),
        (PairScores(lambda rows: torch.ones(len(rows), 31), 30, 31), "rows for 30 source"),
        (
            PairScores(lambda rows: torch.ones(len(rows), 7), 33, 31),
            r"must give a tensor \[2, 31\]",
        ),
        (PairScores(lambda rows: [1.0], 33, 31), "score_block gave list"),  # type: ignore[arg-type, return-value]
        (PairScores(lambda rows: torch.rand(len(rows), 31), 33, 31), "two different scores"),
        (PairScores(lambda rows: torch.ones(len(rows), 31), 33, 31, similarity="my way"), "word"),
    ],
)
def test_a_wrong_return_is_told_what_fit_must_return(returned: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        checked(returned, (33, 31))


def test_a_training_that_offers_a_wrong_number_of_rows_is_told_so() -> None:
    scorer = RankingScorer(Protocol(), {"test": ranking_task(LINKS, LINKS)})
    with pytest.raises(UserError, match="rows for 64 source"):
        CurveMonitor("last", scorer, (33, 31))(
            1, 0.0, Embeddings(torch.ones(64, 2), torch.ones(64, 2))
        )


def test_first_scores_that_are_not_finite_are_no_result() -> None:
    broken = PairScores(lambda rows: torch.full((len(rows), 31), torch.inf), 33, 31)
    with pytest.raises(DivergedError):
        checked(broken, (33, 31))


def test_half_precision_is_scored_in_single_precision() -> None:
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randn(n, 50, generator=generator).half() for n in (33, 31))
    found = checked(Embeddings(source, target), (33, 31))
    (block,) = score_blocks(found, np.arange(33), np.arange(31))
    expected = ScoreMatrix(source.float(), target.float())
    assert torch.equal(block.scores, next(iter(expected)).scores)


def test_costly_scores_are_made_once_for_all_rules_of_scoring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, scores = both()
    asked: list[int] = []

    def counted(rows: torch.Tensor) -> torch.Tensor:
        asked.append(len(rows))
        return scores.score_block(rows)

    protocol = Protocol(csls=(0, 3), decoders=("sinkhorn", "sinkhorn[candidates=5]"))
    scorer = RankingScorer(protocol, {"test": ranking_task(LINKS, LINKS)})
    found = scorer.final(replace(scores, score_block=counted)).numbers
    assert sum(asked) == len(LINKS)
    monkeypatch.setattr("mmea_bench.bench.scoring.evaluate.WIDE_VECTORS", 1)
    wide = scorer.final(vectors).numbers
    monkeypatch.undo()
    narrow = scorer.final(vectors).numbers
    values = [[number.value for number in numbers] for numbers in (found, wide, narrow)]
    assert values[0] == values[1] == values[2]


PEAK = """
import resource, sys, numpy as np, torch
from mmea_bench.bench.scoring.decoders import parse_decoder
from mmea_bench.bench.scoring.evaluate import Scored, rank_links, ranking_task
from mmea_bench.methods.core.pair_scores import PairScores
n = 10_000
columns = torch.arange(n).float()
block = lambda rows: -(rows.float().unsqueeze(1) - columns).abs()
links = np.stack([np.arange(n), np.arange(n)], axis=1)
scores, task = PairScores(block, n, n), ranking_task(links, links)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.argv[1] == "none":
    assert (rank_links(scores, task, (0,))[0].src2tgt == 1).all()
else:
    found = parse_decoder(sys.argv[1]).measured(Scored(scores, task), "realistic")
    assert found["pairs", "f1"][0] == 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "most_mib"),
    [("none", 180), ("mutual", 330), ("stable", 180), ("hungarian[candidates=10]", 180)],
)
def test_ten_thousand_entities_are_scored_without_their_matrix(decoder: str, most_mib: int) -> None:
    command = [sys.executable, "-c", PEAK, decoder]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    # All scores in single precision would take 381 MiB, in half precision 190.
    assert int(done.stdout) < most_mib
