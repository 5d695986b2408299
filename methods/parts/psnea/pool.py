"""The incremental alignment pool: likely pairs that stay as long as they are mutual."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.similarity import CslsBlocks, ScoreMatrix, mutual_nearest_in


@dataclass(frozen=True, eq=False)
class Pool:
    """Likely pairs.

    Attributes:
        pairs: Joint ids, [n, 2].
        weights: How much each counts, between 0 and 1, [n].
    """

    pairs: Tensor
    weights: Tensor

    @classmethod
    def empty(cls) -> Pool:
        """No pairs."""
        return cls(torch.empty(0, 2, dtype=torch.int64), torch.empty(0))


def found_pool(embeddings: Embeddings, seed_pairs: Tensor, csls_k: int, *, weighted: bool) -> Pool:
    """Mutual nearest neighbours among the entities without a seed, by cosine and CSLS.

    A pair weighs ``(s - s_min) / (s_max - s_min)`` by its cosine ``s`` among those of the pool.

    Args:
        embeddings: Unit vectors of both KGs.
        seed_pairs: Joint ids, [n_seeds, 2].
        csls_k: Neighbourhood of CSLS.
        weighted: Otherwise every pair weighs 1.
    """
    n_source, n_target = len(embeddings.source), len(embeddings.target)
    free = torch.ones(n_source + n_target, dtype=torch.bool)
    free[seed_pairs.flatten().cpu()] = False
    sources = torch.nonzero(free[:n_source]).squeeze(1)
    targets = torch.nonzero(free[n_source:]).squeeze(1)
    if not len(sources) or not len(targets):
        return Pool.empty()
    source, target = embeddings.source[sources], embeddings.target[targets]
    blocks = CslsBlocks(ScoreMatrix(source, target, "cosine"), csls_k)
    mutual = mutual_nearest_in(blocks).cpu()
    cosines = (source[mutual[:, 0]] * target[mutual[:, 1]]).sum(dim=1).cpu()
    pairs = torch.stack([sources[mutual[:, 0]], targets[mutual[:, 1]] + n_source], dim=1)
    if not weighted or len(pairs) < 2:
        return Pool(pairs, torch.ones(len(pairs)))
    spread = (cosines.max() - cosines.min()).clamp_min(1e-12)
    return Pool(pairs, (cosines - cosines.min()) / spread)
