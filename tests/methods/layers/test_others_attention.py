"""Attention from one vector of an entity to its others, against loops over heads and others."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.layers.others_attention import OthersAttention


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def by_heads(module: OthersAttention, own: Tensor, others: list[Tensor]) -> Tensor:
    """The attention of one row with loops over heads and others."""
    to_query, to_key = module.projections
    width = len(own) // module.n_heads
    heads = []
    for head in range(module.n_heads):
        part = slice(head * width, (head + 1) * width)
        query = (own @ to_query)[part]
        logits = [float(query @ (other @ to_key)[part]) / math.sqrt(width) for other in others]
        total = sum(math.exp(logit) for logit in logits)
        values = [(other @ module.value)[part] for other in others]
        heads.append(
            sum(math.exp(a) / total * value for a, value in zip(logits, values, strict=True))
        )
    return module.output(torch.cat(heads))  # type: ignore[no-any-return, arg-type]


@torch.no_grad()
def test_a_modality_attends_to_the_two_others(generator: torch.Generator) -> None:
    module = OthersAttention(8, 2, 2, generator)
    own, *others = (torch.randn(3, 8, generator=generator) for _ in range(3))
    found = module(own, torch.stack(others, dim=1))
    for row in range(3):
        expected = by_heads(module, own[row], [each[row] for each in others])
        torch.testing.assert_close(found[row], expected)


@torch.no_grad()
def test_attention_to_a_single_other_is_a_linear_map_of_it(generator: torch.Generator) -> None:
    module = OthersAttention(8, 2, 1, generator)
    own, other = torch.randn(3, 8), torch.randn(3, 8)
    expected = module.output(other @ module.value)
    torch.testing.assert_close(module(own, other.unsqueeze(1)), expected)
    assert len(module.projections) == 0


@torch.no_grad()
def test_dropped_weights_are_taken_out_by_entity_key_and_head(generator: torch.Generator) -> None:
    module = OthersAttention(8, 2, 2, generator)
    own, others = torch.randn(3, 8), torch.randn(3, 2, 8)
    kept = torch.ones(3, 2, 2)
    torch.testing.assert_close(module(own, others, kept), module(own, others))
    nothing = module(own, others, torch.zeros(3, 2, 2))
    torch.testing.assert_close(nothing, module.output.bias.expand(3, 8))


@torch.no_grad()
def test_a_single_key_is_dropped_by_entity_and_head(generator: torch.Generator) -> None:
    module = OthersAttention(8, 2, 1, generator)
    own, kept = torch.randn(1, 8), torch.tensor([[[2.0, 0.0]]])
    values = own @ module.value
    values = torch.cat([2 * values[:, :4], torch.zeros(1, 4)], dim=1)
    torch.testing.assert_close(module(own, own.unsqueeze(1), kept), module.output(values))
