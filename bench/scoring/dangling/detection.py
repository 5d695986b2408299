"""Dangling entities: declared by a threshold on the best score, which validation chooses.

The task is that of Sun, Chen and Hu, "Knowing the No-match: Entity Alignment with Dangling Cases",
ACL 2021: an aligner must also say which entities have no partner. The rules here are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmea_bench.bench.scoring.dangling.best_scores import BestScores, Sides, best_scores
from mmea_bench.datasets.core.model.graph import Ids
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.similarity import ScoreBlocks

DIRECTIONS = ("src2tgt", "tgt2src")


@dataclass(frozen=True, eq=False)
class DanglingTask:
    """What is known of partners: by the parts of a split.

    Attributes:
        split: Links, and dangling entities of either KG.
        known_links: Every anchor link, [n, 2].
    """

    split: Split
    known_links: Ids

    @property
    def directions(self) -> tuple[str, ...]:
        """Those whose asking KG has dangling entities to choose by and to test on."""
        split = self.split
        parts = zip(DIRECTIONS, split.valid_dangling, split.test_dangling, strict=True)
        has_links = len(split.valid_links) > 0
        return tuple(name for name, *ids in parts if has_links and all(map(len, ids)))

    @property
    def gap(self) -> str:
        """Why a direction has no numbers, in a sentence; "" where both have some."""
        if not len(self.split.valid_links):
            return (
                "dangling entities are not judged: all seed links train, and without validation "
                "links nothing chooses a threshold"
            )
        left_out = [name for name in DIRECTIONS if name not in self.directions]
        few = "too few dangling entities are known for a validation and a test part"
        return f"dangling entities are not judged {' and '.join(left_out)}: {few}" * bool(left_out)


@dataclass(frozen=True)
class Detection:
    """How the dangling entities of one KG were told.

    Attributes:
        threshold: Who has no better score than this has no partner; infinite declares everyone.
        metrics: By name, fractions.
        n_judged: Test entities behind them, with and without a partner.
    """

    threshold: float
    metrics: Mapping[str, float]
    n_judged: int


def detect(
    blocks: ScoreBlocks, scored: Sides, task: DanglingTask, csls_sizes: tuple[int, ...]
) -> dict[int, dict[str, Detection]]:
    """Neighbourhood size to direction to how its dangling entities were told.

    Args:
        blocks: Scores of all source entities that do not train with all such target entities.
        scored: Ids of these, row by row and column by column.
        task: Who has a partner.
        csls_sizes: Neighbours by which scores are rescaled; 0 takes them as they are.
    """
    of_sizes = best_scores(blocks, scored, csls_sizes)
    return {size: _detect(bests, task) for size, bests in of_sizes.items()}


def _detect(bests: tuple[BestScores, BestScores], task: DanglingTask) -> dict[str, Detection]:
    split, found = task.split, {}
    for side, best in enumerate(bests):
        if DIRECTIONS[side] not in task.directions:
            continue
        threshold = choose_threshold(
            best.of(np.unique(split.valid_links[:, side])).scores,
            best.of(split.valid_dangling[side]).scores,
        )
        matchable = best.of(np.unique(split.test_links[:, side]))
        dangling = best.of(split.test_dangling[side])
        is_right = _is_partner(matchable, task.known_links, side)
        metrics = detection_metrics(
            matchable.scores <= threshold, dangling.scores <= threshold, is_right
        )
        n_judged = len(matchable.scores) + len(dangling.scores)
        found[DIRECTIONS[side]] = Detection(threshold, metrics, n_judged)
    return found


def by_way(found: Mapping[str, Detection]) -> dict[tuple[str, str], tuple[float, int]]:
    """(Metric, direction) to value and number of entities; with the mean where both are there."""
    ways = {
        (metric, direction): (value, each.n_judged)
        for direction, each in found.items()
        for metric, value in each.metrics.items()
    }
    if len(found) == len(DIRECTIONS):
        both = list(found.values())
        for metric in both[0].metrics:
            mean = sum(each.metrics[metric] for each in both) / len(both)
            ways[metric, "mean"] = mean, sum(each.n_judged for each in both)
    return ways


def threshold_note(found: Mapping[str, Detection], csls_size: int) -> str:
    """The thresholds in words."""
    thresholds = ", ".join(f"{each.threshold:.4g} {direction}" for direction, each in found.items())
    return f"csls={csls_size}: dangling is whose best score is no better than {thresholds}"


def choose_threshold(matchable: NDArray[np.float64], dangling: NDArray[np.float64]) -> float:
    """The threshold with the best F1 of the entities with no better score as dangling ones.

    Thresholds tried lie halfway between neighbouring scores; the last one is infinite. Of equally
    good ones the lowest is taken, which declares the fewest.

    Args:
        matchable: Best scores of entities with a partner.
        dangling: Best scores of entities without one, at least one.
    """
    scores = np.unique(np.concatenate([matchable, dangling]))
    tried = np.append((scores[:-1] + scores[1:]) / 2, np.inf)
    n_right = np.searchsorted(np.sort(dangling), tried, side="right")
    n_wrong = np.searchsorted(np.sort(matchable), tried, side="right")
    f1 = 2 * n_right / (n_right + n_wrong + len(dangling))
    return float(tried[np.argmax(f1)])


def detection_metrics(
    matchable_declared: NDArray[np.bool_],
    dangling_declared: NDArray[np.bool_],
    is_right: NDArray[np.bool_],
) -> dict[str, float]:
    """Precision, recall and F1 of the declared entities, and the share of all that are right.

    Args:
        matchable_declared: Whether each test entity with a partner is declared dangling.
        dangling_declared: The same of those without one.
        is_right: Whether the best candidate of each one with a partner is its partner.
    """
    n_right = dangling_declared.sum()
    n_declared = n_right + matchable_declared.sum()
    n_dangling, n_matchable = len(dangling_declared), len(matchable_declared)
    n_hits = (is_right & ~matchable_declared).sum()
    return {
        "dangling_precision": float(n_right / n_declared) if n_declared else 0.0,
        "dangling_recall": float(n_right / n_dangling),
        "dangling_f1": float(2 * n_right / (n_declared + n_dangling)),
        "consolidated_hits@1": float((n_right + n_hits) / (n_dangling + n_matchable)),
    }


def _is_partner(best: BestScores, known_links: Ids, side: int) -> NDArray[np.bool_]:
    """Whether each best candidate is a known partner; a tie with another candidate is none."""
    known = known_links.astype(np.int64)
    base = 1 + int(max(known[:, 1 - side].max(), best.candidates.max(initial=0)))
    codes = known[:, side] * base + known[:, 1 - side]
    return best.is_sole & np.isin(best.entities * base + best.candidates, codes)
