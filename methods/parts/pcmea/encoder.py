"""PCMEA's encoder: MCLEA's encoders of each modality, with attention adapters behind three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.layers.encoders import Linear, normal_parameter
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders
from mmea_bench.methods.core.layers.others_attention import OthersAttention
from mmea_bench.methods.core.layers.reflection_encoder import dropped
from mmea_bench.methods.parts.pcmea.texts import TEXT_OF

GRAPH_TOKENS = ("structure", "relation", "attribute", "image")
"""What the structure vector attends to, itself among them."""


@dataclass(frozen=True)
class AdapterParams:
    """Parameters of the adapters; see ``PCMEAParams``."""

    attention: Literal["tokens", "itself", "single", "none"]
    attention_heads: int
    bottleneck: int
    dropout: float


class TokenAdapter(nn.Module):
    """Attention of a vector over itself and others of its entity, and a small network after it.

    With tokens ``u + drop(att(LN u; LN [u, others]))``, then ``u + network(u)``; ``itself`` leaves
    the others out. As released there is a single token as well, but other sums: ``2 u + drop(att(LN
    u))``, or for structure ``u + LN u + drop(att(LN u))`` and then ``2 u + network(u)``.

    Args:
        dims: Columns by token, the own one first.
        params: Form, heads and drop-out.
        is_graph: Whether it is the adapter of structure: its network has a bottleneck and starts as
            zero, others' is ``drop(relu(W u))`` followed by a second layer.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        params: AdapterParams,
        *,
        is_graph: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        own, *others = dims
        dim, self._dropout = dims[own], params.dropout
        self._own, self._is_graph, self._released = own, is_graph, params.attention == "single"
        self._others = tuple(others) if params.attention == "tokens" else ()
        self.norm = nn.LayerNorm(dim)
        self.projected = nn.ModuleDict(
            {name: Linear(dims[name], dim, generator) for name in self._others if dims[name] != dim}
        )
        n_tokens = 1 + len(self._others)
        self.attention = OthersAttention(dim, params.attention_heads, n_tokens, generator)
        self.inner = Linear(dim, params.bottleneck if is_graph else dim, generator)
        self.outer = Linear(params.bottleneck if is_graph else dim, dim, generator)
        if is_graph:
            self.outer.weight = normal_parameter(tuple(self.outer.weight.shape), 0.0, generator)
            self.outer.bias = normal_parameter((dim,), 0.0, generator)

    def forward(self, vectors: Mapping[str, Tensor], noise: torch.Generator | None) -> Tensor:
        """The adapted vectors, [n, dim].

        Args:
            vectors: Modality to [n, its dim].
            noise: CPU generator of the drop-outs; None drops nothing.
        """
        own = vectors[self._own]
        normed = self.norm(own)
        tokens = [normed]
        for name in self._others:
            token = vectors[name]
            if name in self.projected:
                token = self.projected[name](token)
            tokens.append(self.norm(token))
        stacked = torch.stack(tokens, dim=1)
        shape = (*stacked.shape[:2], self.attention.n_heads)
        kept = None if noise is None else self._drop(torch.ones(shape, device=own.device), noise)
        attended = self._drop(self.attention(normed, stacked, kept), noise)
        if not self._released:
            found = own + attended
            return found + self._network(found, noise)
        found = (own + normed if self._is_graph else 2 * own) + attended
        return (2 * found if self._is_graph else found) + self._network(found, noise)

    def _network(self, vectors: Tensor, noise: torch.Generator | None) -> Tensor:
        mapped: Tensor = self.outer(self._drop(relu(self.inner(vectors)), noise))
        return mapped

    def _drop(self, vectors: Tensor, noise: torch.Generator | None) -> Tensor:
        return vectors if noise is None else dropped(vectors, self._dropout, noise)


class AdaptedEncoder(nn.Module):
    """Per-modality encoders, adapters, and fusion by global weights.

    Args:
        encoders: One vector per modality.
        dims: Their columns.
        params: Of the adapters.
        ctx: Generators.
    """

    def __init__(
        self,
        encoders: ModalityEncoders,
        dims: Mapping[str, int],
        params: AdapterParams,
        ctx: RunContext,
    ) -> None:
        super().__init__()
        self.encoders, self.graph = encoders, encoders.graph
        self.modalities = encoders.modalities
        self.fusion = WeightedConcatenation(self.modalities)
        self._noise, generator = ctx.generator("drop-out"), ctx.generator("initial adapters")
        self.adapters = nn.ModuleDict()
        if params.attention == "none":
            return
        for name in self.modalities:
            tokens = [name]
            if name == "structure":
                tokens += [each for each in GRAPH_TOKENS[1:] if each in self.modalities]
            elif name in TEXT_OF:
                tokens += [each for each in (TEXT_OF[name],) if each in self.modalities]
            else:
                continue
            sizes = {each: dims[each] for each in tokens}
            self.adapters[name] = TokenAdapter(
                sizes, params, is_graph=name == "structure", generator=generator
            )

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""
        self.encoders.prepare(rows)

    def forward(self, rows: Tensor | None, *, training: bool) -> dict[str, Tensor]:
        """L2-normalised vectors by modality, [n_rows, dim] each.

        Args:
            rows: The rows that ``prepare`` was given, or None for all entities.
            training: Whether drop-out takes place.
        """
        vectors = self.encoders.vectors(rows)
        noise = self._noise if training else None
        adapted = {
            name: cast(TokenAdapter, adapter)(vectors, noise)
            for name, adapter in self.adapters.items()
        }
        return {name: normalize(adapted.get(name, vectors[name]), dim=1) for name in vectors}

    def joint(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """L2-normalised weighted concatenation, [n, sum of dims]."""
        return normalize(self.fusion(encoded), dim=1)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities."""
        encoded = self(None, training=False)
        weights = self.fusion.weights()
        return self.graph.split(self.joint(encoded), by_modality=encoded, weights=weights)

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Normalised joint vectors of all entities, [n_entities, dim]."""
        return self.joint(self(None, training=False))
