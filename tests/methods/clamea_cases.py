"""Rows, attention flows and entities that several tests of CLAMEA take."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.parts.clamea.attention_flow import (
    AttentionFlow,
    VectorFusion,
)


def rows(generator: torch.Generator, n: int = 3, dim: int = 8) -> Tensor:
    return normalize(torch.randn(n, dim, generator=generator), dim=1)


def flow_of(generator: torch.Generator, tokens: int, *, gated: bool = True) -> AttentionFlow:
    fusion = VectorFusion("Cat", 2, 8, 1, generator, keep_dim=False)
    return AttentionFlow(8, tokens, fusion, generator, gated=gated)


def three_entities(generator: torch.Generator) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The first has everything, the second no image, the third structure only."""
    present = {
        "structure": torch.tensor([True, True, True]),
        "image": torch.tensor([True, False, False]),
        "attribute": torch.tensor([True, True, False]),
    }
    vectors = {name: rows(generator) * has.unsqueeze(1) for name, has in present.items()}
    return vectors, present
