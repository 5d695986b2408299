"""Convolutions without weights against dense products."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.sparse import FixedMatrix
from mmea_bench.methods.core.layers.weightless_gcn import WeightlessGCN, truncated_normal


@pytest.mark.parametrize("with_inputs", [False, True])
def test_two_convolutions_equal_dense_products(with_inputs: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    adjacency = torch.rand(6, 6, generator=generator) * (
        torch.rand(6, 6, generator=generator) > 0.5
    )
    bags = (torch.rand(6, 4, generator=generator) > 0.4).float()
    inputs = FixedMatrix.of(bags) if with_inputs else None
    tower = WeightlessGCN(FixedMatrix.of(adjacency), 3, generator, inputs)
    rows = normalize(tower.rows.detach(), dim=1)
    assert rows.shape == ((4, 3) if with_inputs else (6, 3))
    start = bags @ rows if with_inputs else rows
    expected = adjacency @ torch.relu(adjacency @ start)
    torch.testing.assert_close(tower().detach(), expected)


def test_initial_rows_are_cut_at_two_standard_deviations() -> None:
    values = truncated_normal(400, 50, torch.Generator().manual_seed(0))
    std = 1 / math.sqrt(400)
    assert float(values.abs().max()) <= 2 * std
    # A normal distribution cut at two standard deviations keeps .88 of its spread.
    assert float(values.std()) == pytest.approx(0.88 * std, rel=0.02)
