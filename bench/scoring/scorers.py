"""How each task is scored, behind one contract: while training, and at the end of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol as Contract

import numpy as np

from mmea_bench.bench.scoring.counterparts import counterpart_cosines, counterpart_notes
from mmea_bench.bench.scoring.dangling.detection import (
    DanglingTask,
    by_way,
    detect,
    threshold_note,
)
from mmea_bench.bench.scoring.decoders import (
    Csls,
    Decoding,
    Hungarian,
    NoDecoder,
    decoder_address,
    parse_decoder,
)
from mmea_bench.bench.scoring.evaluate import (
    LinkRanks,
    RankingTask,
    Ranks,
    Scored,
    candidate_task,
    rank_in,
    rank_links,
    ranking_task,
    valid_task,
)
from mmea_bench.bench.scoring.metrics import by_direction, certain_notes
from mmea_bench.bench.scoring.pair_scoring import (
    INFERENCES,
    CandidateScores,
    PairTask,
    Thresholds,
    choose_thresholds,
    mean_true_scores,
    pair_metrics,
    score_pairs,
)
from mmea_bench.bench.scoring.protocol import Protocol, stop_number
from mmea_bench.datasets.core.model.nodes import visual_nodes
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Alignment, Embeddings, Scoring, StopScore

ByDirection = Mapping[str, Mapping[str, float]]
"""Direction to metric to value."""

CURVE_METRICS = ("hits@1", "hits@10", "mrr")


@dataclass(frozen=True)
class CurvePoint:
    """One point of the curves of one set of links.

    Attributes:
        shown: What the curves keep.
        stop_score: The number to choose a checkpoint by, higher is better.
    """

    shown: ByDirection
    stop_score: float


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

    def curve(self, alignment: Alignment) -> Mapping[str, CurvePoint]:
        """Set of links (``test``, ``valid``) to one point of its curves."""

    def final(self, alignment: Alignment) -> FinalScores:
        """The numbers of the finished training."""


def make_scorer(
    protocol: Protocol,
    pair: KGPair,
    split: Split,
    published: Scoring | None = None,
    paper_stop_score: StopScore | None = None,
    ranks: type[RankingScorer] | None = None,
) -> Scorer:
    """The scorer of a dataset's task.

    Args:
        protocol: Rules of scoring.
        pair: The dataset.
        split: Links by which the cell is scored.
        published: How the method's published numbers were scored; ``paper`` adds that way.
        paper_stop_score: By which number the method's released code chooses its checkpoint.
        ranks: What ranks links; None ranks exactly.
    """
    if pair.task == "n-mmkg":
        visual = visual_nodes(pair.features)
        task = PairTask(split.seed_links, split.valid_links, split.test_links, *visual)
        return PairScorer(task, protocol.decoders)
    first, *others = protocol.candidate_sets
    tasks = {"test": candidate_task(first, pair, split)}
    if len(split.valid_links):
        # A second partner may be a test link, of which the choice of a checkpoint knows nothing.
        known = np.concatenate([split.seed_links, split.valid_links])
        tasks["valid"] = valid_task(pair, split, known)
    asked = None
    if published is not None and protocol.name == "paper":
        asked = PublishedTask(published, candidate_task(published.candidates, pair, split))
    stop = protocol.stop_score(paper_stop_score)
    further = {candidates: candidate_task(candidates, pair, split) for candidates in others}
    dangling = DanglingScorer(pair, split) if any(map(len, pair.dangling)) else None
    return (ranks or RankingScorer)(protocol, tasks, asked, stop, further, dangling)


@dataclass(frozen=True)
class PublishedTask:
    """How a method's published numbers were scored, and the task for its candidates."""

    scoring: Scoring
    task: RankingTask


