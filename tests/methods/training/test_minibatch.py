"""One step per batch, rows that a batch touches, and the negatives of triples and pairs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize
from torch.optim.lr_scheduler import LambdaLR

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.losses.margins import margin_loss
from mmea_bench.methods.core.losses.translation import (
    CorruptedTriples,
    translation_distances,
)
from mmea_bench.methods.core.training.minibatch import (
    MiniBatchSteps,
    backward,
    shuffled_batches,
)
from mmea_bench.methods.core.training.negatives import FilteredCorruption, UniformCandidates
from mmea_bench.methods.core.training.pair_stand_ins import PairStandIns
from mmea_bench.methods.core.training.row_adagrad import RowAdagrad
from mmea_bench.methods.core.training.triple_corruption import TripleBatches


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def test_a_step_updates_by_the_gradients_of_its_own_loss_alone() -> None:
    weight = parameter(1.0)
    updates = MiniBatchSteps(torch.optim.SGD([weight], lr=0.5))
    assert updates.step(3 * weight.sum()) == 3.0
    assert weight.item() == pytest.approx(1.0 - 0.5 * 3)
    updates.step(2 * weight.sum())
    assert weight.item() == pytest.approx(1.0 - 0.5 * 3 - 0.5 * 2)


def test_a_summed_step_equals_one_on_the_sum_and_clips_it_as_a_whole() -> None:
    weights = [parameter(1.0, 2.0) for _ in range(2)]
    optimisers = [torch.optim.SGD([weight], lr=0.5) for weight in weights]
    chunks, whole = (
        MiniBatchSteps(optimiser, clipped=[weight], clip_norm=1.0)
        for optimiser, weight in zip(optimisers, weights, strict=True)
    )
    # Were the second loss made after a step on the first, it would see other parameters.
    total = chunks.summed_step(factor * weights[0].square().sum() for factor in (1.0, 3.0))
    assert total == whole.step(4.0 * weights[1].square().sum()) == 20.0
    assert weights[0].tolist() == pytest.approx(weights[1].tolist())
    assert chunks.summed_step(iter(())) == 0.0
    assert weights[0].tolist() == pytest.approx(weights[1].tolist())


def test_gradients_of_all_clipped_parameters_together_keep_to_the_length() -> None:
    first, second = parameter(0.0), parameter(0.0)
    optimiser = torch.optim.SGD([first, second], lr=1.0)
    updates = MiniBatchSteps(optimiser, clipped=[first, second], clip_norm=1.0)
    updates.step((30 * first + 40 * second).sum())
    assert (first.item(), second.item()) == pytest.approx((-0.6, -0.8), rel=1e-4)


def test_the_rate_follows_its_schedule_once_per_batch() -> None:
    weight = parameter(0.0)
    optimiser = torch.optim.SGD([weight], lr=1.0)
    updates = MiniBatchSteps(optimiser, rate=LambdaLR(optimiser, lambda n_done: 0.5**n_done))
    for _ in range(3):
        updates.step(weight.sum())
    assert weight.item() == pytest.approx(-(1 + 0.5 + 0.25))


def test_each_loss_of_an_epoch_is_made_after_the_step_before_it() -> None:
    weight = parameter(1.0)
    updates = MiniBatchSteps(torch.optim.SGD([weight], lr=0.25))
    # Each step halves the weight: w - 0.25 * 2 w; the losses are 1, 1/4 and 1/16.
    mean = updates.mean_loss(weight.square().sum() for _ in range(3))
    assert mean == pytest.approx((1 + 1 / 4 + 1 / 16) / 3)
    assert updates.mean_loss([]) == 0.0


def test_backward_leaves_gradients_behind_and_returns_the_loss() -> None:
    weight = parameter(2.0)
    assert backward((weight**3).sum()) == 8.0
    assert weight.grad is not None
    assert weight.grad.item() == 12.0


def test_shuffled_batches_hold_every_row_once() -> None:
    pairs = torch.arange(20).view(10, 2)
    batches = list(shuffled_batches(pairs, 4, torch.Generator().manual_seed(0)))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    found = torch.cat(batches).tolist()
    assert found != pairs.tolist()
    assert sorted(found) == pairs.tolist()


@pytest.mark.parametrize("norm", ["l1", "l2", "squared l2"])
@pytest.mark.parametrize("unit_rows", [False, True])
def test_steps_on_gathered_rows_equal_dense_adagrad_on_the_written_out_loss(
    norm: Any, unit_rows: bool
) -> None:
    generator = torch.Generator().manual_seed(2)
    tables = [nn.Parameter(torch.randn(size, 6, generator=generator)) for size in (9, 3)]
    entities, relations = (table.detach().clone().requires_grad_() for table in tables)
    triples = torch.tensor([[0, 0, 1], [2, 1, 3], [0, 1, 4]])
    stand_ins = torch.tensor([[5, 1], [6, 7], [8, 0]])
    replaces_head = torch.tensor([[True, False], [False, True], [True, True]])
    batch = CorruptedTriples(triples, stand_ins, replaces_head)
    optimiser = torch.optim.Adagrad([entities, relations], lr=0.1)
    adagrad = RowAdagrad(tables, 0.1)
    updates = MiniBatchSteps(adagrad)

    def distance(h: int, r: int, t: int) -> torch.Tensor:
        rows = [entities[h], relations[r], entities[t]]
        head, relation, tail = (normalize(row, dim=0) for row in rows) if unit_rows else rows
        gap = head + relation - tail
        lengths = {"l1": gap.abs().sum(), "l2": gap.norm(), "squared l2": gap.square().sum()}
        return lengths[norm]

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

        entity_ids, relation_ids, local = batch.distinct()
        rows = adagrad.gather((entity_ids, relation_ids))
        if unit_rows:
            rows = [normalize(each, dim=1) for each in rows]
        own, others = translation_distances(rows[0], rows[1], local, norm)
        value = updates.step(margin_loss(own, others, 1.0))
        assert value == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(tables[0].detach(), entities.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tables[1].detach(), relations.detach(), rtol=1e-4, atol=1e-5)


def test_rows_that_no_loss_reaches_stay_as_they_are() -> None:
    tables = [parameter(1.0, 2.0), parameter(3.0)]
    adagrad = RowAdagrad([nn.Parameter(table.detach().unsqueeze(1)) for table in tables], 0.1)
    first, _ = adagrad.gather((torch.tensor([1]), torch.tensor([0])))
    MiniBatchSteps(adagrad).step(first.sum())
    changed, unread = adagrad.gather((torch.tensor([0, 1]), torch.tensor([0])))
    assert changed.flatten().tolist() == pytest.approx([1.0, 1.9])
    assert unread.item() == 3.0


def test_sums_of_adagrad_may_start_above_zero() -> None:
    table = nn.Parameter(torch.tensor([[1.0], [2.0]]))
    adagrad = RowAdagrad([table], 0.1, initial_sum=0.1)
    (row,) = adagrad.gather((torch.tensor([1]),))
    MiniBatchSteps(adagrad).step(2 * row.sum())
    assert table.flatten().tolist() == pytest.approx([1.0, 2.0 - 0.1 * 2 / math.sqrt(0.1 + 2**2)])


def test_margin_loss_of_triples_by_hand() -> None:
    own, others = torch.tensor([1.0, 2.0]), torch.tensor([[1.5, 3.0], [0.0, 2.0]])
    # 1 + 1 - 1.5, 1 + 1 - 3 < 0; 1 + 2 - 0, 1 + 2 - 2.
    assert float(margin_loss(own, others, 1.0)) == pytest.approx((0.5 + 0 + 3 + 1) / 4)


def test_distinct_ids_name_the_same_triples() -> None:
    batch = CorruptedTriples(
        torch.tensor([[7, 4, 9], [9, 2, 7]]),
        torch.tensor([[3], [7]]),
        torch.tensor([[True], [False]]),
    )
    entity_ids, relation_ids, local = batch.distinct()
    assert entity_ids.tolist() == [3, 7, 9]
    assert relation_ids.tolist() == [2, 4]
    assert entity_ids[local.triples[:, [0, 2]]].tolist() == [[7, 9], [9, 7]]
    assert relation_ids[local.triples[:, 1]].tolist() == [4, 2]
    assert entity_ids[local.stand_ins].tolist() == [[3], [7]]


def test_an_epoch_holds_every_triple_once_and_negatives_change_when_they_are_due() -> None:
    triples = torch.tensor(list(itertools.product(range(4), range(2), range(4, 8))))
    everyone = UniformCandidates.of_graphs(40, 40)
    corruption = FilteredCorruption(triples, torch.zeros(len(triples)), 40, everyone)
    batches = TripleBatches(corruption, 3, 2, 10, RunContext(rng_seed=1))

    def stand_ins(epoch: int) -> list[list[int]]:
        found = list(batches.epoch(epoch))
        assert [len(batch.triples) for batch in found] == [10, 10, 10, 2]
        order = {tuple(triple): row for row, triple in enumerate(triples.tolist())}
        rows = [order[tuple(triple)] for batch in found for triple in batch.triples.tolist()]
        assert sorted(rows) == list(range(len(triples)))
        drawn = torch.cat([batch.stand_ins for batch in found])
        return drawn[torch.argsort(torch.tensor(rows))].tolist()

    first, second, third = (stand_ins(epoch) for epoch in (1, 2, 3))
    assert first == second
    assert second != third


def test_stand_ins_of_pairs_are_entities_of_either_graph_redrawn_when_due() -> None:
    drawer = PairStandIns(40, 5, 6, 3, RunContext(rng_seed=1))
    first, second, third, fourth = (drawer.at(epoch) for epoch in (1, 2, 3, 4))
    assert first.shape == (2, 40, 6)
    assert set(first.flatten().tolist()) == set(range(5))
    assert torch.equal(first, second)
    assert torch.equal(first, third)
    assert not torch.equal(first, fourth)
