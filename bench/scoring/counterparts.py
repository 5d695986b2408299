"""How similar, modality by modality, an entity is to the counterparts that a method predicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mmea_bench.bench.scoring.evaluate import Ids, Scored
from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.similarity import ScoreBlocks, ScoreMatrix

JOINT = "joint"
N_COUNTERPARTS = 10


def counterpart_cosines(scored: Scored, links: Ids) -> dict[str, list[float]]:
    """Mean cosine of the test entities to their first ten predicted counterparts.

    Each set of vectors predicts for itself: the ten nearest candidates of an entity are the ones
    that lie nearest by that modality (Figure 3 of MCLEA, COLING 2022).

    Args:
        scored: What the method returned; scores of pairs have no joint vectors.
        links: Test links, [n_links, 2]; candidates are their targets.

    Returns:
        Modality (and ``joint``) to the mean cosine at rank 1, 2, ... 10; fewer for few candidates.
        Empty if the method exposes no vectors by modality.
    """
    return {name: _mean_top(scores) for name, scores in _cosines(scored, links)}


def _cosines(scored: Scored, links: Ids) -> Iterator[tuple[str, ScoreBlocks]]:
    """Cosines of the links' sources with their targets, one set of vectors after the other."""
    alignment = scored.alignment
    if not alignment.by_modality:
        return
    sources, targets = (
        torch.from_numpy(np.unique(links[:, side]).astype(np.int64)) for side in (0, 1)
    )

    def cosines(source: Tensor, target: Tensor) -> ScoreBlocks:
        return ScoreMatrix(source[sources.to(source.device)], target[targets.to(target.device)])

    for name, vectors in alignment.by_modality.items():
        yield name, cosines(*vectors)
    if isinstance(alignment, Embeddings):
        same_pairs = scored.shape == (len(sources), len(targets))
        is_ranked = alignment.similarity == "cosine" and same_pairs
        yield JOINT, scored.blocks if is_ranked else cosines(alignment.source, alignment.target)


def _mean_top(scores: ScoreBlocks) -> list[float]:
    size = min(N_COUNTERPARTS, scores.n_target)
    total = torch.zeros(size, dtype=torch.float64)
    for block in scores:
        total += block.scores.topk(size, dim=1).values.double().sum(dim=0).cpu()
    # Rounding can push the cosine of equal vectors past 1.
    return [float(value) for value in (total / scores.n_source).clamp(-1.0, 1.0)]
