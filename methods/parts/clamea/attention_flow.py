"""Fusion of an entity's vectors under its own weights; attention flow between two modalities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.layers.encoders import xavier_linear, xavier_normal
from mmea_bench.methods.core.siamese.modal_attention import token_attention

FusionRule = Literal["Cat", "Wcat", "Dcat", "Wsum", "Dsum"]
"""Concatenation or sum; plain, under learned weights (W) or under weights per entity (D)."""


class DynamicWeights(nn.Module):
    """Weight of each of an entity's vectors: how much attention it receives from all of them.

    With ``β_jm`` the softmax over m of ``Q_j K_m / sqrt(width)`` of one head, vector m weighs
    ``softmax_m(sum_j sum_heads β_jm / sqrt(M n_heads))``.

    Args:
        dim: Columns of the vectors, a multiple of ``n_heads``.
        n_heads: Heads.
        generator: CPU generator of the initial values.

    Reference: CLAMEA, EMNLP Findings 2025, equations 33-34, after MEAformer. As printed, the sum
    runs over what m gives, which is 1 for every m; MEAformer sums what m receives.
    """

    def __init__(self, dim: int, n_heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self._n_heads = n_heads
        self.query, self.key = (
            nn.Parameter(xavier_normal((dim, dim), generator)) for _ in range(2)
        )

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """Weights, [n, M], of M vectors, [n, dim] each."""
        if len(vectors) == 2:
            return self._of_two(*vectors)
        rows = torch.stack(list(vectors), dim=1)  # [n, M, dim]
        n, size, dim = rows.shape
        heads = (n, size, self._n_heads, dim // self._n_heads)
        query = (rows @ self.query).view(heads).transpose(1, 2)
        key = (rows @ self.key).view(heads).transpose(1, 2)
        share = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(heads[3]), dim=3)
        received = share.sum(dim=(1, 2))  # over heads and givers, [n, M]
        return torch.softmax(received / math.sqrt(size * self._n_heads), dim=1)

    def _of_two(self, first: Tensor, second: Tensor) -> Tensor:
        """The same for two vectors, whose softmaxes are sigmoids of differences."""
        heads = (len(first), self._n_heads, -1)
        key = (first - second) @ self.key
        width = key.shape[1] // self._n_heads
        gaps = torch.cat(
            [(rows @ self.query * key).view(heads).sum(dim=2) for rows in (first, second)], dim=1
        )
        # The two receive 2 n_heads altogether.
        lead = 2 * torch.sigmoid(gaps / math.sqrt(width)).sum(dim=1) - 2 * self._n_heads
        share = torch.sigmoid(lead / math.sqrt(2 * self._n_heads))
        return torch.stack([share, 1 - share], dim=1)


class VectorFusion(nn.Module):
    """One vector out of M under one of five rules.

    Args:
        rule: See ``FusionRule``.
        size: M.
        dim: Columns of each vector.
        n_heads: Heads of the entity weights.
        generator: CPU generator of the initial values.
        keep_dim: Whether a concatenation is brought back to ``dim`` columns by a linear layer.

    Reference: CLAMEA, EMNLP Findings 2025, equations 15, 19 and 26, Figure 8.
    """

    def __init__(
        self,
        rule: FusionRule,
        size: int,
        dim: int,
        n_heads: int,
        generator: torch.Generator,
        *,
        keep_dim: bool,
    ) -> None:
        super().__init__()
        self._concatenates = rule.endswith("cat") or rule == "Cat"
        self.dynamic = DynamicWeights(dim, n_heads, generator) if rule[0] == "D" else None
        self.logits = nn.Parameter(torch.zeros(size)) if rule[0] == "W" else None
        projects = keep_dim and self._concatenates
        self.linear = xavier_linear(size * dim, dim, generator) if projects else None

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """The fused vector, [n, dim] or, for a concatenation without linear layer, [n, M dim]."""
        if self.dynamic is not None:
            columns = self.dynamic(vectors).unsqueeze(2).unbind(1)  # M of [n, 1]
            vectors = [column * rows for column, rows in zip(columns, vectors, strict=True)]
        elif self.logits is not None:
            weights = torch.softmax(self.logits, dim=0)
            vectors = [weight * rows for weight, rows in zip(weights, vectors, strict=True)]
        if not self._concatenates:
            return sum(vectors[1:], start=vectors[0])
        joined = torch.cat(list(vectors), dim=1)
        return joined if self.linear is None else self.linear(joined)


class AttentionFlow(nn.Module):
    """Dynamic modal attention flow fusion (DMAFF) of two modalities A and B.

    Each first takes in what attention brings from the other (inter-modal flow), then attends to
    itself with queries and keys scaled by ``1 + G``, the gate G coming from the other (intra-modal
    flow); the results are fused.

    Args:
        dim: Columns of both vectors.
        n_tokens: Tokens of each vector; the attention has one head.
        fusion: Makes one vector of the two.
        generator: CPU generator of the initial values.
        flows: False fuses the two vectors as they are.
        gated: False sets G to 0.

    Reference: CLAMEA, EMNLP Findings 2025, equations 4-15.
    """

    def __init__(
        self,
        dim: int,
        n_tokens: int,
        fusion: VectorFusion,
        generator: torch.Generator,
        *,
        flows: bool = True,
        gated: bool = True,
    ) -> None:
        super().__init__()
        self.fusion, self._flows = fusion, flows
        width = dim // n_tokens
        self.sides = nn.ModuleList(
            [_FlowSide(dim, n_tokens, generator) for _ in range(2)] if flows else []
        )
        # With one token neither queries, keys nor gates have any influence.
        has_gates = flows and gated and n_tokens > 1
        self.gates = nn.ModuleList(
            [xavier_linear(width, width, generator) for _ in range(2)] if has_gates else []
        )
        self._n_tokens = n_tokens

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The fused vector of A and B, [n, dim] each."""
        if not self._flows:
            return self._fused(first, second)
        side_a, side_b = (cast(_FlowSide, side) for side in self.sides)
        if self._n_tokens == 1:
            return self._fused(*self._linear(first, second, side_a, side_b))
        taken_a = side_a.take_in(first, second, side_b)
        taken_b = side_b.take_in(second, first, side_a)
        scales: list[Tensor | None] = [None, None]
        if len(self.gates):
            others = (taken_b, taken_a)
            scales = [1 + self.gate(index, other) for index, other in enumerate(others)]
        return self._fused(side_a.intra(taken_a, scales[0]), side_b.intra(taken_b, scales[1]))

    @staticmethod
    def _linear(
        first: Tensor, second: Tensor, side_a: _FlowSide, side_b: _FlowSide
    ) -> tuple[Tensor, ...]:
        """Both flows of single tokens: one product of ``[A; B]`` with the merged matrices."""
        (own_a, other_a, bias_a), (own_b, other_b, bias_b) = (
            side_a.merged(side_b),
            side_b.merged(side_a),
        )
        matrix = torch.cat([torch.cat([own_a, other_a]), torch.cat([other_b, own_b])], dim=1)
        joined = torch.cat([first, second], dim=1)
        return torch.addmm(torch.cat([bias_a, bias_b]), joined, matrix).chunk(2, dim=1)

    def _fused(self, first: Tensor, second: Tensor) -> Tensor:
        fused: Tensor = self.fusion([first, second])
        return fused

    def gate(self, index: int, other: Tensor) -> Tensor:
        """G of side ``index``, one value per token column repeated over tokens, [n, dim].

        Args:
            index: 0 for A, 1 for B.
            other: What the other modality became in the inter-modal flow, [n, dim].
        """
        pooled = other.view(len(other), self._n_tokens, -1).mean(dim=1)  # [n, dim / T]
        return torch.sigmoid(self.gates[index](pooled)).repeat(1, self._n_tokens)


