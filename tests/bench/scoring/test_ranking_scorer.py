"""Curves are scored with the last CSLS size of the protocol, and say so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mmea_bench.bench.scoring.evaluate import rank_links, ranking_task
from mmea_bench.bench.scoring.metrics import metrics_of_ranks
from mmea_bench.bench.scoring.monitor import CurveMonitor
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.bench.scoring.scorers import RankingScorer, make_scorer
from mmea_bench.bench.scoring.trial_scorer import make_trial_scorer
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Embeddings, StopScore

LINKS = np.stack([np.arange(40), np.arange(40)], axis=1)
TASK = ranking_task(LINKS, LINKS)


@pytest.fixture
def embeddings() -> Embeddings:
    """Vectors whose ranks depend on CSLS and on its size."""
    generator = torch.Generator().manual_seed(5)
    source = torch.randn(40, 6, generator=generator)
    return Embeddings(source, source + 0.9 * torch.randn(40, 6, generator=generator))


def expected_mrr(embeddings: Embeddings, size: int) -> float:
    ranks = rank_links(embeddings, TASK, (size,))[size]
    return metrics_of_ranks(ranks.src2tgt)["mrr"]


@pytest.mark.parametrize(("sizes", "size"), [((0, 3), 3), ((3, 0), 0), ((0, 3, 10), 10)])
def test_a_curve_is_scored_with_the_last_size(
    sizes: tuple[int, ...], size: int, embeddings: Embeddings
) -> None:
    assert len({expected_mrr(embeddings, other) for other in (0, 3, 10)}) == 3
    scorer = RankingScorer(Protocol(csls=sizes), {"test": TASK})
    found = scorer.curve(embeddings)["test"].shown["src2tgt"]["mrr"]
    assert found == pytest.approx(expected_mrr(embeddings, size))
    assert scorer.curve_words["csls"] == size


def test_a_point_of_the_curve_is_that_score(embeddings: Embeddings) -> None:
    monitor = CurveMonitor("test", RankingScorer(Protocol(csls=(0, 3)), {"test": TASK}))
    monitor(1, 0.5, embeddings)
    (point,) = (
        row for row in monitor.points if (row["metric"], row["direction"]) == ("mrr", "src2tgt")
    )
    assert point["value"] == pytest.approx(expected_mrr(embeddings, 3))


@pytest.mark.parametrize("name", ["strict", "paper"])
@pytest.mark.parametrize(
    "declared", [None, StopScore("hits@1", "src2tgt"), StopScore("mrr", "tgt2src")]
)
def test_paper_stops_on_the_number_that_the_released_code_looks_at(
    name: Any, declared: StopScore | None, embeddings: Embeddings
) -> None:
    protocol = Protocol(name, stop_metric="hits@10")
    stop = protocol.stop_score(declared)
    scorer = RankingScorer(protocol, {"test": TASK}, stop=stop)
    found = scorer.curve(embeddings)["test"].stop_score
    ranks = rank_links(embeddings, TASK, (3,))[3]
    by_hand = {
        "hits@10": ((ranks.src2tgt <= 10).mean() + (ranks.tgt2src <= 10).mean()) / 2,
        "hits@1": (ranks.src2tgt <= 1).mean(),
        "mrr": (1 / ranks.tgt2src).mean(),
    }
    own = name == "paper" and declared is not None
    assert found == pytest.approx(by_hand[declared.metric if own and declared else "hits@10"])


def test_the_better_direction_may_choose(embeddings: Embeddings) -> None:
    scorer = RankingScorer(Protocol("paper"), {"test": TASK}, stop=StopScore("mrr", "max"))
    point = scorer.curve(embeddings)["test"]
    both = [point.shown[direction]["mrr"] for direction in ("src2tgt", "tgt2src")]
    assert both[0] != both[1]
    assert point.stop_score == max(both)


def test_a_checkpoint_may_be_chosen_with_another_csls_than_the_curves(
    embeddings: Embeddings,
) -> None:
    stop = StopScore("mrr", "src2tgt", csls=0)
    scorer = RankingScorer(Protocol("paper", csls=(0, 3)), {"test": TASK}, stop=stop)
    point = scorer.curve(embeddings)["test"]
    assert point.stop_score == pytest.approx(expected_mrr(embeddings, 0))
    assert point.shown["src2tgt"]["mrr"] == pytest.approx(expected_mrr(embeddings, 3))


def test_the_final_numbers_hold_every_size(embeddings: Embeddings) -> None:
    numbers = RankingScorer(Protocol(csls=(0, 3)), {"test": TASK}).final(embeddings).numbers
    by_size = {
        number.words["csls"]: number.value
        for number in numbers
        if (number.metric, number.direction) == ("mrr", "src2tgt")
    }
    assert by_size == pytest.approx({size: expected_mrr(embeddings, size) for size in (0, 3)})


@pytest.mark.parametrize(
    ("n_links", "certain"),
    [(4, "hits@5 and hits@10"), (6, "hits@10"), (10, "hits@10"), (11, None)],
)
def test_hits_that_nobody_can_miss_are_told(
    n_links: int, certain: str | None, embeddings: Embeddings
) -> None:
    """Among k candidates the true one is one of the k best, whatever the scores."""
    scorer = RankingScorer(Protocol(), {"test": ranking_task(LINKS[:n_links], LINKS)})
    found = scorer.final(embeddings)
    note = f"among {n_links} candidates {certain} cannot be missed"
    assert found.notes == ((note,) if certain else ())
    told = {n.value for n in found.numbers if certain and n.metric in certain.split(" and ")}
    assert told == ({1.0} if certain else set())


def test_other_candidates_make_hits_uncertain(embeddings: Embeddings) -> None:
    """Candidates ``unseeded`` are all entities that do not train, so six links are no limit."""
    task = ranking_task(LINKS[:6], LINKS, (40, 40), LINKS[30:])
    assert RankingScorer(Protocol(), {"test": task}).final(embeddings).notes == ()


def test_few_candidates_are_counted_for_each_kg_that_answers(embeddings: Embeddings) -> None:
    """Six links over two targets: nobody misses Hits@5 there, but one may among the six sources."""
    links = np.array([(row, row % 2) for row in range(6)])
    scorer = RankingScorer(Protocol(), {"test": ranking_task(links, links)})
    assert scorer.final(embeddings).notes == (
        "among 2 targets hits@5 and hits@10 cannot be missed",
        "among 6 sources hits@10 cannot be missed",
    )


def test_the_choice_of_a_checkpoint_knows_no_test_link() -> None:
    """Source 1 has two partners; the test link's stands before the validation link's."""
    known = np.array([[0, 0], [1, 1], [1, 2], [2, 3]], dtype=np.int32)
    split = Split(known[:1], known[1:2], known[2:])
    pair: Any = SimpleNamespace(
        task="entity-alignment", anchor_links=known, sizes=(3, 4), dangling=((), ())
    )
    source = torch.zeros(3, 4)
    source[0, 0], source[1, 1], source[1, 2], source[2, 3] = 1, 0.8, 0.9, 1
    vectors, protocol = Embeddings(source, torch.eye(4), "inner"), Protocol(csls=(0,))
    in_cell = make_scorer(protocol, pair, split).curve(vectors)["valid"]
    in_trial = make_trial_scorer(protocol, pair, split.without_test()).curve(vectors)["valid"]
    assert in_cell.stop_score == in_trial.stop_score == 0.75
