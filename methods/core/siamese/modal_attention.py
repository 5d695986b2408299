"""Attention between the modality vectors of one entity, cut into tokens.

An entity has one vector per modality, so there is nothing to attend to unless the vector is cut:
with ``n_tokens`` T the projected vectors become T tokens of ``dim / T`` columns. With T = 1 the
softmax runs over a single key and the attention is a linear map of the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import xavier_linear, xavier_normal


def token_attention(
    queries: Tensor, keys: Tensor, values: Tensor, n_tokens: int, n_heads: int = 1
) -> Tensor:
    """Scaled dot-product attention among the tokens of each row, [n, dim].

    Args:
        queries: Projected, [n, dim]; column ``t * dim / n_tokens`` begins token t, whose columns
            are divided among the heads.
        keys: As the queries.
        values: As the queries.
        n_tokens: Tokens per row.
        n_heads: Heads; logits are divided by the root of a head's columns.
    """
    if n_tokens == 1:
        return values  # the softmax over a single key is 1
    n, dim = values.shape
    width = dim // (n_tokens * n_heads)
    query, key, value = (
        rows.view(n, n_tokens, n_heads, width).transpose(1, 2) for rows in (queries, keys, values)
    )
    weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width), dim=3)
    return (weights @ value).transpose(1, 2).reshape(n, dim)


class TokenAttention(nn.Module):
    """Multi-head attention from one vector of an entity to another: ``W_o [heads] + b``.

    Args:
        dim: Columns of both vectors and of the output.
        n_heads: Heads.
        n_tokens: Tokens that a vector is cut into; ``dim`` must be a multiple of heads x tokens.
        generator: CPU generator of the initial values.

    Reference: CLAMEA, EMNLP Findings 2025, equations 1-3 and 20-22.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        n_tokens: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_heads, self.n_tokens = n_heads, n_tokens
        self.value = nn.Parameter(xavier_normal((dim, dim), generator))
        self.output = xavier_linear(dim, dim, generator)
        # A single token needs no query and no key: they would have no influence.
        n_projections = 0 if n_tokens == 1 else 2
        self.projections = nn.ParameterList(
            [nn.Parameter(xavier_normal((dim, dim), generator)) for _ in range(n_projections)]
        )

    def merged(self) -> Tensor:
        """Values and output in one matrix, [dim, dim]: all that one token's attention does."""
        return self.value @ self.output.weight

    def forward(self, query: Tensor, own: Tensor, *, residual: bool = False) -> Tensor:
        """Attended vectors, [n, dim].

        Args:
            query: What asks, [n, dim].
            own: Where keys and values come from, [n, dim].
            residual: Whether ``own`` is added to the result.
        """
        if self.n_tokens == 1:
            matrix = self.merged()
            return torch.addmm(self.output.bias, own, plus_identity(matrix) if residual else matrix)
        to_query, to_key = self.projections
        attended = token_attention(
            query @ to_query, own @ to_key, own @ self.value, self.n_tokens, self.n_heads
        )
        mixed: Tensor = self.output(attended)
        return own + mixed if residual else mixed


def plus_identity(matrix: Tensor) -> Tensor:
    """``I + M``, [dim, dim]: what adds a row's own vector to its product with M."""
    return matrix + torch.eye(len(matrix), device=matrix.device, dtype=matrix.dtype)


class ModalAssociation(nn.Module):
    """Cross-modal association extraction (CMAE): each modality plus its parts seen by the others.

    ``ĥ^m = w_m0 h^m + sum_s w_ms MH_ms(s, h^m)`` with s the other modalities and, where there are
    three, their fused vector; ``w`` is softmaxed over each row.

    Args:
        modalities: Names.
        dim: Columns of every vector.
        n_heads: Heads of each attention.
        n_tokens: Tokens of each vector.
        generator: CPU generator of the initial values.
        with_fused: Whether the fused vector of the two others takes part.
        values: ``own`` takes keys and values from h^m (paper), ``other`` from s, the only way for
            information to pass between modalities with a single token.

    Reference: CLAMEA, EMNLP Findings 2025, equations 20-22.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        dim: int,
        n_heads: int,
        n_tokens: int,
        generator: torch.Generator,
        *,
        with_fused: bool = True,
        values: Literal["own", "other"] = "own",
    ) -> None:
        super().__init__()
        self._sources = {
            name: [other for other in modalities if other != name]
            + ([FUSED] if with_fused and len(modalities) == 3 else [])
            for name in modalities
        }
        self.attention = nn.ModuleDict(
            {
                f"{name} {source}": TokenAttention(dim, n_heads, n_tokens, generator)
                for name, sources in self._sources.items()
                for source in sources
            }
        )
        self.logits = nn.ParameterDict(
            {name: torch.zeros(1 + len(sources)) for name, sources in self._sources.items()}
        )
        self._reversed = values == "other"
        self._linear = n_tokens == 1 and not self._reversed
        self.reads_fused = with_fused and len(modalities) == 3 and (self._reversed or n_tokens > 1)

    def forward(
        self, vectors: Mapping[str, Tensor], fused: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Modality to the enriched vectors ``ĥ``, [n, dim].

        Args:
            vectors: Modality to [n, dim].
            fused: Modality to the fused vector of the two others, [n, dim]; may be empty where
                ``reads_fused`` is false.
        """
        if self._linear:
            return {name: self._merged(name, vectors[name]) for name in self._sources}
        enriched = {}
        for name, sources in self._sources.items():
            weights = torch.softmax(self.logits[name], dim=0)
            total = weights[0] * vectors[name]
            for weight, source in zip(weights[1:], sources, strict=True):
                total = total + weight * self.attended(name, source, vectors, fused)
            enriched[name] = total
        return enriched

    def pairs(self, *, with_fused: bool) -> list[tuple[str, str]]:
        """Every modality with every source that it attends to; the fused ones where wanted."""
        return [
            (name, source)
            for name, sources in self._sources.items()
            for source in sources
            if with_fused or source != FUSED
        ]

    def attended(
        self, name: str, source: str, vectors: Mapping[str, Tensor], fused: Mapping[str, Tensor]
    ) -> Tensor:
        """``MH_ms(s, h^m)``, [n, dim], with arguments as in ``forward``."""
        own = vectors[name]
        # What asks has no influence where the fused vector is not read.
        unread = source == FUSED and not self.reads_fused
        other = own if unread else fused[name] if source == FUSED else vectors[source]
        ends = (own, other) if self._reversed else (other, own)
        part: Tensor = self.attention[f"{name} {source}"](*ends)
        return part

    def _merged(self, name: str, own: Tensor) -> Tensor:
        """Enriched vectors of single tokens: ``own (w_0 I + sum_s w_s M_s) + sum_s w_s b_s``."""
        parts = [
            cast(TokenAttention, self.attention[f"{name} {source}"])
            for source in self._sources[name]
        ]
        weights = torch.softmax(self.logits[name], dim=0)
        matrices = torch.stack([part.merged() for part in parts])
        biases = torch.stack([part.output.bias for part in parts])
        identity = torch.eye(own.shape[1], device=own.device, dtype=own.dtype)
        matrix = weights[0] * identity + torch.einsum("s,sij->ij", weights[1:], matrices)
        return torch.addmm(weights[1:] @ biases, own, matrix)


FUSED = "fused"
"""Name of the fused vector of two modalities among the sources of the third."""