class RankingScorer:
    """Entity alignment: ranks of the true partners, and what the decoders make of the scores.

    Curves are scored with the last CSLS size of the protocol, a checkpoint may be chosen with
    another one.

    Args:
        protocol: Rules of scoring.
        tasks: ``test`` and, where links were held out, ``valid``.
        published: A further way of scoring at the end; None for none.
        stop: By which number a checkpoint is chosen; None is the protocol's.
        further: Other candidates to rank the test links among at the end, by their word.
        dangling: Judges entities without a partner at the end; None where none is known.
    """

    def __init__(
        self,
        protocol: Protocol,
        tasks: Mapping[str, RankingTask],
        published: PublishedTask | None = None,
        stop: StopScore | None = None,
        further: Mapping[str, RankingTask] | None = None,
        dangling: DanglingScorer | None = None,
    ) -> None:
        self._protocol, self._tasks, self._published = protocol, tasks, published
        self._further, self._dangling = further or {}, dangling
        self._stop = stop or protocol.stop_score(None)
        self._decoders = [parse_decoder(address) for address in protocol.decoders]
        ranked = [each.csls_size for each in self._decoders if isinstance(each, NoDecoder | Csls)]
        self._sizes = tuple(dict.fromkeys((*protocol.csls, *ranked)))
        self.curve_words = self._words(protocol.csls[-1])

    def _words(self, csls_size: int, **further: object) -> Mapping[str, object]:
        protocol = self._protocol
        return {
            "candidates": protocol.candidate_sets[0],
            "csls": csls_size,
            "ties": protocol.tie_rule,
            **further,
        }

    def curve(self, alignment: Alignment) -> Mapping[str, CurvePoint]:
        """Hits@1, Hits@10 and MRR of every set of links."""
        shown = self._protocol.csls[-1]
        chosen = shown if self._stop.csls is None else self._stop.csls
        sizes = tuple(dict.fromkeys((shown, chosen)))
        points = {}
        for links, task in self._tasks.items():
            ranks = self._curve_ranks(alignment, task, sizes)
            scores = {
                size: curve_numbers(each.src2tgt, each.tgt2src) for size, each in ranks.items()
            }
            points[links] = CurvePoint(scores[shown], stop_number(scores[chosen], self._stop))
        return points

    def _curve_ranks(
        self, alignment: Alignment, task: RankingTask, sizes: tuple[int, ...]
    ) -> Mapping[int, LinkRanks]:
        return rank_links(alignment, task, sizes, self._protocol.tie_rule)

    def final(self, alignment: Alignment) -> FinalScores:
        """All metrics of the test links: for every CSLS size, decoder, and as published."""
        task = self._tasks["test"]
        scored = Scored(alignment, task)
        numbers = list(self._ranked_and_decoded(scored))
        for candidates, other in self._further.items():
            numbers += self._ranked_and_decoded(Scored(alignment, other), candidates=candidates)
        numbers += self._as_published(scored)
        numbers += _counterpart_numbers(scored, task)
        notes = (*certain_notes(*scored.shape), *counterpart_notes(alignment))
        if self._dangling is None:
            return FinalScores(tuple(numbers), notes)
        judged = self._dangling.final(alignment, self._protocol.csls)
        return FinalScores((*numbers, *judged.numbers), (*notes, *judged.notes))

    def _ranked_and_decoded(self, scored: Scored, **further: object) -> Iterator[Number]:
        yield from self._ranked(scored, self._sizes, **further)
        decoders = (_fitted(each, scored) for each in self._decoders if isinstance(each, Decoding))
        for decoder in dict.fromkeys(decoders):
            yield from self._decoded(scored, decoder, **further)

    def _ranked(
        self, scored: Scored, sizes: tuple[int, ...], **further: object
    ) -> Iterator[Number]:
        layout, similarity = scored.layout, scored.alignment.similarity
        ranks = rank_in(scored.blocks, layout, sizes, self._protocol.tie_rule)
        for size, found in ranks.items():
            words = self._words(size, similarity=similarity, **further)
            for direction, values in by_direction(found.src2tgt, found.tgt2src).items():
                for metric, value in values.items():
                    yield Number(words, metric, direction, value, layout.n_links)

    def _decoded(self, scored: Scored, decoder: Decoding, **further: object) -> Iterator[Number]:
        decoder = _fitted(decoder, scored)
        further = {"similarity": scored.alignment.similarity, **further}
        words = self._words(decoder.csls, decoder=decoder_address(decoder), **further)
        measured = decoder.measured(scored, self._protocol.tie_rule)
        for (direction, metric), (value, n) in measured.items():
            yield Number(words, metric, direction, value, n)

    def _as_published(self, scored: Scored) -> Iterator[Number]:
        """Numbers scored as the method's published ones, unless they stand there already."""
        if self._published is None:
            return
        scoring, alignment = self._published.scoring, scored.alignment
        compared = alignment
        if isinstance(alignment, Embeddings) and scoring.similarity is not None:
            compared = replace(alignment, similarity=scoring.similarity)
        sets, is_own = self._protocol.candidate_sets, compared.similarity == alignment.similarity
        is_same = is_own and scoring.candidates in sets
        candidates = {"candidates": scoring.candidates}
        is_scored = is_own and scoring.candidates == sets[0]
        asked = scored if is_scored else Scored(compared, self._published.task)
        decoder = parse_decoder(scoring.decoder)
        if isinstance(decoder, Decoding):
            decoder = replace(decoder, csls=scoring.csls or decoder.csls)
            if not (is_same and decoder in self._decoders):
                yield from self._decoded(asked, decoder, **candidates)
        else:
            size = scoring.csls or decoder.csls_size
            if not (is_same and size in self._sizes):
                yield from self._ranked(asked, (size,), **candidates)


def _fitted(decoder: Decoding, scored: Scored) -> Decoding:
    """The decoder as it runs on these scores; of many, Hungarian takes the best alone."""
    return decoder.fitted(*scored.shape) if isinstance(decoder, Hungarian) else decoder


