"""The parts that a method file adds to the shared ones, against their formulas."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation
from mmea_bench.methods.core.losses.batch import (
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
)
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.mclea import MCLEAParams, _Losses
from mmea_bench.methods.transe import TransEParams, _Model


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
    losses = _Losses(encoder, params, RunContext(rng_seed=0))
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


@pytest.mark.parametrize("norm", ["l2", "squared l2"])
@pytest.mark.parametrize("unit_rows", [False, True])
def test_a_step_of_transe_equals_dense_adagrad_on_the_written_out_loss(
    norm: Any, unit_rows: bool
) -> None:
    params = TransEParams(dim=6, norm=norm, unit_rows=unit_rows, learning_rate=0.1)
    model = _Model(9, 3, params, RunContext(rng_seed=2))
    entities = model.entities.detach().clone().requires_grad_()
    relations = model.relations.detach().clone().requires_grad_()
    triples = torch.tensor([[0, 0, 1], [2, 1, 3], [0, 1, 4]])
    stand_ins = torch.tensor([[5, 1], [6, 7], [8, 0]])
    replaces_head = torch.tensor([[True, False], [False, True], [True, True]])
    optimiser = torch.optim.Adagrad([entities, relations], lr=0.1)

    def distance(h: int, r: int, t: int) -> torch.Tensor:
        rows = [entities[h], relations[r], entities[t]]
        head, relation, tail = (normalize(row, dim=0) for row in rows) if unit_rows else rows
        length = torch.linalg.vector_norm(head + relation - tail)
        return length if norm == "l2" else length**2

    for _ in range(3):
        losses = []
        for row, (h, r, t) in enumerate(triples.tolist()):
            for column in range(2):
                other = int(stand_ins[row, column])
                wrong = (other, r, t) if replaces_head[row, column] else (h, r, other)
                losses.append(torch.relu(1 + distance(h, r, t) - distance(*wrong)))
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert model.step(triples, stand_ins, replaces_head) == pytest.approx(
            float(loss.detach()), rel=1e-5
        )
    torch.testing.assert_close(model.entities.detach(), entities.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.relations.detach(), relations.detach(), rtol=1e-4, atol=1e-5)
