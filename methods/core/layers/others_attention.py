"""Multi-head attention from one vector of an entity to a few other vectors of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import Linear, NewLayer, xavier_normal


class OthersAttention(nn.Module):
    """Attention from one vector of an entity to its others, ``W_o [heads] + b``.

    Args:
        dim: Columns of every vector and of the output.
        n_heads: Heads.
        n_others: Vectors attended to; of a single one the softmax is 1, so that query and key have
            no influence and are left out.
        generator: CPU generator of the initial values.
        new_layer: Makes the output layer.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        n_others: int,
        generator: torch.Generator,
        new_layer: NewLayer = Linear,
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.value = nn.Parameter(xavier_normal((dim, dim), generator))
        self.output = new_layer(dim, dim, generator)
        n_projections = 2 if n_others > 1 else 0
        self.projections = nn.ParameterList(
            [nn.Parameter(xavier_normal((dim, dim), generator)) for _ in range(n_projections)]
        )

    def forward(self, own: Tensor, others: Tensor, kept: Tensor | None = None) -> Tensor:
        """Attended vectors, [n, dim].

        Args:
            own: What asks, [n, dim].
            others: Where keys and values come from, [n, k, dim].
            kept: Factors of the softmaxed weights (drop-out), [n, k, heads].
        """
        n, k, dim = others.shape
        width = dim // self.n_heads
        values = (others @ self.value).view(n, k, self.n_heads, width)
        if len(self.projections):
            to_query, to_key = self.projections
            query = (own @ to_query).view(n, 1, self.n_heads, width)
            keys = (others @ to_key).view(n, k, self.n_heads, width)
            logits = (query * keys).sum(dim=3, keepdim=True) / math.sqrt(width)
            values = torch.softmax(logits, dim=1) * values
        if kept is not None:
            values = values * kept.unsqueeze(3)
        mixed: Tensor = self.output(values.sum(dim=1).flatten(1))
        return mixed
