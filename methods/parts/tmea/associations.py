"""What the modalities of an entity share: each one's attention over the two others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import xavier_linear
from mmea_bench.methods.core.layers.others_attention import OthersAttention
from mmea_bench.methods.core.siamese.modal_attention import TokenAttention

Pair = tuple[str, str]
"""A modality and one of the others."""


class Association(nn.Module):
    """``m' = w_0 m + sum_s w_s A_ms`` with s the other modalities and softmaxed w.

    Args:
        modalities: Names.
        dim: Columns of every vector.
        n_heads: Heads of each attention.
        over_others: Whether A asks with m and attends to all the others; else A is what the
            released code computes, attention of m over itself as a single token, through which
            nothing passes between modalities.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        dim: int,
        n_heads: int,
        generator: torch.Generator,
        *,
        over_others: bool,
    ) -> None:
        super().__init__()
        self.over_others = over_others
        self._others = {
            name: tuple(other for other in modalities if other != name) for name in modalities
        }
        self.attention = nn.ModuleDict(
            {
                f"{name} {other}": OthersAttention(
                    dim, n_heads, len(others), generator, xavier_linear
                )
                if over_others
                else TokenAttention(dim, n_heads, 1, generator)
                for name, others in self._others.items()
                for other in others
            }
        )
        self.logits = nn.ParameterDict(
            {name: torch.ones(1 + len(others)) for name, others in self._others.items()}
        )

    def attended(self, vectors: Mapping[str, Tensor]) -> dict[Pair, Tensor]:
        """``A_ms`` by (m, s), [n, dim] each.

        Args:
            vectors: Modality to [n, dim].
        """
        found = {}
        for name, others in self._others.items():
            own = vectors[name]
            asked = own
            if self.over_others:
                asked = torch.stack([vectors[other] for other in others], dim=1)
            for other in others:
                found[name, other] = self.attention[f"{name} {other}"](own, asked)
        return found

    def forward(
        self, vectors: Mapping[str, Tensor], attended: Mapping[Pair, Tensor]
    ) -> dict[str, Tensor]:
        """Modality to the enriched vectors ``m'``, [n, dim]."""
        enriched = {}
        for name, others in self._others.items():
            weights = torch.softmax(self.logits[name], dim=0)
            total = weights[0] * vectors[name]
            for weight, other in zip(weights[1:], others, strict=True):
                total = total + weight * attended[name, other]
            enriched[name] = total
        return enriched
