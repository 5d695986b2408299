"""A small transformer over the modality vectors of one entity, as in MEAformer.

The modalities of an entity are its tokens, without order or type: attention asks how much they
agree. Entities do not see each other, so that any choice of rows gives those rows' vectors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from mmea_bench.methods.core.layers.encoders import Linear

_NORM_EPS = 1e-12
_MASKED = -1e9
"""Logit of a lacking token; finite, so that a row without any token stays free of NaN."""


class Dropout:
    """Dropout whose masks are drawn on the CPU, so that every device drops the same numbers.

    Args:
        rate: Share of the numbers set to zero; the others are divided by ``1 - rate``.
        generator: CPU generator of the masks.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        self._keep, self._generator = 1 - rate, generator

    def __call__(self, values: Tensor) -> Tensor:
        """Some of the values set to zero, the others scaled up; same shape."""
        if self._keep == 1:
            return values
        mask = torch.empty(values.shape).bernoulli_(self._keep, generator=self._generator)
        return values * mask.to(values.device).div_(self._keep)


class ModalityTransformerLayer(nn.Module):
    """Post-norm transformer layer: self-attention, then a feed-forward part where it has one.

    Args:
        dim: Columns of the tokens, divisible by the number of heads.
        n_heads: Attention heads.
        feed_forward_dim: Hidden columns of the feed-forward part (exact GELU); 0 leaves it out.
        generator: CPU generator of the initial values.

    Reference: the layer of BERT (Devlin et al. 2019), as MEAformer (ACM MM 2023) uses it.
    """

    def __init__(
        self, dim: int, n_heads: int, feed_forward_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._n_heads = n_heads
        self.query, self.key, self.value, self.output = (
            Linear(dim, dim, generator) for _ in range(4)
        )
        self.attention_norm = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.hidden: Linear | None = None
        if feed_forward_dim:
            self.hidden = Linear(dim, feed_forward_dim, generator)
            self.contraction = Linear(feed_forward_dim, dim, generator)
            self.norm = nn.LayerNorm(dim, eps=_NORM_EPS)

    def forward(
        self, tokens: Tensor, present: Tensor | None = None, dropout: Dropout | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens after the layer, and who attended to whom.

        Args:
            tokens: [n, n_tokens, dim].
            present: Which tokens exist, [n, n_tokens] bool; None where all do. Nobody attends to
                a token that does not.
            dropout: On attention probabilities and both parts' outputs; None in evaluation.

        Returns:
            [n, n_tokens, dim] and probabilities [n, n_heads, n_tokens (from), n_tokens (to)],
            after dropout.
        """
        queries, keys, values = (
            self._by_head(part(tokens)) for part in (self.query, self.key, self.value)
        )
        logits = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        if present is not None:
            logits = logits.masked_fill(~present[:, None, None, :], _MASKED)
        probabilities = _dropped(torch.softmax(logits, dim=3), dropout)
        attended = (probabilities @ values).transpose(1, 2).reshape(tokens.shape)
        tokens = self.attention_norm(tokens + _dropped(self.output(attended), dropout))
        if self.hidden is not None:
            change = self.contraction(gelu(self.hidden(tokens)))
            tokens = self.norm(tokens + _dropped(change, dropout))
        return tokens, probabilities

    def _by_head(self, tokens: Tensor) -> Tensor:
        n_rows, n_tokens, dim = tokens.shape
        shape = (n_rows, n_tokens, self._n_heads, dim // self._n_heads)
        return tokens.reshape(shape).transpose(1, 2)


class ModalityTransformer(nn.Module):
    """Layers of ``ModalityTransformerLayer``.

    Args:
        dim: Columns of the tokens.
        n_layers: Layers.
        n_heads: Heads of each layer.
        feed_forward_dim: See the layer.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        dim: int,
        n_layers: int,
        n_heads: int,
        feed_forward_dim: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ModalityTransformerLayer(dim, n_heads, feed_forward_dim, generator)
            for _ in range(n_layers)
        )

    def forward(
        self, tokens: Tensor, present: Tensor | None = None, dropout: Dropout | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens after all layers and the weight of each modality.

        Args:
            tokens: [n, n_modalities, dim].
            present: Which tokens exist, [n, n_modalities] bool; None where all do.
            dropout: None in evaluation.

        Returns:
            [n, n_modalities, dim] and weights [n, n_modalities] out of the last layer.
        """
        for layer in self.layers:
            tokens, probabilities = layer(tokens, present, dropout)
        return tokens, modality_weights(probabilities, present)


def modality_weights(probabilities: Tensor, present: Tensor | None = None) -> Tensor:
    """How much attention each modality receives from all of them, as weights, [n, n_modalities].

    ``c_im = sum_k sum_q P_ikqm / sqrt(M H)`` with M modalities and H heads, then a softmax over m.

    Args:
        probabilities: [n, n_heads, n_modalities (from), n_modalities (to)].
        present: Which modalities exist, [n, n_modalities] bool; the others neither ask nor weigh.

    Reference: MEAformer (ACM MM 2023), as the released code computes it.
    """
    _, n_heads, n_modalities, _ = probabilities.shape
    if present is None:
        received = probabilities.sum(dim=(1, 2)) / math.sqrt(n_modalities * n_heads)
        return torch.softmax(received, dim=1)
    received = (probabilities * present[:, None, :, None]).sum(dim=(1, 2))
    own = present.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.softmax(
        (received / torch.sqrt(own * n_heads)).masked_fill(~present, _MASKED), dim=1
    )


def weighted_concatenation(vectors: list[Tensor], weights: Tensor) -> Tensor:
    """Joint vectors with one weight per entity and modality, [n, n_modalities * dim].

    Args:
        vectors: L2-normalised vectors of each modality (zero rows allowed), [n, dim] each.
        weights: [n, n_modalities].
    """
    return torch.cat(
        [weights[:, position, None] * part for position, part in enumerate(vectors)], dim=1
    )


def _dropped(values: Tensor, dropout: Dropout | None) -> Tensor:
    return values if dropout is None else dropout(values)
