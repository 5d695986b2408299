"""Steps of encoders that give all entities' vectors at once, against their losses written out."""

from __future__ import annotations

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.layers.reflection_encoder import dropped
from mmea_bench.methods.core.losses.margins import hard_sample_loss
from mmea_bench.methods.core.losses.tiled_margin import tiled_margin_loss
from mmea_bench.methods.core.rounds.steps import (
    HardSampleEpochs,
    HardSampling,
    TiledMarginGradients,
)

PAIRS = torch.tensor([[0, 4], [1, 5], [2, 6]])
DROPOUT = 0.25


def table() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)


def test_a_step_has_the_gradient_of_its_loss_with_the_stand_ins_that_it_draws() -> None:
    vectors, ctx = table(), RunContext(rng_seed=0)
    step = TiledMarginGradients(lambda: vectors, 8, 3.0, DROPOUT, ctx)

    found = [step(PAIRS)]
    vectors.grad = None
    found.append(step(PAIRS))

    draws, drops = (RunContext(rng_seed=0).generator(name) for name in ("negatives", "dropout"))
    for value in found:
        stand_ins = torch.randint(8, (2, 8), generator=draws)
        loss = tiled_margin_loss(dropped(vectors, DROPOUT, drops), PAIRS, stand_ins, 3.0)
        assert value == loss.item()
    assert found[0] != found[1]
    assert torch.equal(vectors.grad, torch.autograd.grad(loss, vectors)[0])


def test_an_epoch_sums_the_losses_of_its_batches_and_steps_after_each() -> None:
    vectors, ctx = table(), RunContext(rng_seed=0)
    optimiser = torch.optim.SGD([vectors], lr=0.1)
    settings = HardSampling(margin=1.0, scale=20.0, shift=8.0, dropout=DROPOUT, batch_size=2)

    found = HardSampleEpochs(lambda: vectors, lambda: PAIRS, optimiser, settings, ctx)(1)

    plain, expected = table(), 0.0
    shuffles, drops = (RunContext(rng_seed=0).generator(name) for name in ("batches", "dropout"))
    shuffled = PAIRS[torch.randperm(3, generator=shuffles)]
    for batch in (shuffled[:2], shuffled[2:]):
        loss = hard_sample_loss(dropped(plain, DROPOUT, drops), batch, 1.0, 20.0, 8.0)
        (gradient,) = torch.autograd.grad(loss, plain)
        plain = (plain - 0.1 * gradient).detach().requires_grad_()
        expected += loss.item()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(vectors, plain)
