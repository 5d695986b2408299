"""Scores of pairs are kept by value: neither training nor an interruption changes the best ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmea_bench.bench.battery.interruption import MemoryStates
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import RunContext, StoppedError
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.training.loop import Schedule, train

ROWS = torch.arange(3)
N_EPOCHS, BEST_EPOCH = 8, 2


def fit(states: MemoryStates | None = None, *, names_state: bool = True) -> PairScores:
    """Trains a weight that is the number of its epoch; the second epoch scores best."""
    scorer = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        scorer.weight.fill_(0.0)

    def step(_epoch: int) -> float:
        with torch.no_grad():
            scorer.weight += 1.0
        return 1.0

    def embed() -> PairScores:
        state = scorer.state_dict() if names_state else {}
        return PairScores(lambda rows: scorer(torch.ones(len(rows), 1)), 3, 2, state=state)

    ctx = RunContext(0, monitor=lambda epoch, *_: -abs(epoch - BEST_EPOCH), states=states)
    return train(scorer.parameters(), step, embed, Schedule(N_EPOCHS, None, eval_every=1), ctx)


def test_the_best_epoch_is_scored_though_training_goes_on() -> None:
    assert fit().rows(ROWS).unique().tolist() == [BEST_EPOCH]


def test_the_best_epoch_of_an_interrupted_training_is_scored_too() -> None:
    interrupted = MemoryStates(5, {})
    with pytest.raises(StoppedError):
        fit(interrupted)
    continued = fit(MemoryStates(-1, {}, found=interrupted.kept))
    assert continued.rows(ROWS).unique().tolist() == [BEST_EPOCH]


def test_live_tensors_that_are_not_named_are_an_error_not_another_epoch() -> None:
    with pytest.raises(UserError, match=r"state=module\.state_dict"):
        fit(names_state=False)
