"""Fusion keyed by name, and its shortcut for joint cosines."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.fusion import WeightedConcatenation


def test_equal_logits_give_equal_weights_and_the_order_of_the_names() -> None:
    fusion = WeightedConcatenation(("image", "structure"))
    fused = fusion({"structure": torch.tensor([[0.0, 2.0]]), "image": torch.tensor([[3.0]])})
    assert fused.tolist() == [[0.5, 0.0, 0.5]]
    assert fusion.weights() == {"image": 0.5, "structure": 0.5}


def test_joint_cosines_equal_fusing_first_with_gradients_and_zero_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    names = ("image", "attribute", "structure")
    fusion = WeightedConcatenation(names).double()
    fusion.logits.data = torch.tensor([0.3, -0.5, 1.1], dtype=torch.float64)
    source, target = (
        {
            name: normalize(torch.randn(6, 4 + i, generator=generator, dtype=torch.float64), dim=1)
            for i, name in enumerate(names)
        }
        for _ in range(2)
    )
    source["attribute"][2] = 0.0
    joint = [normalize(fusion(side), dim=1) for side in (source, target)]
    plain = joint[0] @ joint[1].T
    weights = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    (plain * weights).sum().backward()
    plain_gradient = fusion.logits.grad
    fusion.logits.grad = None
    cosines = {name: source[name] @ target[name].T for name in names}
    short = fusion.joint_cosines(source, target, cosines)
    (short * weights).sum().backward()
    torch.testing.assert_close(short, plain)
    torch.testing.assert_close(fusion.logits.grad, plain_gradient)
