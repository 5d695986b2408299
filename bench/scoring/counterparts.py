"""How similar, modality by modality, an entity is to the counterparts that a method predicts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.bench.scoring.evaluate import Ids
from mmea_bench.methods.core.base import Alignment, Embeddings
from mmea_bench.methods.core.similarity import ScoreMatrix

JOINT = "joint"
N_COUNTERPARTS = 10


def counterpart_cosines(alignment: Alignment, links: Ids) -> dict[str, list[float]]:
    """Mean cosine of the test entities to their first ten predicted counterparts.

    Each set of vectors predicts for itself: the ten nearest candidates of an entity are the ones
    that lie nearest by that modality (Figure 3 of MCLEA, COLING 2022).

    Args:
        alignment: What the method returned; scores of pairs have no joint vectors.
        links: Test links, [n_links, 2]; candidates are their targets.

    Returns:
        Modality (and ``joint``) to the mean cosine at rank 1, 2, ... 10; fewer for few candidates.
        Empty if the method exposes no vectors by modality.
    """
    vectors = dict(alignment.by_modality)
    if not vectors:
        return {}
    if isinstance(alignment, Embeddings):
        vectors[JOINT] = (alignment.source, alignment.target)
    sources, targets = (
        torch.from_numpy(np.unique(links[:, side]).astype(np.int64)) for side in (0, 1)
    )
    return {
        name: _mean_top(source[sources.to(source.device)], target[targets.to(target.device)])
        for name, (source, target) in vectors.items()
    }


def _mean_top(source: Tensor, target: Tensor) -> list[float]:
    size = min(N_COUNTERPARTS, len(target))
    total = torch.zeros(size, dtype=torch.float64)
    for block in ScoreMatrix(normalize(source, dim=1), normalize(target, dim=1), "inner"):
        total += block.scores.topk(size, dim=1).values.double().sum(dim=0).cpu()
    # Rounding can push the cosine of equal vectors past 1.
    return [float(value) for value in (total / len(source)).clamp(-1.0, 1.0)]