class _FlowSide(nn.Module):
    """Projections of one of the two modalities."""

    def __init__(self, dim: int, n_tokens: int, generator: torch.Generator) -> None:
        super().__init__()
        self._n_tokens = n_tokens

        def projections(count: int) -> nn.ParameterList:
            matrices = [nn.Parameter(xavier_normal((dim, dim), generator)) for _ in range(count)]
            return nn.ParameterList(matrices)

        # Values, then queries and keys, which a single token does not need.
        count = 1 if n_tokens == 1 else 3
        self.inter, self.within = projections(count), projections(count)
        self.join = xavier_linear(2 * dim, dim, generator)
        self.out = xavier_linear(dim, dim, generator)

    def merged(self, other_side: _FlowSide) -> tuple[Tensor, Tensor, Tensor]:
        """Matrices for own and other vectors, [dim, dim], and bias of both flows, one token."""
        intra = self.out.weight + self.within[0] @ self.out.weight
        for_own, for_values = self.join.weight.chunk(2)
        other = (other_side.inter[0] @ for_values) @ intra
        return for_own @ intra, other, self.join.bias @ intra + self.out.bias

    def take_in(self, own: Tensor, other: Tensor, other_side: _FlowSide) -> Tensor:
        """Equations 4-7: ``Lin [own; Att(Q_own, K_other, V_other)]``, [n, dim]."""
        queries, keys = own @ self.inter[1], other @ other_side.inter[2]
        values = token_attention(queries, keys, other @ other_side.inter[0], self._n_tokens)
        taken: Tensor = self.join(torch.cat([own, values], dim=1))
        return taken

    def intra(self, taken: Tensor, scale: Tensor | None) -> Tensor:
        """Equations 10-14: ``Lin(taken + Att(scale Q, scale K, V))``, [n, dim]."""
        value = self.within[0]
        queries, keys = taken @ self.within[1], taken @ self.within[2]
        if scale is not None:
            queries, keys = scale * queries, scale * keys
        flown: Tensor = self.out(
            taken + token_attention(queries, keys, taken @ value, self._n_tokens)
        )
        return flown
