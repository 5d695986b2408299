"""Precision, recall and F1 of many-to-many pairs, with thresholds that validation pairs choose.

Candidates are all pairs of a source and a target node that are no training pair; a pair is
predicted where its score reaches the threshold of its class. Pairs of equal modality (tt, vv) and
of different modality (tv) are two classes, told apart by the modality of the nodes and never by
the sign of a score. The paper (CrossEA, COLING 2025, sec. 4.2) says neither which pairs are
candidates nor how thresholds are found; docs/protocol.md has the rules used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.bench.scoring.evaluate import Ids
from mmea_bench.datasets.core.model.nodes import PAIR_KINDS, pair_kinds
from mmea_bench.methods.core.base import Alignment
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.similarity import DEFAULT_BLOCK_ROWS, ScoreBlock

Inference = Literal["one-threshold", "two-thresholds"]
INFERENCES: Final[tuple[Inference, ...]] = ("one-threshold", "two-thresholds")
GRID_POINTS = 500
"""Quantiles tried per class."""

TOP_FACTOR = 8
"""Thresholds are sought among this many times the number of all gold pairs, the largest scores."""

Flags = NDArray[np.bool_]
Values = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class PairTask:
    """Which pairs are known, chosen by and asked for.

    Attributes:
        train: Training pairs (source node, target node), no candidates, [n_train, 2].
        valid: Validation pairs, which choose the thresholds and are then no candidates.
        test: Test pairs; thresholds depend on their number alone.
        visual_source: Whether a source node is an image, [n_source].
        visual_target: Whether a target node is an image, [n_target].
    """

    train: Ids
    valid: Ids
    test: Ids
    visual_source: Flags
    visual_target: Flags

    @property
    def n_top(self) -> int:
        """Scores to keep per pair kind."""
        return TOP_FACTOR * (len(self.train) + len(self.valid) + len(self.test))

    def kinds(self, pairs: Ids) -> NDArray[np.str_]:
        """Kind of each pair, [n]."""
        return pair_kinds(pairs, self.visual_source, self.visual_target)


@dataclass(frozen=True, eq=False)
class CandidateScores:
    """All that precision and recall are counted from; every score was read out of one product.

    Attributes:
        top: Kind to its largest scores among the candidates, ascending; validation and test pairs
            are among them.
        n_candidates: Kind to its number of candidates.
        valid: Scores of the validation pairs, [n_valid].
        test: Scores of the test pairs, [n_test].
        hits_at_1: Share of the source nodes of test pairs whose best candidate, of any modality,
            is a test partner; a tie with a wrong node is no hit.
        n_asked: Source nodes behind it.
    """

    top: dict[str, Values]
    n_candidates: dict[str, int]
    valid: Values
    test: Values
    hits_at_1: float
    n_asked: int


@dataclass(frozen=True)
class Thresholds:
    """Smallest scores that are predicted, with what the validation pairs let expect.

    Attributes:
        intra: Threshold of pairs of equal modality; infinite where nothing is predicted.
        cross: Threshold of pairs of different modality.
        precision: Estimated from the validation pairs, as are the next two.
        recall: Share of the validation pairs above.
        f1: Harmonic mean of both.
    """

    intra: float
    cross: float
    precision: float
    recall: float
    f1: float

    def of_kind(self, kind: str) -> float:
        """Threshold of a pair kind."""
        return self.cross if kind == "tv" else self.intra


def score_pairs(
    alignment: Alignment, task: PairTask, block_rows: int = DEFAULT_BLOCK_ROWS
) -> CandidateScores:
    """One pass over all scores, which keeps the largest of each kind and those of known pairs.

    Args:
        alignment: Vectors of all nodes, or scores of all pairs.
        task: The pairs.
        block_rows: Rows of a block of scores; any value gives the same result.

    Raises:
        DivergedError: If a vector or score is not finite.
    """
    collector = _Collector(task)
    columns = np.argsort(task.visual_target, kind="stable")
    for is_visual in (False, True):
        rows = np.flatnonzero(task.visual_source == is_visual)
        matrix = score_blocks(alignment, rows, columns, block_rows)
        group = _Group(task, rows, columns, matrix.device)
        for block in matrix:
            collector.add(block, group, ("tv", "vv") if is_visual else ("tt", "tv"))
    return collector.result()


class _Group:
    """Known pairs of some source nodes, by row, so that those of a block are a slice.

    Columns are the target nodes, texts first: a block is two slices of one pair kind each.
    """

    def __init__(self, task: PairTask, rows: Ids, columns: Ids, device: torch.device) -> None:
        self.rows = rows
        self.n_text = int((~task.visual_target).sum())
        row_of = np.full(len(task.visual_source), -1)
        row_of[rows] = np.arange(len(rows))
        column_of = np.argsort(columns)
        self._starts: dict[str, Ids] = {}
        self._cells: dict[str, Tensor] = {}
        for name, pairs in (("train", task.train), ("valid", task.valid), ("test", task.test)):
            own = np.flatnonzero(row_of[pairs[:, 0]] >= 0)
            own = own[np.argsort(row_of[pairs[own, 0]], kind="stable")]
            self._starts[name] = row_of[pairs[own, 0]]
            cells = np.stack([self._starts[name], column_of[pairs[own, 1]], own])
            self._cells[name] = torch.from_numpy(cells.astype(np.int64)).to(device)

    def cells(self, name: str, block: ScoreBlock) -> tuple[Tensor, Tensor, Tensor]:
        """Row within the block, column, and number in the task of each pair of a block."""
        start, stop = np.searchsorted(self._starts[name], (block.start, block.stop))
        rows, columns, numbers = self._cells[name][:, start:stop].unbind()
        return rows - block.start, columns, numbers


class _Collector:
    """Gathers what ``CandidateScores`` holds, block by block."""

    def __init__(self, task: PairTask) -> None:
        self._task = task
        self._top = {kind: _Largest(task.n_top) for kind in PAIR_KINDS}
        self._n = dict.fromkeys(PAIR_KINDS, 0)
        self._known = {"valid": np.empty(len(task.valid)), "test": np.empty(len(task.test))}
        self._best_wrong = np.full(len(task.visual_source), -np.inf)

    def add(self, block: ScoreBlock, group: _Group, kinds: tuple[str, str]) -> None:
        """Reads a block; known pairs are blanked in it as they are done with."""
        for name, known in self._known.items():
            rows, columns, numbers = group.cells(name, block)
            known[numbers.cpu().numpy()] = block.scores[rows, columns].double().cpu().numpy()
        rows, columns, _ = group.cells("train", block)
        block.scores[rows, columns] = -torch.inf
        parts = (block.scores[:, : group.n_text], block.scores[:, group.n_text :])
        is_text = columns < group.n_text
        n_train = (int(is_text.sum()), int((~is_text).sum()))
        for kind, part, n_known in zip(kinds, parts, n_train, strict=True):
            self._n[kind] += part.numel() - n_known
            self._top[kind].add(part)
        for name in self._known:
            rows, columns, _ = group.cells(name, block)
            block.scores[rows, columns] = -torch.inf
        best = block.scores.amax(dim=1).double().cpu().numpy()
        self._best_wrong[group.rows[block.start : block.stop]] = best

    def result(self) -> CandidateScores:
        """What was gathered."""
        sources, test = self._task.test[:, 0], self._known["test"]
        best_right = np.full(len(self._best_wrong), -np.inf)
        np.maximum.at(best_right, sources, test)
        asked = np.unique(sources)
        hits = best_right[asked] > self._best_wrong[asked]
        top = {kind: largest.ascending() for kind, largest in self._top.items()}
        share = float(hits.mean())
        return CandidateScores(top, self._n, self._known["valid"], test, share, len(asked))


class _Largest:
    """The largest values of a stream."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[Tensor] = []
        self._n_kept = 0
        self._floor = -torch.inf

    def add(self, values: Tensor) -> None:
        """Takes more values into account; minus infinity counts as none."""
        # A value equal to the smallest of a full set would change nothing.
        above = values[values > self._floor]
        self._kept.append(above)
        self._n_kept += len(above)
        if self._n_kept >= 2 * self._size:
            self._shrink()

    def _shrink(self) -> None:
        kept = torch.cat(self._kept)
        if len(kept) > self._size:
            kept = kept.topk(self._size, sorted=False).values
            self._floor = float(kept.min())
        self._kept, self._n_kept = [kept], len(kept)

    def ascending(self) -> Values:
        """The values, sorted."""
        if not self._kept:
            return np.empty(0)
        self._shrink()
        return np.sort(self._kept[0].double().cpu().numpy())


