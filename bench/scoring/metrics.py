"""Ranks -> Hits@k, MRR and mean rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

HITS_AT: Final = (1, 5, 10)


def metrics_of_ranks(
    ranks: NDArray[np.float64], hits_at: Sequence[int] = HITS_AT
) -> dict[str, float]:
    """Metrics of the ranks of the true partners.

    Args:
        ranks: Rank of each true partner, counted from 1; ties may give halves, [n_links].
        hits_at: Which Hits@k.

    Returns:
        Hits@k and MRR as fractions, ``mean_rank`` as a rank. A tied rank of 1.5 counts for
        Hits@2, not for Hits@1.

    Raises:
        ValueError: If there are no ranks, or a rank is below 1.
    """
    if not len(ranks) or not np.all(ranks >= 1):
        raise ValueError("metrics need at least one rank, and ranks of 1 or more")
    values = {f"hits@{k}": float(np.mean(ranks <= k)) for k in hits_at}
    values["mrr"] = float(np.mean(1.0 / ranks))
    values["mean_rank"] = float(np.mean(ranks))
    return values


def certain_hits(n_candidates: int) -> tuple[str, ...]:
    """Metrics that are 1 whatever the scores: Hits@k among no more than k candidates."""
    return tuple(f"hits@{k}" for k in HITS_AT if n_candidates <= k)


def certain_notes(n_source: int, n_target: int) -> tuple[str, ...]:
    """Sentences on the metrics that cannot be missed because there are so few candidates.

    Args:
        n_source: Source entities that are ranked, the candidates target to source.
        n_target: The same of target entities, the candidates source to target.
    """
    if n_source == n_target:
        counted = {f"{n_target} candidates": n_target}
    else:
        counted = {f"{n_target} targets": n_target, f"{n_source} sources": n_source}
    return tuple(
        f"among {words} {' and '.join(certain)} cannot be missed"
        for words, n in counted.items()
        if (certain := certain_hits(n))
    )


def by_direction(
    src2tgt: NDArray[np.float64],
    tgt2src: NDArray[np.float64],
    hits_at: Sequence[int] = HITS_AT,
) -> dict[str, dict[str, float]]:
    """Metrics of both directions and their mean: direction -> metric -> value."""
    forward, backward = (metrics_of_ranks(ranks, hits_at) for ranks in (src2tgt, tgt2src))
    mean = {metric: (forward[metric] + backward[metric]) / 2 for metric in forward}
    return {"src2tgt": forward, "tgt2src": backward, "mean": mean}
