"""Makers of the optimisers that methods train with.

A maker takes parameters and returns an optimiser, so that a schedule can make it anew. Defaults are
the library's; where a paper's code ran on Keras or TensorFlow, the defaults that differ are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer

OptimiserMaker = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(
    learning_rate: float, weight_decay: float = 0.0, *, epsilon: float = 1e-8
) -> OptimiserMaker:
    """A maker of Adam optimisers.

    Args:
        learning_rate: Step size.
        weight_decay: L2 penalty, added to the gradient.
        epsilon: Added to the root of the corrected second moment; Keras has 1e-7.
    """

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.Adam(
            parameters, lr=learning_rate, weight_decay=weight_decay, eps=epsilon, fused=True
        )

    return make


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
