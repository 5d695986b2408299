"""The tiled margin loss, row by row."""

from __future__ import annotations

import torch

from mmea_bench.methods.core.losses.tiled_margin import tiled_margin_loss


def test_pairs_are_repeated_until_the_rows_are_full() -> None:
    vectors = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    pairs = torch.tensor([[0, 4], [1, 5]])
    stand_ins = torch.tensor([[6, 5, 4, 3, 2], [0, 1, 2, 3, 4]])
    expected = torch.zeros(())
    for row in range(5):
        source, target = pairs[row % 2]
        own = (vectors[source] - vectors[target]).abs().sum()
        for near, far in ((source, stand_ins[0, row]), (target, stand_ins[1, row])):
            away = (vectors[near] - vectors[far]).abs().sum()
            expected = expected + torch.relu(3 + own - away) / 5
    found = tiled_margin_loss(vectors, pairs, stand_ins, margin=3.0)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(loss, vectors)[0] for loss in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1])
