"""Seeds without seed links: the entities whose features are most alike."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.training.pseudo_seeds import most_similar_pairs


def seeds_among_present(vectors: Tensor, present: Tensor, n_source: int, n_pairs: int) -> Tensor:
    """The most similar pairs of entities that have the feature, as joint ids, [<= n_pairs, 2].

    Args:
        vectors: L2-normalised, [n_entities, dim].
        present: Which entities have it, [n_entities] bool on the CPU.
        n_source: Source entities.
        n_pairs: Pairs wanted.
    """
    source = torch.nonzero(present[:n_source]).squeeze(1)
    target = torch.nonzero(present[n_source:]).squeeze(1) + n_source
    n_pairs, device = min(n_pairs, len(source), len(target)), vectors.device
    pairs = most_similar_pairs(vectors[source.to(device)], vectors[target.to(device)], n_pairs)
    return torch.stack([source[pairs[:, 0]], target[pairs[:, 1]]], dim=1)