def curve_numbers(src2tgt: Ranks, tgt2src: Ranks) -> ByDirection:
    """The metrics of a curve's point, from ranks [n_links] of each direction."""
    return {
        direction: {metric: values[metric] for metric in CURVE_METRICS}
        for direction, values in by_direction(src2tgt, tgt2src).items()
    }


def _counterpart_numbers(scored: Scored, task: RankingTask) -> Iterator[Number]:
    for modality, cosines in counterpart_cosines(scored, task.links).items():
        words = {"candidates": "test", "modality": modality}
        for rank, cosine in enumerate(cosines, 1):
            yield Number(words, f"cosine@{rank}", "src2tgt", cosine, len(task.links))


class DanglingScorer:
    """Entities without a partner, judged among all entities that do not train.

    Args:
        pair: The dataset.
        split: Its links and dangling entities by part.
    """

    def __init__(self, pair: KGPair, split: Split) -> None:
        judged = np.concatenate([split.valid_links, split.test_links])
        self._task = ranking_task(judged, pair.anchor_links, pair.sizes, split.seed_links)
        self._known = DanglingTask(split, pair.anchor_links)

    def final(self, alignment: Alignment, csls_sizes: tuple[int, ...]) -> FinalScores:
        """Metrics of each direction that has some, their mean, and the thresholds as notes."""
        numbers, notes = [], [self._known.gap] if self._known.gap else []
        if not self._known.directions:
            return FinalScores((), tuple(notes))
        scored = Scored(alignment, self._task)
        ids = scored.layout.sources, scored.layout.targets
        for size, found in detect(scored.blocks, ids, self._known, csls_sizes).items():
            notes.append(threshold_note(found, size))
            words = {"candidates": "untrained", "csls": size}
            numbers += [Number(words, *way, *value) for way, value in by_way(found).items()]
        return FinalScores(tuple(numbers), tuple(notes))


class PairScorer:
    """N-MMKG: precision, recall and F1 of the pairs above thresholds that validation pairs choose.

    Curves are scored with two thresholds, chosen anew at every point.

    Args:
        task: Pairs of the split.
        decoders: Decoders that were asked for; none of them applies to many-to-many pairs.
    """

    curve_words: Mapping[str, object] = {"candidates": "all-pairs", "inference": "two-thresholds"}

    def __init__(self, task: PairTask, decoders: tuple[str, ...] = ()) -> None:
        self._task, self._decoders = task, decoders

    def curve(self, alignment: Alignment) -> Mapping[str, CurvePoint]:
        """Precision, recall and F1: measured on test pairs, expected from the validation pairs.

        F1 chooses the checkpoint.
        """
        scores = score_pairs(alignment, self._task)
        chosen = choose_thresholds(scores, self._task, "two-thresholds")
        measured = pair_metrics(scores, self._task, chosen)
        expected = {"precision": chosen.precision, "recall": chosen.recall, "f1": chosen.f1}
        test = {metric: measured[metric][0] for metric in expected}
        points = {"test": test, "valid": expected}
        return {links: CurvePoint({"pairs": point}, point["f1"]) for links, point in points.items()}

    def final(self, alignment: Alignment) -> FinalScores:
        """All metrics of the test pairs under both inferences, and the thresholds as notes."""
        task, numbers, notes = self._task, [], []
        if self._decoders:
            names = ", ".join(self._decoders)
            notes.append(f"decoders left out, since pairs of an N-MMKG are many to many: {names}")
        scores = score_pairs(alignment, task)
        for inference in INFERENCES:
            words = {"candidates": "all-pairs", "inference": inference}
            chosen = choose_thresholds(scores, task, inference)
            notes.append(_threshold_note(chosen, inference))
            for metric, (value, n) in pair_metrics(scores, task, chosen).items():
                numbers.append(Number(words, metric, "pairs", value, n))
            # Hits@1 needs no threshold; it stands beside both, so that each row is complete.
            hits, n_asked = scores.hits_at_1, scores.n_asked
            numbers.append(Number(words, "hits@1", "src2tgt", hits, n_asked))
        notes.append(_true_score_note(scores, task, alignment.similarity))
        return FinalScores(tuple(numbers), tuple(notes))


def _threshold_note(chosen: Thresholds, inference: str) -> str:
    values = f"{chosen.intra:.4g}"
    if inference == "two-thresholds":
        values = f"intra {chosen.intra:.4g}, cross {chosen.cross:.4g}"
    return f"{inference}: {values} (expected F1 {chosen.f1:.3f})"


def _true_score_note(scores: CandidateScores, task: PairTask, similarity: str) -> str:
    means = mean_true_scores(scores, task)
    values = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
    return f"mean {similarity} of true test pairs: {values}"
