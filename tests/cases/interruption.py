"""Interrupts a training and lets it go on, without a disk or a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import torch

from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.view import TrainView, train_view
from mmea_bench.methods.core.base import (
    Embeddings,
    Method,
    RunContext,
    StoppedError,
    TrainingStates,
)
from tests.cases import method_battery as battery

RNG_SEED = 3


@dataclass
class MemoryStates(TrainingStates):
    """Keeps states in memory and stops the training after so many epochs of all its loops."""

    stop_after: int
    static: Mapping[str, object]
    found: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    kept: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    n_kept: int = 0
    number: int = 0
    problem: str = ""

    @property
    def is_due(self) -> bool:
        self.n_kept += 1
        return self.n_kept == self.stop_after

    @property
    def is_stop_asked(self) -> bool:
        return self.n_kept == self.stop_after

    def next_training(self) -> tuple[int, bytes] | None:
        self.number += 1
        return self.found.get(self.number)

    def keep(self, epoch: int, snapshot: bytes) -> None:
        self.kept[self.number] = (epoch, snapshot)

    def give_up(self, why: str) -> None:
        self.problem = why

    def forget(self) -> None:
        self.found.clear()


def check_continues(method_type: type[Method], pair: KGPair) -> None:
    """A training stopped at two thirds goes on to the very same vectors."""
    method = battery.configured(method_type)
    battery.skip_where_impossible(method, pair)
    view = train_view(pair, battery.tiny_split(pair).seed_links)
    whole, n_epochs, log = _fit(method, view, MemoryStates(-1, {"view": view}))
    if n_epochs == 0:
        pytest.skip("the method does not train in epochs")
    first = MemoryStates(max(1, 2 * n_epochs // 3), {"view": view})
    with pytest.raises(StoppedError):
        _fit(method, view, first)
    assert first.problem == ""
    again = MemoryStates(-1, {"view": view}, found=first.kept)
    continued, n_left, log_again = _fit(method, view, again)
    assert n_left < n_epochs
    assert torch.equal(whole.source, continued.source)
    assert torch.equal(whole.target, continued.target)
    assert log == log_again


def _fit(
    method: Method, view: TrainView, states: MemoryStates
) -> tuple[Embeddings, int, dict[str, object]]:
    """Embeddings, epochs trained in this attempt, and what the training says of itself."""
    torch.manual_seed(RNG_SEED)
    ctx = RunContext(RNG_SEED, monitor=_score, eval_every=2, states=states)
    embeddings = method.fit(view, ctx)
    return embeddings, states.n_kept, vars(ctx.log)


def _score(_epoch: int, _loss: float, embeddings: Embeddings) -> float:
    """Any number that tells checkpoints apart."""
    return float(embeddings.source.float().std())
