"""Optimisers against steps computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mmea_bench.methods.core.training.optimisers import (
    OptimiserMaker,
    adagrad,
    adam,
    adamw,
    rmsprop,
    sgd,
    tensorflow_adam,
)


def after_steps(make: OptimiserMaker, gradients: list[float], start: float = 1.0) -> float:
    """A number after one step per gradient, in double precision."""
    weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimiser = make([weight])
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
    return weight.item()


def test_rmsprop_has_keras_share_and_its_epsilon_outside_the_root() -> None:
    gradients, rate = [1e-6, 2e-6], 0.5
    weight, mean = 1.0, 0.0
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient**2
        weight -= rate * gradient / (math.sqrt(mean) + 1e-7)
    assert after_steps(rmsprop(rate), gradients) == pytest.approx(weight, rel=1e-12)


def test_adagrad_divides_by_the_root_of_the_summed_squares() -> None:
    expected = 1.0 - 0.1 * 3 / math.sqrt(9) - 0.1 * 4 / math.sqrt(25)
    assert after_steps(adagrad(0.1), [3.0, 4.0]) == pytest.approx(expected)


def test_adagrad_starts_from_tensorflows_sum_where_asked() -> None:
    expected = 1.0 - 0.1 * 0.3 / math.sqrt(0.1 + 0.09)
    assert after_steps(adagrad(0.1, initial_sum=0.1), [0.3]) == pytest.approx(expected)


def test_adagrad_adds_the_penalty_to_the_gradient() -> None:
    first = 3.0 + 0.5 * 2.0
    expected = 2.0 - 0.1 * first / math.sqrt(first**2)
    assert after_steps(adagrad(0.1, 0.5), [3.0], start=2.0) == pytest.approx(expected)


def test_adam_corrects_both_moments() -> None:
    mean, square = 0.9 * (0.1 * 2) + 0.1 * -1, 0.999 * (0.001 * 4) + 0.001 * 1
    mean, square = mean / (1 - 0.9**2), square / (1 - 0.999**2)
    expected = 1.0 - 0.01 * 2 / (2 + 1e-8) - 0.01 * mean / (math.sqrt(square) + 1e-8)
    assert after_steps(adam(0.01), [2.0, -1.0]) == pytest.approx(expected)


def test_adam_of_tensorflow_adds_its_epsilon_before_the_correction() -> None:
    weight, mean, square = 1.0, 0.0, 0.0
    for step, gradient in enumerate([2e-7, -1e-7], start=1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        rate = 0.01 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * mean / (math.sqrt(square) + 1e-7)
    found = after_steps(tensorflow_adam(0.01, epsilon=1e-7), [2e-7, -1e-7])
    assert found == pytest.approx(weight, rel=1e-12)


def test_adam_of_tensorflow_goes_on_where_it_was_kept() -> None:
    weights = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2)]
    whole, first = (tensorflow_adam(0.01, epsilon=1e-3)([weight]) for weight in weights)
    for weight, optimiser in zip(weights, (whole, first), strict=True):
        weight.grad = torch.full_like(weight, 1e-3)
        optimiser.step()
    later = tensorflow_adam(0.01, epsilon=1e-3)([weights[1]])
    later.load_state_dict(first.state_dict())
    for optimiser in (whole, later):
        optimiser.step()
    assert weights[0].item() == weights[1].item()


def test_adamw_shrinks_the_weight_beside_the_step() -> None:
    expected = 1.0 * (1 - 0.01 * 0.5) - 0.01 * 2 / (2 + 1e-8)
    assert after_steps(adamw(0.01, 0.5), [2.0]) == pytest.approx(expected)


def test_sgd_follows_the_gradient() -> None:
    assert after_steps(sgd(0.5), [1.0, -3.0]) == pytest.approx(2.0)
