"""RDGCN's negatives: the nearest entities of both graphs, by L1 distance."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.similarity import nearest_by_l2
from mmea_bench.methods.core.training.negatives import nearest_pair_negatives

_BLOCK_NUMBERS = 2_000_000
"""Differences that are in memory at once."""


class NearestStandIns:
    """The entities of both graphs that are nearest to the two ends of each pair.

    Nobody is left out: an entity is in its own list, and the partner may be.

    Args:
        pairs: (source, target) ids, [n_pairs, 2].
        k: Stand-ins of each end.
        pool: Nearest by Euclidean distance among which the nearest by L1 distance are looked for;
            0 looks at all. All L1 distances of DBP15K take 20 times as long.
        refresh_every: Epochs between two looks.
    """

    def __init__(self, pairs: Tensor, k: int, pool: int, refresh_every: int) -> None:
        self._pairs, self._k, self._pool = pairs, k, pool
        self._refresh_every = refresh_every
        self._found = torch.empty(0)

    def at(self, epoch: int, vectors: Tensor) -> Tensor:
        """Stand-ins for the targets (near the sources) and for the sources, [2, n_pairs, k] ids.

        Args:
            epoch: Counted from 1; epochs are asked for in their order.
            vectors: Current ones, [n_entities, dim]; no gradient passes.
        """
        if (epoch - 1) % self._refresh_every == 0:
            self._found = self._look(vectors.detach())
        return self._found

    def _look(self, vectors: Tensor) -> Tensor:
        k = min(self._k, len(vectors))
        if not 0 < self._pool < len(vectors):
            everyone = torch.arange(len(vectors), device=vectors.device)
            return nearest_pair_negatives(
                vectors,
                self._pairs,
                (everyone, everyone),
                k,
                "manhattan",
                near_partner=False,
                skip_partner=False,
            )
        sides = [nearest_in_pools(vectors, side, k, max(k, self._pool)) for side in self._pairs.T]
        return torch.stack(sides)


def nearest_in_pools(vectors: Tensor, queries: Tensor, k: int, pool: int) -> Tensor:
    """The nearest by L1 distance among the nearest by L2 distance, [n_queries, k] ids.

    Args:
        vectors: [n_entities, dim].
        queries: Entities whose neighbours are wanted, [n_queries].
        k: Neighbours of each.
        pool: Nearest by L2 distance among which they are looked for.
    """
    asked = vectors[queries]
    pools = nearest_by_l2(asked, vectors, pool)
    found = []
    rows = max(1, _BLOCK_NUMBERS // (pool * vectors.shape[1]))
    for members, origin in zip(torch.split(pools, rows), torch.split(asked, rows), strict=True):
        near = vectors.index_select(0, members.flatten()).view(*members.shape, -1)
        distances = torch.cdist(origin.unsqueeze(1), near, p=1.0).squeeze(1)
        closest = distances.topk(k, dim=1, largest=False, sorted=False).indices
        found.append(members.gather(1, closest))
    return torch.cat(found)
