"""Attention between the modality vectors of one entity, cut into tokens.

An entity has one vector per modality, so there is nothing to attend to unless the vector is cut:
with ``n_tokens`` T the projected vectors become T tokens of ``dim / T`` columns. With T = 1 the
softmax runs over a single key and the attention is a linear map of the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import Linear, xavier_normal


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

    def __init__(self, dim: int, n_heads: int, n_tokens: int, generator: torch.Generator) -> None:
        super().__init__()
        self.n_heads, self.n_tokens = n_heads, n_tokens
        self.value = nn.Parameter(xavier_normal((dim, dim), generator))
        self.output = Linear(dim, dim, generator)
        # A single token needs no query and no key: they would have no influence.
        n_projections = 0 if n_tokens == 1 else 2
        self.projections = nn.ParameterList(
            [nn.Parameter(xavier_normal((dim, dim), generator)) for _ in range(n_projections)]
        )

    def merged(self) -> Tensor:
        """Values and output in one matrix, [dim, dim]: all that one token's attention does."""
        return self.value @ self.output.weight

    def forward(self, query: Tensor, own: Tensor) -> Tensor:
        """Attended vectors, [n, dim].

        Args:
            query: What asks, [n, dim].
            own: Where keys and values come from, [n, dim].
        """
        if self.n_tokens == 1:
            return own @ self.merged() + self.output.bias
        to_query, to_key = self.projections
        attended = token_attention(
            query @ to_query, own @ to_key, own @ self.value, self.n_tokens, self.n_heads
        )
        mixed: Tensor = self.output(attended)
        return mixed


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
    ) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
        """Enriched vectors, and the attended vector of each ordered pair.

        Args:
            vectors: Modality to [n, dim].
            fused: Modality to the fused vector of the two others, [n, dim]; may be empty where
                ``reads_fused`` is false.

        Returns:
            Modality to ``ĥ``, [n, dim]; (modality, source) to ``MH``, [n, dim], the fused source
            being called ``FUSED``.
        """
        enriched, attended = {}, {}
        for name, sources in self._sources.items():
            own, weights = vectors[name], torch.softmax(self.logits[name], dim=0)
            if self._linear:
                parts = self._all_of(name, own)
            else:
                others = dict(vectors)
                # What asks has no influence where the fused vector is not read.
                others[FUSED] = fused[name] if self.reads_fused else own
                parts = [self._part(name, source, own, others[source]) for source in sources]
            total = weights[0] * own
            for weight, part in zip(weights[1:], parts, strict=True):
                total = total + weight * part
            attended.update({(name, s): part for s, part in zip(sources, parts, strict=True)})
            enriched[name] = total
        return enriched, attended

    def _part(self, name: str, source: str, own: Tensor, other: Tensor) -> Tensor:
        ends = (own, other) if self._reversed else (other, own)
        part: Tensor = self.attention[f"{name} {source}"](*ends)
        return part

    def _all_of(self, name: str, own: Tensor) -> Sequence[Tensor]:
        """What every attention makes of a single token: one product with all merged matrices."""
        parts = [
            cast(TokenAttention, self.attention[f"{name} {source}"])
            for source in self._sources[name]
        ]
        bias = torch.cat([part.output.bias for part in parts])
        matrix = torch.cat([part.merged() for part in parts], dim=1)
        return torch.addmm(bias, own, matrix).chunk(len(parts), dim=1)


FUSED = "fused"
"""Name of the fused vector of two modalities among the sources of the third."""
