"""The parts that a method file adds to the shared ones, against their formulas."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import (
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.core.settings import taken_from
from mmea_bench.methods.mclea import MCLEAParams
from mmea_bench.methods.parts.mclea.losses import LossSettings, MCLEALosses


def test_uncertainty_weighting_by_hand() -> None:
    weighting = UncertaintyWeighting(("a", "b"), 0.5, learned=True)
    weighting.log_variances.data = torch.tensor([0.2, -1.0])
    total = weighting({"a": torch.tensor(3.0), "b": torch.tensor(2.0)})
    expected = math.exp(-0.2) * 3 + 0.5 * 0.2 + math.exp(1.0) * 2 - 0.5 * 1.0
    assert float(total.detach()) == pytest.approx(expected)


def mclea_loss(
    ial_log_variances: torch.Tensor | None = None, **overrides: Any
) -> tuple[float, dict[str, Any], Any]:
    params = MCLEAParams(**overrides)
    generator = torch.Generator().manual_seed(1)
    encoded = {
        name: tuple(normalize(torch.randn(7, 4, generator=generator), dim=1) for _ in range(2))
        for name in ("image", "structure")
    }
    fusion = WeightedConcatenation(("image", "structure"))
    encoder: Any = SimpleNamespace(fusion=fusion, modalities=fusion.modalities)
    losses = MCLEALosses(encoder, taken_from(params, LossSettings), generator)
    if ial_log_variances is not None:
        losses.ial_weighting.log_variances.data = ial_log_variances
    return float(losses.batch_loss(encoded).detach()), encoded, fusion  # type: ignore[arg-type]


def parts(encoded: dict[str, Any], fusion: Any) -> tuple[float, list[float], list[float]]:
    joint = tuple(
        normalize(fusion({name: pair[side] for name, pair in encoded.items()}), dim=1)
        for side in (0, 1)
    )
    icl = [float(intra_modal_contrastive_loss(*pair, 0.1)) for pair in encoded.values()]
    ial = [
        float(inter_modal_alignment_loss((joint[0], joint[1]), pair, 4.0).detach())
        for pair in encoded.values()
    ]
    return float(intra_modal_contrastive_loss(*joint, 0.1).detach()), icl, ial


def test_the_loss_of_mclea_is_the_sum_its_released_code_makes() -> None:
    total, encoded, fusion = mclea_loss()
    joint, icl, ial = parts(encoded, fusion)
    # IAL carries its factor 0.1 twice; log-variances start at zero.
    assert total == pytest.approx(joint + sum(icl) + 0.1 * 0.1 * sum(ial), rel=1e-5)


def test_ial_of_mclea_carries_its_factor_inside_and_outside_the_weighting() -> None:
    """zoom * sum(exp(-s) * zoom * ial + r * s), with log-variances s that are not zero."""
    log_variances = torch.tensor([0.4, -0.7])
    shares = {}
    for zoom in (0.0, 20.0):
        total, encoded, fusion = mclea_loss(log_variances, zoom=zoom, regulariser=0.5)
        shares[zoom] = total
    _, _, ial = parts(encoded, fusion)
    weighted = sum(
        math.exp(-s) * 20.0 * loss + 0.5 * s
        for s, loss in zip(log_variances.tolist(), ial, strict=True)
    )
    assert shares[20.0] - shares[0.0] == pytest.approx(20.0 * weighted, rel=1e-4)


def test_the_ablations_of_mclea_leave_out_what_they_name() -> None:
    total, encoded, fusion = mclea_loss(zoom=0.0)
    joint, icl, ial = parts(encoded, fusion)
    assert total == pytest.approx(joint + sum(icl), rel=1e-5)
    total, encoded, fusion = mclea_loss(use_icl=False)
    assert total == pytest.approx(joint + 0.01 * sum(ial), rel=1e-5)
