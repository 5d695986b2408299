"""Interrupts a training and lets it go on, without a disk or a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmea_bench.bench.battery.failures import CheckFailedError, NotApplicableError, require
from mmea_bench.bench.battery.fits import RNG_SEED, applicable, brief, is_same, numbers_of
from mmea_bench.bench.battery.small_pairs import tiny_pair_for, tiny_view
from mmea_bench.bench.precision.repeatable import fit_repeatably
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import (
    Alignment,
    Method,
    RunContext,
    StoppedError,
    TrainingStates,
)


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
        """Every epoch counts; the state is kept at the last one only."""
        self.n_kept += 1
        return self.n_kept == self.stop_after

    @property
    def is_stop_asked(self) -> bool:
        """Whether the epoch to stop after is reached."""
        return self.n_kept == self.stop_after

    def next_training(self) -> tuple[int, bytes] | None:
        """What an earlier attempt kept of the loop that begins."""
        self.number += 1
        return self.found.get(self.number)

    def keep(self, epoch: int, snapshot: bytes) -> None:
        """Keeps the state of the current loop."""
        self.kept[self.number] = (epoch, snapshot)

    def give_up(self, why: str) -> None:
        """Notes why the state could not be written down."""
        self.problem = why

    def begin_anew(self, why: str) -> None:
        """Notes why the state could not be put back."""
        self.problem = why


def check_continues(method_type: type[Method]) -> None:
    """A training stopped at two thirds goes on to the very same vectors."""
    pair = tiny_pair_for(method_type)
    method = applicable(brief(method_type), pair)
    view = tiny_view(pair, method)
    whole, n_epochs, log = _fit(method, view, MemoryStates(-1, {"view": view}))
    if n_epochs == 0:
        raise NotApplicableError("the method does not train in epochs")
    first = MemoryStates(max(1, 2 * n_epochs // 3), {"view": view})
    try:
        _fit(method, view, first)
    except StoppedError:
        pass
    else:
        reason = first.problem or "the training did not stop when it was asked to"
        raise CheckFailedError(
            f"The state of a training is not kept: {reason}. Train with `train` of methods.api and "
            "let the step, `embed` and `after_epoch` hold plain objects only."
        )
    require(first.problem == "", f"The state of a training is not kept: {first.problem}.")
    again = MemoryStates(-1, {"view": view}, found=first.kept)
    continued, n_left, log_again = _fit(method, view, again)
    require(n_left < n_epochs, "A training that was stopped begins anew instead of going on.")
    require(
        is_same(whole, continued) and log == log_again,
        "A training that was stopped and goes on gives other vectors than one that ran through. "
        "Some of its state is out of reach of `train`: let the step, `embed` or `after_epoch` hold "
        "whatever changes from epoch to epoch, random generators included.",
    )


def _fit(
    method: Method, view: TrainView, states: MemoryStates
) -> tuple[Alignment, int, dict[str, object]]:
    """Embeddings, epochs trained in this attempt, and what the training says of itself."""
    ctx = RunContext(RNG_SEED, monitor=_score, eval_every=2, states=states)
    alignment = fit_repeatably(method, view, ctx)
    return alignment, states.n_kept, vars(ctx.log)


def _score(_epoch: int, _loss: float, alignment: Alignment) -> float:
    """Any number that tells checkpoints apart."""
    return float(numbers_of(alignment)[0].float().std())
