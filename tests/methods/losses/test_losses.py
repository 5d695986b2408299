"""Every loss equals the formula written out with loops over pairs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.losses.batch import (
    inter_modal_alignment_loss,
    intra_modal_contrastive_loss,
    nca_loss,
)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    target = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    return normalize(source, dim=1), normalize(target, dim=1)


def probability(
    row: int, anchor: list[list[float]], other: list[list[float]], temperature: float
) -> float:
    """Chance that an entity picks its partner among both graphs, itself left out."""

    def dot(first: list[float], second: list[float]) -> float:
        return sum(x * y for x, y in zip(first, second, strict=True))

    own = math.exp(dot(anchor[row], other[row]) / temperature)
    across = sum(math.exp(dot(anchor[row], vector) / temperature) for vector in other)
    same = sum(
        math.exp(dot(anchor[row], vector) / temperature)
        for index, vector in enumerate(anchor)
        if index != row
    )
    return own / (across + same)


def test_nca_loss_equals_the_written_out_formula(batch: tuple[Tensor, Tensor]) -> None:
    source, target = batch
    scale, attraction, margin = 5.0, 10.0, 0.1
    cosines = (source @ target.T).tolist()
    total = 0.0
    for i in range(5):
        columns = sum(math.exp(scale * (cosines[j][i] - margin)) for j in range(5) if j != i)
        rows = sum(math.exp(scale * (cosines[i][j] - margin)) for j in range(5) if j != i)
        total += (math.log(1 + columns) + math.log(1 + rows)) / scale
        total -= attraction * math.log(1 + max(0.0, cosines[i][i]))
    loss = nca_loss(source @ target.T, scale, attraction, margin)
    assert float(loss) == pytest.approx(total / 5, rel=1e-9)


def test_nca_loss_of_orthogonal_pairs_by_hand() -> None:
    unit = torch.eye(2, dtype=torch.float64)
    # Own cosines 1, others 0: twice log(1 + e^0) / a, minus 10 log 2.
    expected = 2 * math.log(2) / 15 - 10 * math.log(2)
    assert float(nca_loss(unit, 15.0)) == pytest.approx(expected)
    # As printed, beta stands within the logarithm: minus log(1 + 10 * 1).
    expected = 2 * math.log(2) / 15 - math.log(11)
    assert float(nca_loss(unit, 15.0, beta="inside")) == pytest.approx(expected)


def test_nca_loss_is_finite_where_the_printed_logarithm_is_undefined() -> None:
    # log(1 + 10 S) has no value from S = -1/10 on.
    wrong = torch.full((2, 2), -0.5, dtype=torch.float64)
    expected = 2 * math.log(1 + math.exp(-7.5)) / 15
    assert float(nca_loss(wrong, 15.0, beta="inside")) == pytest.approx(expected)


@pytest.mark.parametrize("mean", ["of logs", "of probabilities"])
def test_icl_equals_the_written_out_formula(batch: tuple[Tensor, Tensor], mean: Any) -> None:
    source, target = batch
    rows_s, rows_t = source.tolist(), target.tolist()
    total = 0.0
    for i in range(5):
        forward = probability(i, rows_s, rows_t, 0.1)
        backward = probability(i, rows_t, rows_s, 0.1)
        if mean == "of logs":
            total -= (math.log(forward) + math.log(backward)) / 2
        else:
            total -= math.log((forward + backward) / 2)
    loss = intra_modal_contrastive_loss(source, target, 0.1, mean)
    assert float(loss) == pytest.approx(total / 5, rel=1e-9)


def full_distribution(
    row: int, anchor: list[list[float]], other: list[list[float]], temperature: float
) -> list[float]:
    logits = [sum(x * y for x, y in zip(anchor[row], v, strict=True)) for v in other]
    logits += [
        sum(x * y for x, y in zip(anchor[row], v, strict=True)) if index != row else -math.inf
        for index, v in enumerate(anchor)
    ]
    weights = [math.exp(logit / temperature) for logit in logits]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("reduction", ["entries", "rows"])
def test_ial_equals_the_written_out_divergence(
    batch: tuple[Tensor, Tensor], reduction: Any
) -> None:
    generator = torch.Generator().manual_seed(1)
    joint = tuple(
        normalize(torch.randn(5, 6, generator=generator, dtype=torch.float64), dim=1)
        for _ in range(2)
    )
    total = 0.0
    for side in (0, 1):
        for i in range(5):
            q = full_distribution(i, joint[side].tolist(), joint[1 - side].tolist(), 4.0)
            p = full_distribution(i, batch[side].tolist(), batch[1 - side].tolist(), 4.0)
            total += sum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a > 0)
    expected = total / 2 / (5 * 10 if reduction == "entries" else 5)
    loss = inter_modal_alignment_loss((joint[0], joint[1]), batch, 4.0, reduction)
    assert float(loss) == pytest.approx(expected, rel=1e-9)


def test_ial_gives_no_gradient_to_the_joint_vectors(batch: tuple[Tensor, Tensor]) -> None:
    joint = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    modality = batch[0].clone().requires_grad_()
    inter_modal_alignment_loss((joint, joint), (modality, batch[1]), 4.0).backward()
    assert joint.grad is None
    assert modality.grad is not None


def test_ial_of_equal_distributions_is_zero(batch: tuple[Tensor, Tensor]) -> None:
    assert float(inter_modal_alignment_loss(batch, batch, 4.0)) == pytest.approx(0.0, abs=1e-12)
