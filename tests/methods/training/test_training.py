"""Training loop, checkpoint choice, batches and pseudo-seeds, on examples small enough to check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import DivergedError, Embeddings, RunContext
from mmea_bench.methods.core.similarity import (
    NeighbourhoodMeans,
    ScoreBlock,
    ScoreMatrix,
    csls,
    mutual_nearest,
)
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.optimisers import adamw, sgd
from mmea_bench.methods.core.training.pseudo_seeds import (
    IterativeSchedule,
    PseudoSeeds,
    most_similar_pairs,
)
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams
from mmea_bench.methods.core.training_log import TrainingLog


def scripted(scores: list[float | None]) -> tuple[RunContext, list[int]]:
    """A context whose monitor answers from a script, and the epochs it was asked in."""
    asked: list[int] = []

    def monitor(epoch: int, _loss: float, _embeddings: Embeddings) -> float | None:
        asked.append(epoch)
        return scores[len(asked) - 1]

    return RunContext(rng_seed=0, monitor=monitor), asked


def run(ctx: RunContext, epochs: int, earliest_stop: int = 0) -> Embeddings:
    """Trains one number that grows by one per epoch."""
    weight = nn.Parameter(torch.zeros(1, 1))

    def step(_epoch: int) -> float:
        weight.grad = -torch.ones(1, 1)
        return 1.0

    def embed() -> Embeddings:
        return Embeddings(weight.detach().clone(), weight.detach().clone())

    schedule = Schedule(epochs, sgd(1.0), eval_every=1, earliest_stop=earliest_stop)
    return train([weight], step, embed, schedule, ctx)


def test_the_best_scored_epoch_is_returned() -> None:
    ctx, _ = scripted([0.1, 0.5, 0.3, 0.2])
    assert float(run(ctx, 4).source) == 2.0
    assert (ctx.log.best_epoch, ctx.log.epochs) == (2, 4)


def test_the_last_epoch_is_returned_where_the_monitor_says_nothing() -> None:
    ctx, _ = scripted([None, None, None])
    assert float(run(ctx, 3).source) == 3.0
    assert ctx.log.best_epoch == 3


def test_patience_ends_the_training() -> None:
    ctx, asked = scripted([0.5, 0.4, 0.3, 0.9])
    ctx.patience = 2
    assert float(run(ctx, 4).source) == 1.0
    assert asked == [1, 2, 3]


def test_a_plateau_before_a_second_stage_uses_up_no_patience() -> None:
    ctx, asked = scripted([0.5, 0.4, 0.3, 0.9, 0.8, 0.7, 0.6])
    ctx.patience = 2
    assert float(run(ctx, 7, earliest_stop=3).source) == 4.0
    assert asked == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("epochs", "patience", "eval_every", "expected"),
    [
        (500, 5, 1, 50),  # MEAformer: five epochs would be none
        (1000, 5, 50, 250),  # MCLEA: the evaluations take longer than a tenth
        (2000, 5, 500, 2500),  # GCN-Align: never within the schedule
        (25, 1, 1, 3),  # a tenth is rounded up
        (500, 0, 1, 0),  # never
    ],
)
def test_patience_is_the_evaluations_and_a_tenth_of_the_schedule_at_least(
    epochs: int, patience: int, eval_every: int, expected: int
) -> None:
    assert Schedule(epochs, None).patience(patience, eval_every) == expected


def test_patience_is_no_shorter_than_a_round_of_promotions() -> None:
    # CLAMEA: the fifth evaluation comes before the pairs of the next round do.
    schedule = Schedule(300, None, round_epochs=70)
    assert (schedule.patience(5, 10), schedule.patience(8, 10), schedule.patience(0, 10)) == (
        70,
        80,
        0,
    )


def test_a_training_that_is_evaluated_often_is_given_a_tenth_of_its_schedule() -> None:
    # 40 epochs: four without gain end the training, although patience is a single evaluation.
    ctx, asked = scripted([0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.1, 0.1, 0.1, 0.9])
    ctx.patience = 1
    assert float(run(ctx, 40).source) == 5.0
    assert asked == list(range(1, 10))


def test_the_patience_of_released_code_holds_to_the_letter() -> None:
    ctx, asked = scripted([0.5, *[0.6] * 39])
    ctx.released_patience = 1
    assert float(run(ctx, 40).source) == 2.0
    assert asked == [1, 2, 3]


def test_a_warm_up_uses_up_no_patience_however_long_its_plateau() -> None:
    ctx, asked = scripted([0.5, *[0.1] * 99])
    ctx.patience = 1
    run(ctx, 100, earliest_stop=30)
    assert asked[-1] == 30 + 10


def test_a_loss_that_is_not_finite_raises() -> None:
    weight = nn.Parameter(torch.zeros(1))
    with pytest.raises(DivergedError, match="epoch 1"):
        train(
            [weight],
            lambda _: float("nan"),
            lambda: Embeddings(weight, weight),
            Schedule(3, sgd(1.0)),
            RunContext(rng_seed=0),
        )


def test_an_optimiser_that_restarts_every_epoch_makes_sign_steps() -> None:
    weight = nn.Parameter(torch.tensor([1.0, -1.0]))

    def step(_epoch: int) -> float:
        weight.grad = torch.tensor([3.0, -0.02])
        return 0.0

    schedule = Schedule(2, adamw(5e-4, 0.01), restart_from=1)
    train([weight], step, lambda: Embeddings(weight, weight), schedule, RunContext(rng_seed=0))
    expected = torch.tensor([1.0, -1.0])
    for _ in range(2):
        expected = expected * (1 - 5e-6) - 5e-4 * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-7)


def test_the_learning_rate_follows_its_schedule() -> None:
    weight = nn.Parameter(torch.zeros(1))

    def step(_epoch: int) -> float:
        weight.grad = -torch.ones(1)
        return 0.0

    def halved(optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=0.5)

    schedule = Schedule(3, sgd(1.0), scheduler=halved)
    train([weight], step, lambda: Embeddings(weight, weight), schedule, RunContext(rng_seed=0))
    assert float(weight.detach()) == 1.0 + 0.5 + 0.25


def test_batches_give_the_gradient_of_the_summed_loss() -> None:
    torch.manual_seed(0)
    features = torch.randn(10, 4, dtype=torch.float64)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    factor = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)

    def losses(encoded: dict[str, Tensor]) -> list[Tensor]:
        return [factor * part.tanh().sum() for part in encoded["x"].split(4)]

    total = backward_in_batches({"x": features @ weight}, losses)
    plain, plain_factor = (value.detach().clone().requires_grad_() for value in (weight, factor))
    loss = plain_factor * (features @ plain).tanh().sum()
    loss.backward()
    assert total == pytest.approx(float(loss.detach()))
    torch.testing.assert_close(weight.grad, plain.grad)
    torch.testing.assert_close(factor.grad, plain_factor.grad)


def test_pairs_that_stay_mutual_are_promoted_and_leave_the_pool() -> None:
    pairs = PseudoSeeds(torch.tensor([[0, 3]]), 3, 6, IterativeSchedule(10, 5, 10), TrainingLog())
    steady = torch.eye(3).repeat(2, 1)
    assert not pairs.after_epoch(10, lambda: steady)
    assert not pairs.after_epoch(15, lambda: steady)
    assert pairs.after_epoch(20, lambda: steady)
    assert pairs.pairs.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert not pairs.after_epoch(30, lambda: steady)


@pytest.mark.parametrize(("looks_first", "learned"), [(False, 21), (True, 20)])
def test_the_log_says_from_when_on_promoted_pairs_are_learned(
    looks_first: bool, learned: int
) -> None:
    schedule, log = IterativeSchedule(10, 5, 10, looks_first=looks_first), TrainingLog()
    pairs = PseudoSeeds(torch.tensor([[0, 3]]), 3, 6, schedule, log)
    for epoch in range(1, 41):
        pairs.after_epoch(epoch, lambda: torch.eye(3).repeat(2, 1))
    assert log.first_pseudo_epoch == learned


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        (IterativeSchedule(500, 5, 50), 551),
        (IterativeSchedule(500, 5, 50, looks_first=True), 550),
        (IterativeSchedule(10, 5, 10), 21),
        (IterativeSchedule(0, 70, 70), 71),
        (IterativeSchedule(0, 4, 6), 13),  # promotions need a look, at multiples of both
    ],
)
def test_a_schedule_is_reached_where_an_epoch_learns(
    schedule: IterativeSchedule, first: int
) -> None:
    assert schedule.is_reached(first)
    assert not schedule.is_reached(first - 1)
    log = TrainingLog()
    pairs = PseudoSeeds(torch.tensor([[0, 3]]), 3, 6, schedule, log)
    for epoch in range(1, first + 1):
        pairs.after_epoch(epoch, lambda: torch.eye(3).repeat(2, 1))
    assert log.first_pseudo_epoch == first


def test_no_patience_is_used_up_before_pairs_can_be_promoted() -> None:
    params = SeedTrainingParams(iterative=True, iterative_start=500, check_every=7)
    assert params.growth.first_promotion == 700
    assert params.schedule.earliest_stop == 700
    assert replace(params, check_every=5).schedule.earliest_stop == 550
    assert replace(params, iterative=False).schedule.earliest_stop == 0


def test_pairs_that_change_are_not_promoted() -> None:
    pairs = PseudoSeeds(torch.tensor([[0, 3]]), 3, 6, IterativeSchedule(0, 5, 10), TrainingLog())
    steady = torch.eye(3).repeat(2, 1)
    swapped = steady[[0, 1, 2, 3, 5, 4]]
    pairs.after_epoch(5, lambda: steady)
    assert not pairs.after_epoch(10, lambda: swapped)
    assert len(pairs.pairs) == 1


def test_mutual_nearest_equals_the_full_matrix() -> None:
    generator = torch.Generator().manual_seed(5)
    source, target = (torch.randn(n, 6, generator=generator) for n in (300, 280))
    scores = nn.functional.normalize(source, dim=1) @ nn.functional.normalize(target, dim=1).T
    forward, backward = scores.argmax(dim=1), scores.argmax(dim=0)
    expected = [[i, int(j)] for i, j in enumerate(forward) if int(backward[j]) == i]
    assert mutual_nearest(source, target).tolist() == expected


@pytest.mark.parametrize("k", [1, 3, 20])
def test_neighbourhood_means_of_wide_blocks_equal_a_full_sort(k: int) -> None:
    # Wide enough for maxima of chunks, with a rest; many equal scores; a first block below k rows.
    generator = torch.Generator().manual_seed(8)
    scores = torch.randint(0, 40, (90, 64 * 100 + 7), generator=generator).float()
    shape = ScoreMatrix(torch.ones(90, 1), torch.ones(scores.shape[1], 1), "inner")
    means = NeighbourhoodMeans(shape, k)
    for start in range(0, 90, 15):
        means.add(ScoreBlock(start, start + 15, scores[start : start + 15].clone()))
    expected = np.sort(scores.numpy(), axis=1)[:, -k:].mean(axis=1)
    np.testing.assert_allclose(means.means()[0].numpy(), expected, rtol=1e-6)
    expected = np.sort(scores.numpy(), axis=0)[-k:].mean(axis=0)
    np.testing.assert_allclose(means.means()[1].numpy(), expected, rtol=1e-6)


def test_greedy_pairs_by_hand() -> None:
    source = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 0.8]])
    # 0-0 scores 1, 1-0 0.9 (taken), 2-1 0.8, 1-1 0.08 (taken).
    assert most_similar_pairs(source, target, 2).tolist() == [[0, 0], [2, 1]]


def test_csls_equals_a_full_sort() -> None:
    generator = torch.Generator().manual_seed(6)
    source, target = (torch.randn(n, 5, generator=generator) for n in (300, 130))
    matrix = ScoreMatrix(source, target, "inner", block_rows=64)
    means = NeighbourhoodMeans(matrix, 10)
    for block in matrix:
        means.add(block)
    scores = (source @ target.T).numpy()
    row_means = np.sort(scores, axis=1)[:, -10:].mean(axis=1)
    column_means = np.sort(scores, axis=0)[-10:].mean(axis=0)
    np.testing.assert_allclose(means.means()[0].numpy(), row_means, rtol=1e-5)
    np.testing.assert_allclose(means.means()[1].numpy(), column_means, rtol=1e-5)
    scaled = csls(torch.tensor([[0.5]]), torch.tensor([[0.3]]), torch.tensor([0.2]))
    assert float(scaled) == pytest.approx(0.5)
