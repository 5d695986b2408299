"""Losses over distances equal the formulas written out with loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mmea_bench.methods.core.losses.hard_samples import blocked_hard_sample_loss
from mmea_bench.methods.core.losses.margins import (
    hard_sample_loss,
    lengths,
    likelihood_loss,
    limit_loss,
    logistic_loss,
    margin_loss,
    pair_distances,
    pair_margin_loss,
)
from mmea_bench.methods.core.losses.translation import (
    CorruptedTriples,
    translation_distances,
    triple_distances,
)

NORMS = ["l1", "l2", "squared l2"]


def drawn(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).requires_grad_()


def distance(difference: Tensor, norm: str) -> Tensor:
    parts = list(difference)
    if norm == "l1":
        return torch.stack([part.abs() for part in parts]).sum()
    squared = torch.stack([part**2 for part in parts]).sum()
    return squared.sqrt() if norm == "l2" else squared


def test_lengths_by_hand() -> None:
    vectors = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    assert lengths(vectors, "l1").tolist() == [7.0, 0.0]
    assert lengths(vectors, "l2").tolist() == [5.0, 0.0]
    assert lengths(vectors, "squared l2").tolist() == [25.0, 0.0]


def test_the_gradient_of_a_length_of_zero_is_zero() -> None:
    vector = torch.zeros(1, 3, requires_grad=True)
    lengths(vector, "l2").sum().backward()  # type: ignore[no-untyped-call]
    assert vector.grad is not None
    assert vector.grad.tolist() == [[0.0, 0.0, 0.0]]


def test_margin_loss_by_hand() -> None:
    own, others = torch.tensor([1.0, 2.0]), torch.tensor([[1.5, 3.0], [0.0, 2.0]])
    # 1 + 1 - 1.5, 1 + 1 - 3 < 0; 1 + 2 - 0, 1 + 2 - 2.
    assert float(margin_loss(own, others, 1.0)) == pytest.approx((0.5 + 0 + 3 + 1) / 4)
    assert float(margin_loss(own, others, 1.0, "sum")) == pytest.approx(4.5)


def test_limit_loss_by_hand() -> None:
    own, others = torch.tensor([0.005, 0.51]), torch.tensor([[1.5, 3.0], [0.0, 2.0]])
    # Positives above 0.01 cost what they exceed it by, negatives below 2 what they lack of it.
    loss = limit_loss(own, others, (0.01, 2.0), 0.2)
    assert float(loss) == pytest.approx(0.5 + 0.2 * (0.5 + 2.0))
    mean = limit_loss(own, others, (0.01, 2.0), 0.2, "mean")
    assert float(mean) == pytest.approx(0.5 / 2 + 0.2 * 2.5 / 4)


def test_logistic_loss_is_the_log_likelihood_of_both_kinds() -> None:
    own, others = torch.tensor([0.5, 2.0]), torch.tensor([[1.5], [0.0]])
    positives = [-math.log(1 / (1 + math.exp(value))) for value in (0.5, 2.0)]
    negatives = [-math.log(1 / (1 + math.exp(-value))) for value in (1.5, 0.0)]
    assert float(logistic_loss(own)) == pytest.approx(sum(positives))
    assert float(logistic_loss(own, others)) == pytest.approx(sum(positives) + sum(negatives))
    weighted = logistic_loss(own, others, torch.tensor([1.0, 0.2]))
    expected = positives[0] + 0.2 * positives[1] + sum(negatives)
    assert float(weighted) == pytest.approx(expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_pair_margin_loss_equals_the_written_out_formula(norm: Any, reduction: Any) -> None:
    vectors = drawn(8, 3)
    pairs = torch.tensor([[0, 4], [1, 5]])
    negatives = torch.tensor([[[2, 5, 6], [3, 4, 0]], [[1, 2, 3], [6, 7, 0]]])
    total = torch.zeros((), dtype=torch.float64)
    for index, (s, t) in enumerate(pairs.tolist()):
        own = distance(vectors[s] - vectors[t], norm)
        for j in range(3):
            for end, other in zip((s, t), negatives[:, index, j].tolist(), strict=True):
                gap = distance(vectors[end] - vectors[other], norm)
                total = total + torch.relu(own + 3 - gap)
    expected = total / (2 * 3 * 2) if reduction == "mean" else total
    loss = pair_margin_loss(vectors, pairs, negatives, 3.0, norm, reduction)
    torch.testing.assert_close(loss, expected)
    for ours, plain in zip(gradients(loss, vectors), gradients(expected, vectors), strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("measure", [*NORMS, "inner"])
def test_translation_distances_equal_the_written_out_formula(measure: Any) -> None:
    entities, relations = drawn(6, 4), drawn(2, 4, seed=3)
    batch = CorruptedTriples(
        torch.tensor([[0, 0, 1], [2, 1, 3]]),
        torch.tensor([[4, 5, 1], [0, 0, 5]]),
        torch.tensor([[True, False, True], [False, True, True]]),
    )

    def written_out(h: int, r: int, t: int) -> Tensor:
        if measure == "inner":
            parts = zip(entities[h] + relations[r], entities[t], strict=True)
            return -torch.stack([moved * tail for moved, tail in parts]).sum()
        return distance(entities[h] + relations[r] - entities[t], measure)

    own, others = translation_distances(entities, relations, batch, measure)
    expected_own = torch.stack([written_out(*triple) for triple in batch.triples.tolist()])
    rows = [[written_out(*wrong) for wrong in row] for row in batch.negatives().tolist()]
    expected_others = torch.stack([torch.stack(row) for row in rows])
    torch.testing.assert_close(own, expected_own)
    torch.testing.assert_close(others, expected_others)
    alone = triple_distances(entities, relations, batch.triples, measure)
    torch.testing.assert_close(alone, expected_own)
    for table in (entities, relations):
        torch.testing.assert_close(
            *gradients((alone**2).sum(), table), *gradients((expected_own**2).sum(), table)
        )
    mixed, plain = (
        (first.sum() + (second**2).sum())
        for first, second in ((own, others), (expected_own, expected_others))
    )
    for table in (entities, relations):
        torch.testing.assert_close(*gradients(mixed, table), *gradients(plain, table))


@pytest.mark.parametrize("measure", ["l1", "l2", "squared l2"])
def test_batches_without_triples_have_no_distances(measure: Any) -> None:
    ends = torch.zeros(0, 2, dtype=torch.int64)
    batch = CorruptedTriples(torch.zeros(0, 3, dtype=torch.int64), ends, ends.bool())
    entities = drawn(3, 2)
    own, others = translation_distances(entities, drawn(1, 2), batch, measure)
    assert (own.shape, others.shape) == ((0,), (0, 2))
    assert not gradients(own.sum() + others.sum(), entities)[0].any()


@pytest.mark.parametrize("measure", ["l2", "squared l2"])
def test_distances_of_nothing_have_no_slope(measure: Any) -> None:
    entities, relations = torch.zeros(2, 3, requires_grad=True), torch.zeros(1, 3)
    batch = CorruptedTriples(
        torch.tensor([[0, 0, 1]]), torch.tensor([[1]]), torch.tensor([[False]])
    )
    own, others = translation_distances(entities, relations, batch, measure)
    assert (own.item(), others.item()) == (0, 0)
    assert not gradients(own.sum() + others.sum(), entities)[0].any()


def test_batches_are_the_triples_in_order() -> None:
    triples = torch.arange(15).view(5, 3)
    batch = CorruptedTriples(triples, triples[:, :2], triples[:, :2] > 6)
    parts = list(batch.batches(2))
    assert [len(part.triples) for part in parts] == [2, 2, 1]
    assert torch.cat([part.triples for part in parts]).equal(triples)
    assert torch.cat([part.stand_ins for part in parts]).equal(batch.stand_ins)
    assert torch.cat([part.replaces_head for part in parts]).equal(batch.replaces_head)


def test_negatives_are_the_triples_with_one_end_replaced() -> None:
    batch = CorruptedTriples(
        torch.tensor([[7, 4, 9]]), torch.tensor([[3, 5]]), torch.tensor([[True, False]])
    )
    assert batch.negatives().tolist() == [[[3, 4, 9], [7, 4, 5]]]


def test_hard_sample_loss_equals_the_written_out_formula() -> None:
    vectors = drawn(7, 3)
    pairs = torch.tensor([[0, 4], [2, 6], [0, 5]])
    total = torch.zeros((), dtype=torch.float64)
    for s, t in pairs.tolist():
        own = distance(vectors[s] - vectors[t], "squared l2")
        for anchor in (s, t):
            gains = [
                own - distance(vectors[anchor] - vectors[n], "squared l2") + 1.0
                if n not in (s, t)
                else torch.zeros((), dtype=torch.float64)
                for n in range(7)
            ]
            fixed = [float(gain.detach()) for gain in gains]
            mean = sum(fixed) / 7
            spread = math.sqrt(sum((gain - mean) ** 2 for gain in fixed) / 7)
            total = total + torch.log(
                sum(
                    (torch.exp(30 * (gain - mean) / spread + 10) for gain in gains), torch.zeros(())
                )
            )
    loss = hard_sample_loss(vectors, pairs)
    torch.testing.assert_close(loss, total / 3)
    torch.testing.assert_close(*gradients(loss, vectors), *gradients(total / 3, vectors))


@pytest.mark.parametrize("cached", [1, 20, 1000])
def test_hard_sample_loss_in_blocks_equals_the_whole(
    cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "mmea_bench.methods.core.losses.hard_samples"
    monkeypatch.setattr(f"{place}._BLOCK_PAIRS", 2)
    monkeypatch.setattr(f"{place}._CACHED_NUMBERS", cached)
    vectors = drawn(9, 3)
    pairs = torch.tensor([[0, 4], [2, 6], [0, 5], [3, 8], [1, 7]])
    whole = hard_sample_loss(vectors, pairs, 3.0, 20.0, 8.0)
    blocked = blocked_hard_sample_loss(vectors, pairs, 3.0, 20.0, 8.0)
    torch.testing.assert_close(blocked, whole)
    torch.testing.assert_close(gradients(blocked, vectors), gradients(whole, vectors))


def gradients(loss: Tensor, table: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, [table], retain_graph=True)


def test_limits_on_pair_distances_are_the_alignment_loss_of_alinet() -> None:
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    pairs = torch.tensor([[0, 4], [1, 5]])
    negatives = torch.tensor([[[2, 5, 6], [3, 4, 0]], [[1, 2, 3], [6, 7, 0]]])
    near, wrong = 0.0, 0.0
    for row, (source, target) in enumerate(pairs.tolist()):
        near += float((vectors[source] - vectors[target]).square().sum())
        for anchor, stand_ins in ((source, negatives[0, row]), (target, negatives[1, row])):
            for other in stand_ins.tolist():
                wrong += max(0.0, 1.5 - float((vectors[anchor] - vectors[other]).square().sum()))
    own, others = pair_distances(vectors, pairs, negatives, "squared l2")
    assert float(limit_loss(own, others, (0.0, 1.5), 0.1)) == pytest.approx(near + 0.1 * wrong)


@pytest.mark.parametrize("block_rows", [2, 100])
def test_likelihood_equals_the_sum_over_the_whole_matrix(block_rows: int) -> None:
    vectors = torch.randn(8, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    source, target, labels = vectors[:5], vectors[5:], torch.tensor([1, -1, 0, -1, 2])
    wanted = torch.full((5, 3), 1 / 3, dtype=torch.float64)
    for row, label in enumerate(labels.tolist()):
        if label >= 0:
            wanted[row] = torch.eye(3)[label]
    expected = -(wanted * torch.sigmoid(source @ target.T).log()).sum()
    found = likelihood_loss(source, target, labels, block_rows)
    assert float(found) == pytest.approx(float(expected))
