"""Makers of the optimisers that methods train with.

A maker takes parameters and returns an optimiser, so that a schedule can make it anew. Defaults are
the library's; where a paper's code ran on Keras or TensorFlow, the defaults that differ are named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

OptimiserMaker = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(learning_rate: float, weight_decay: float = 0.0) -> OptimiserMaker:
    """A maker of Adam optimisers.

    Args:
        learning_rate: Step size.
        weight_decay: L2 penalty, added to the gradient.
    """

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.Adam(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)

    return make


def tensorflow_adam(learning_rate: float, *, epsilon: float = 1e-8) -> OptimiserMaker:
    """A maker of Adam optimisers with TensorFlow's epsilon: "epsilon hat" of the paper's section 2.

    It is added to the root of the second moment before that is corrected, and so counts 32 times as
    much in the first step: numbers with tiny gradients begin more slowly.

    Args:
        learning_rate: Step size.
        epsilon: Keras has 1e-7.
    """

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return _TensorflowAdam(parameters, lr=learning_rate, eps=epsilon, fused=True)

    return make


class _TensorflowAdam(torch.optim.Adam):
    """What is added behind the correction, made anew at each step, equals what TensorFlow adds."""

    def __init__(self, parameters: Iterable[nn.Parameter], **settings: Any) -> None:
        super().__init__(parameters, **settings)
        for group in self.param_groups:
            group["epsilon"], group["n_steps"] = group["eps"], 0

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        for group in self.param_groups:
            group["n_steps"] += 1
            correction = 1 - group["betas"][1] ** group["n_steps"]
            group["eps"] = group["epsilon"] / math.sqrt(correction)
        return super().step(closure)


def adamw(learning_rate: float, weight_decay: float) -> OptimiserMaker:
    """A maker of AdamW optimisers."""

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.AdamW(
            parameters, lr=learning_rate, weight_decay=weight_decay, fused=True
        )

    return make


def adagrad(
    learning_rate: float, weight_decay: float = 0.0, *, initial_sum: float = 0.0
) -> OptimiserMaker:
    """A maker of Adagrad optimisers.

    Args:
        learning_rate: Step size.
        weight_decay: L2 penalty, added to the gradient.
        initial_sum: What the sum of squared gradients starts from; Keras and TensorFlow have 0.1,
            which damps the first steps where gradients are small.
    """

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.Adagrad(
            parameters,
            lr=learning_rate,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_sum,
        )

    return make


def sgd(learning_rate: float) -> OptimiserMaker:
    """A maker of plain stochastic gradient descent."""

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.SGD(parameters, lr=learning_rate)

    return make


def rmsprop(learning_rate: float) -> OptimiserMaker:
    """A maker of RMSprop optimisers with Keras' defaults, ``x -= rate g / (sqrt(v) + 1e-7)``.

    The old mean of squared gradients has a share of 0.9 in the new one, ``v``. MRAEA, RREA and
    Dual-AMN train so; the library's own defaults are 0.99 and 1e-8.

    Args:
        learning_rate: Step size.
    """

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=0.9, eps=1e-7)

    return make
