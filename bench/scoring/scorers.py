"""How each task is scored, behind one contract: while training, and at the end of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol as Contract

import numpy as np

from mmea_bench.bench.scoring.counterparts import counterpart_cosines
from mmea_bench.bench.scoring.evaluate import LinkRanks, RankingTask, rank_links, ranking_task
from mmea_bench.bench.scoring.metrics import metrics_of_ranks
from mmea_bench.bench.scoring.pair_scoring import (
    INFERENCES,
    PairScores,
    PairTask,
    Thresholds,
    choose_thresholds,
    mean_true_scores,
    pair_metrics,
    score_pairs,
)
from mmea_bench.bench.scoring.protocol import Protocol
from mmea_bench.datasets.core.model.nodes import visual_nodes
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split, split_links, split_pairs
from mmea_bench.methods.core.base import Embeddings

ByDirection = Mapping[str, Mapping[str, float]]
"""Direction to metric to value."""

CURVE_METRICS = ("hits@1", "hits@10", "mrr")


@dataclass(frozen=True)
class Number:
    """One number of a cell.

    Attributes:
        words: Rules of scoring, for the setting.
        metric: What was measured.
        direction: Which KG asks.
        value: The number.
        n: Links behind it.
    """

    words: Mapping[str, object]
    metric: str
    direction: str
    value: float
    n: int


@dataclass(frozen=True)
class FinalScores:
    """What a cell reports.

    Attributes:
        numbers: All of them, in the order of the table.
        notes: Sentences for the reader.
    """

    numbers: tuple[Number, ...]
    notes: tuple[str, ...] = field(default=())


class Scorer(Contract):
    """Scores the embeddings of a cell; the links it scores by were given when it was made."""

    @property
    def curve_words(self) -> Mapping[str, object]:
        """Rules of scoring of the learning curves."""

    def curve(self, embeddings: Embeddings) -> Mapping[str, ByDirection]:
        """Set of links (``test``, ``valid``) to the numbers of one point of the curves."""

    def stop_score(self, scores: ByDirection) -> float:
        """The number to choose a checkpoint by, higher is better."""

    def final(self, embeddings: Embeddings) -> FinalScores:
        """The numbers of the finished training."""


def make_split(protocol: Protocol, pair: KGPair, seed_ratio: float, split_seed: int) -> Split:
    """The split of a repeat.

    N-MMKG pairs have validation pairs under every protocol: they choose the thresholds.
    """
    if pair.task == "n-mmkg":
        return split_pairs(pair.anchor_links, seed_ratio, split_seed)
    return split_links(pair.anchor_links, seed_ratio, split_seed, protocol.held_out_share)


def make_scorer(protocol: Protocol, pair: KGPair, split: Split) -> Scorer:
    """The scorer of a dataset's task."""
    if pair.task == "n-mmkg":
        visual = visual_nodes(pair.features)
        return PairScorer(PairTask(split.seed_links, split.valid_links, split.test_links, *visual))
    tasks = {"test": _test_task(protocol, pair, split)}
    if len(split.valid_links):
        # Validation links are ranked among all entities that do not train, as many as at test
        # time; among the few validation entities alone the task would be far easier.
        tasks["valid"] = ranking_task(
            split.valid_links, pair.anchor_links, _sizes(pair), split.seed_links
        )
    return RankingScorer(protocol, tasks)


def _test_task(protocol: Protocol, pair: KGPair, split: Split) -> RankingTask:
    if protocol.candidates == "test":
        return ranking_task(split.test_links, pair.anchor_links)
    seeds = np.concatenate([split.seed_links, split.valid_links])
    return ranking_task(split.test_links, pair.anchor_links, _sizes(pair), seeds)


def _sizes(pair: KGPair) -> tuple[int, int]:
    return pair.source.n_entities, pair.target.n_entities