def choose_thresholds(scores: CandidateScores, task: PairTask, inference: Inference) -> Thresholds:
    """Thresholds with the largest F1 that the validation pairs let expect.

    Validation pairs are a uniform sample of the gold pairs that do not train, so with ``v`` of
    them above the thresholds and ``c`` candidates above, ``s * v`` gold pairs are expected among
    the ``c``, where ``s = (n_valid + n_test) / n_valid``. Counting every candidate that is no
    validation pair as wrong would take the test pairs for errors. Of equal F1 the larger
    thresholds win, those of equal modality first.

    Args:
        scores: Of ``score_pairs``.
        task: The pairs; of the test pairs only the number is read.
        inference: ``two-thresholds`` seeks one per class, ``one-threshold`` one for all pairs.
    """
    kinds = task.kinds(task.valid)
    intra, cross = _Class(scores, task, kinds, ("tt", "vv")), _Class(scores, task, kinds, ("tv",))
    if inference == "two-thresholds":
        n_above = intra.n_above[:, None] + cross.n_above[None, :]
        n_valid = intra.n_valid[:, None] + cross.n_valid[None, :]
        precision, recall, f1 = _expected(n_above, n_valid, task)
        first, second = np.unravel_index(int(np.argmax(f1)), f1.shape)
        values = float(intra.grid[first]), float(cross.grid[second])
        best: tuple[np.intp, ...] = (first, second)
    else:
        both = _Class(scores, task, kinds, PAIR_KINDS)
        precision, recall, f1 = _expected(both.n_above, both.n_valid, task)
        best = (np.argmax(f1),)
        values = float(both.grid[best]), float(both.grid[best])
    return Thresholds(*values, float(precision[best]), float(recall[best]), float(f1[best]))


