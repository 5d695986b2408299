"""The margin loss of RREA and MRAEA: as many rows as there are entities, one stand-in each."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.methods.core.losses.listed_distances import listed_distances


def tiled_margin_loss(vectors: Tensor, pairs: Tensor, stand_ins: Tensor, margin: float) -> Tensor:
    """``[gamma + |s - t| - |s - t'|]+ + [gamma + |s - t| - |s' - t|]+``, mean over the rows.

    The pairs are repeated one after the other until the rows are full, so that some stand in one
    row more than others.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [n_pairs, 2].
        stand_ins: For the targets and for the sources, [2, n_rows] ids.
        margin: gamma.

    Reference: Mao et al., RREA, CIKM 2020, equation 10; released code.
    """
    row_of = torch.arange(stand_ins.shape[1], device=pairs.device) % len(pairs)
    own = (vectors[pairs[:, 0]] - vectors[pairs[:, 1]]).abs().sum(dim=1)
    own = own.index_select(0, row_of)
    loss = vectors.new_zeros(())
    for anchors, others in zip(pairs.T, stand_ins, strict=True):
        away = listed_distances(vectors, anchors[row_of], others.unsqueeze(1)).squeeze(1)
        loss = loss + relu(margin + own - away).sum()
    return loss / len(row_of)