class RankingScorer:
    """Entity alignment: ranks of the true partners.

    Curves are scored with the last CSLS size of the protocol.

    Args:
        protocol: Rules of scoring.
        tasks: ``test`` and, where links were held out, ``valid``.
    """

    def __init__(self, protocol: Protocol, tasks: Mapping[str, RankingTask]) -> None:
        self._protocol = protocol
        self._tasks = tasks
        self.curve_words = self._words(protocol.csls[-1])

    def _words(self, csls_size: int) -> Mapping[str, object]:
        protocol = self._protocol
        return {
            "candidates": protocol.candidates,
            "csls": csls_size,
            "ties": protocol.tie_rule,
        }

    def curve(self, embeddings: Embeddings) -> Mapping[str, ByDirection]:
        """Hits@1, Hits@10 and MRR of every set of links."""
        size = self._protocol.csls[-1]
        found = {}
        for links, task in self._tasks.items():
            ranks = rank_links(embeddings, task, (size,), self._protocol.tie_rule)[size]
            found[links] = {
                direction: {metric: values[metric] for metric in CURVE_METRICS}
                for direction, values in direction_metrics(ranks).items()
            }
        return found

    def stop_score(self, scores: ByDirection) -> float:
        """The protocol's metric, mean of both directions."""
        return scores["mean"][self._protocol.stop_metric]

    def final(self, embeddings: Embeddings) -> FinalScores:
        """All metrics of the test links, for every CSLS size."""
        task = self._tasks["test"]
        ranks = rank_links(embeddings, task, self._protocol.csls, self._protocol.tie_rule)
        numbers = [
            Number(self._words(size), metric, direction, value, len(task.links))
            for size, link_ranks in ranks.items()
            for direction, values in direction_metrics(link_ranks).items()
            for metric, value in values.items()
        ]
        return FinalScores((*numbers, *_counterpart_numbers(embeddings, task)))


def _counterpart_numbers(embeddings: Embeddings, task: RankingTask) -> Iterator[Number]:
    for modality, cosines in counterpart_cosines(embeddings, task.links).items():
        words = {"candidates": "test", "modality": modality}
        for rank, cosine in enumerate(cosines, 1):
            yield Number(words, f"cosine@{rank}", "src2tgt", cosine, len(task.links))


def direction_metrics(ranks: LinkRanks) -> dict[str, dict[str, float]]:
    """Metrics of both directions and their mean: direction -> metric -> value."""
    forward, backward = metrics_of_ranks(ranks.src2tgt), metrics_of_ranks(ranks.tgt2src)
    mean = {metric: (forward[metric] + backward[metric]) / 2 for metric in forward}
    return {"src2tgt": forward, "tgt2src": backward, "mean": mean}


class PairScorer:
    """N-MMKG: precision, recall and F1 of the pairs above thresholds that validation pairs choose.

    Curves are scored with two thresholds, chosen anew at every point.

    Args:
        task: Pairs of the split.
    """

    curve_words: Mapping[str, object] = {
        "candidates": "all-pairs",
        "inference": "two-thresholds",
    }

    def __init__(self, task: PairTask) -> None:
        self._task = task

    def curve(self, embeddings: Embeddings) -> Mapping[str, ByDirection]:
        """Precision, recall and F1: measured on test pairs, expected from the validation pairs."""
        scores = score_pairs(embeddings, self._task)
        chosen = choose_thresholds(scores, self._task, "two-thresholds")
        measured = pair_metrics(scores, self._task, chosen)
        expected = {"precision": chosen.precision, "recall": chosen.recall, "f1": chosen.f1}
        test = {metric: measured[metric][0] for metric in expected}
        return {"test": {"pairs": test}, "valid": {"pairs": expected}}

    def stop_score(self, scores: ByDirection) -> float:
        """F1."""
        return scores["pairs"]["f1"]

    def final(self, embeddings: Embeddings) -> FinalScores:
        """All metrics of the test pairs under both inferences, and the thresholds as notes."""
        task, numbers, notes = self._task, [], []
        scores = score_pairs(embeddings, task)
        for inference in INFERENCES:
            words = {"candidates": "all-pairs", "inference": inference}
            chosen = choose_thresholds(scores, task, inference)
            notes.append(_threshold_note(chosen, inference))
            for metric, (value, n) in pair_metrics(scores, task, chosen).items():
                numbers.append(Number(words, metric, "pairs", value, n))
            # Hits@1 needs no threshold; it stands beside both, so that each row is complete.
            hits, n_asked = scores.hits_at_1, scores.n_asked
            numbers.append(Number(words, "hits@1", "src2tgt", hits, n_asked))
        notes.append(_true_score_note(scores, task, embeddings.similarity))
        return FinalScores(tuple(numbers), tuple(notes))


def _threshold_note(chosen: Thresholds, inference: str) -> str:
    values = f"{chosen.intra:.4g}"
    if inference == "two-thresholds":
        values = f"intra {chosen.intra:.4g}, cross {chosen.cross:.4g}"
    return f"{inference}: {values} (expected F1 {chosen.f1:.3f})"


def _true_score_note(scores: PairScores, task: PairTask, similarity: str) -> str:
    means = mean_true_scores(scores, task)
    values = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
    return f"mean {similarity} of true test pairs: {values}"