class _Class:
    """The grid of one class of pairs, with the counts above each of its thresholds.

    Thresholds are quantiles of the largest scores. Where smaller scores were dropped, the
    smallest kept one is no threshold: dropped ones may equal it, and the count would be wrong.
    """

    def __init__(
        self,
        scores: CandidateScores,
        task: PairTask,
        valid_kinds: NDArray[np.str_],
        kinds: tuple[str, ...],
    ) -> None:
        top = np.sort(np.concatenate([scores.top[kind] for kind in kinds]))[::-1]
        top = top[: task.n_top]
        usable = top
        if len(top) < sum(scores.n_candidates[kind] for kind in kinds):
            usable = top[top > top[-1]]
        steps = np.linspace(0, len(usable) - 1, min(GRID_POINTS, len(usable)))
        self.grid = np.unique(usable[steps.round().astype(np.int64)])[::-1]
        if not len(usable):
            self.grid = np.array([np.inf])
        self.n_above = _n_above(top[::-1], self.grid)
        self.n_valid = _n_above(np.sort(scores.valid[np.isin(valid_kinds, kinds)]), self.grid)


def _n_above(ascending: Values, thresholds: Values) -> NDArray[np.int64]:
    """Number of values that reach each threshold."""
    return len(ascending) - np.searchsorted(ascending, thresholds, side="left")


def _expected(
    n_above: NDArray[np.int64], n_valid: NDArray[np.int64], task: PairTask
) -> tuple[Values, Values, Values]:
    """Expected precision, recall and F1, in the shape of the counts."""
    gold_per_valid = (len(task.valid) + len(task.test)) / len(task.valid)
    precision = np.minimum(1.0, gold_per_valid * n_valid / np.maximum(n_above, 1))
    recall = n_valid / len(task.valid)
    return precision, recall, _f1(precision, recall)


def _f1(precision: Values, recall: Values) -> Values:
    total = precision + recall
    found: Values = 2.0 * precision * recall / np.where(total > 0, total, 1.0)
    return found


def pair_metrics(
    scores: CandidateScores, task: PairTask, thresholds: Thresholds
) -> dict[str, tuple[float, int]]:
    """Precision, recall and F1 of the test pairs over all kinds and per kind.

    Args:
        scores: Of ``score_pairs``.
        task: The pairs.
        thresholds: Of ``choose_thresholds`` (other values may lie below the scores that were
            kept).

    Returns:
        Metric, such as ``f1`` or ``recall_tv``, to its value and the number of test pairs behind
        it. Nothing predicted gives 0 for all three; a kind without test pairs is left out.
    """
    valid_kinds, test_kinds = task.kinds(task.valid), task.kinds(task.test)
    counts = {}
    for kind in PAIR_KINDS:
        threshold, is_asked = thresholds.of_kind(kind), test_kinds == kind
        n_above = int((scores.top[kind] >= threshold).sum())
        n_valid = int((scores.valid[valid_kinds == kind] >= threshold).sum())
        n_right = int((scores.test[is_asked] >= threshold).sum())
        counts[f"_{kind}"] = (n_above - n_valid, n_right, int(is_asked.sum()))
    n_predicted, n_right, n_gold = (sum(column) for column in zip(*counts.values(), strict=True))
    found: dict[str, tuple[float, int]] = {}
    for suffix, numbers in {"": (n_predicted, n_right, n_gold), **counts}.items():
        values = _precision_recall_f1(*numbers)
        if numbers[2]:
            for metric, value in zip(("precision", "recall", "f1"), values, strict=True):
                found[metric + suffix] = (value, numbers[2])
    return found


def _precision_recall_f1(n_predicted: int, n_right: int, n_gold: int) -> tuple[float, float, float]:
    precision = n_right / n_predicted if n_predicted else 0.0
    recall = n_right / n_gold if n_gold else 0.0
    return precision, recall, float(_f1(np.array(precision), np.array(recall)))


def mean_true_scores(scores: CandidateScores, task: PairTask) -> dict[str, float]:
    """Mean score of the test pairs of equal (``intra``) and of different modality (``cross``)."""
    is_cross = task.kinds(task.test) == "tv"
    groups = {"intra": scores.test[~is_cross], "cross": scores.test[is_cross]}
    return {name: float(values.mean()) for name, values in groups.items() if len(values)}
