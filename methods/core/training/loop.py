"""The training loop that methods share: epochs, optimiser, checkpoint, early stop, deadline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Alignment, DivergedError, Embeddings, RunContext
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.training.minibatch import total
from mmea_bench.methods.core.training.optimisers import OptimiserMaker
from mmea_bench.methods.core.training.resume import Resumable

AlignmentT = TypeVar("AlignmentT", bound=Alignment)

Step = Callable[[int], float]
"""One epoch (counted from 1): leaves gradients behind and returns the loss.

Where the schedule has no optimiser, the step has already updated the parameters itself."""

# Sums on a GPU may end in another order.
_RTOL, _ATOL = 1e-3, 1e-5


@dataclass(frozen=True)
class Schedule:
    """How long and with what optimiser to train.

    Attributes:
        epochs: Number of epochs.
        optimiser: Makes the optimiser that steps once at the end of every epoch; None where an
            epoch makes its own steps.
        restart_from: Epoch (counted from 1) from which on the optimiser is made anew before every
            step; None is never. EVA's and MCLEA's released code does so from epoch 501 on, which
            turns AdamW into sign descent.
        eval_every: Epochs between two evaluations, where the protocol does not say.
        scheduler: Makes the learning-rate schedule of an optimiser, stepped once per epoch (such
            as ``torch.optim.lr_scheduler.CosineAnnealingLR``); None keeps the rate.
        earliest_stop: Last epoch of a warm-up, or before a second stage of the training (such as
            iterative learning) has begun: patience is counted from there on, since a plateau must
            keep neither from its end.
        round_epochs: Epochs between two promotions of pairs, 0 without any: patience is no shorter,
            since what a round adds shows behind it.
    """

    epochs: int
    optimiser: OptimiserMaker | None
    restart_from: int | None = None
    eval_every: int = 50
    scheduler: Callable[[Optimizer], LRScheduler] | None = None
    earliest_stop: int = 0
    round_epochs: int = 0

    def __post_init__(self) -> None:
        if self.restart_from is not None and self.scheduler is not None:
            raise ValueError("an optimiser that restarts every epoch cannot follow a schedule")

    def patience(self, n_evaluations: int, eval_every: int) -> int:
        """Epochs without a better score after which the training stops; 0 is never.

        As many as these evaluations take, and no fewer than a tenth of the schedule or a round: a
        method that is evaluated every epoch is given as much time to progress as one that seldom
        is.

        Args:
            n_evaluations: Patience of the protocol; 0 is never.
            eval_every: Epochs between two evaluations.
        """
        if not n_evaluations:
            return 0
        return max(n_evaluations * eval_every, -(-self.epochs // 10), self.round_epochs)


def warmed_up_cosine(optimiser: Optimizer, n_steps: int, warm_up_share: float) -> LambdaLR:
    """Learning rate that rises linearly from 0 and then falls to 0 along half a cosine.

    Behind the last step, which a training with ever more pseudo-labels may pass, it rises along
    the cosine again, as in the library that the released programs use.

    Args:
        optimiser: Whose rate it sets; step it once per optimiser step.
        n_steps: Steps until the rate is 0 again.
        warm_up_share: Share of the steps that rise.
    """
    n_warm_up = int(warm_up_share * n_steps)

    def factor(n_done: int) -> float:
        if n_done < n_warm_up:
            return n_done / n_warm_up
        progress = (n_done - n_warm_up) / max(1, n_steps - n_warm_up)
        return (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimiser, factor)


def count_parameters(parameters: Iterable[nn.Parameter]) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in parameters if parameter.requires_grad)


def train(
    parameters: Iterable[nn.Parameter],
    step: Step,
    embed: Callable[[], AlignmentT],
    schedule: Schedule,
    ctx: RunContext,
    after_epoch: Callable[[int], None] | None = None,
) -> AlignmentT:
    """Trains and returns the embeddings that the protocol's checkpoint rule chooses.

    Args:
        parameters: What is trained.
        step: Computes one epoch's gradients.
        embed: Current embeddings, without gradients; or ``PairScores`` that hold copies of what is
            trained, or name the live tensors in ``state``.
        schedule: Length and optimiser.
        ctx: Monitor, patience, deadline and progress.
        after_epoch: Called after every optimiser step, for pseudo-labels.

    Raises:
        DivergedError: If the loss is not finite.
        DeadlineError: If the deadline has passed.
        StoppedError: If the training was asked to stop; the next attempt goes on from there.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    ctx.log.n_parameters = count_parameters(trained)
    updates = _Updates(trained, schedule)
    eval_every = ctx.eval_every or schedule.eval_every
    patience = schedule.patience(ctx.patience, eval_every) or ctx.released_patience * eval_every
    checkpoint = Checkpoint(ctx, patience, schedule.earliest_stop)
    resumable = Resumable(ctx, (trained, updates, checkpoint, step, embed, after_epoch))
    for epoch in range(resumable.first_epoch(), schedule.epochs + 1):
        ctx.check_deadline()
        updates.begin(epoch)
        loss = step(epoch)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss was {loss} in epoch {epoch}")
        updates.finish()
        if after_epoch is not None:
            after_epoch(epoch)
        if ctx.tick is not None:
            ctx.tick(epoch, schedule.epochs, loss)
        if epoch % eval_every == 0 or epoch == schedule.epochs:
            checkpoint.offer(epoch, loss, embed)
            if checkpoint.exhausted:
                break
        resumable.epoch_ended(epoch, is_last=epoch == schedule.epochs)
    return checkpoint.chosen(embed)


class _Updates:
    """The optimiser's part of an epoch; nothing where epochs make their own steps."""

    def __init__(self, parameters: list[nn.Parameter], schedule: Schedule) -> None:
        self._parameters, self._schedule = parameters, schedule
        self._optimiser = schedule.optimiser(parameters) if schedule.optimiser else None
        self._scheduler: LRScheduler | None = None
        if self._optimiser is not None and schedule.scheduler is not None:
            self._scheduler = schedule.scheduler(self._optimiser)

    def begin(self, epoch: int) -> None:
        restart, make = self._schedule.restart_from, self._schedule.optimiser
        if make is not None and restart is not None and epoch >= restart:
            self._optimiser = make(self._parameters)
        if self._optimiser is not None:
            self._optimiser.zero_grad(set_to_none=True)

    def finish(self) -> None:
        if self._optimiser is not None:
            self._optimiser.step()
        if self._scheduler is not None:
            self._scheduler.step()


class Checkpoint:
    """Keeps the embeddings that scored best, where the protocol lets a training see a score.

    Args:
        ctx: Its monitor scores.
        patience: Epochs without a better score that end the training; 0 is never.
        earliest_stop: Epochs up to this one use up no patience.
    """

    def __init__(self, ctx: RunContext, patience: int = 0, earliest_stop: int = 0) -> None:
        self._ctx, self._patience, self._earliest_stop = ctx, patience, earliest_stop
        self._best: _Kept | None = None
        self._best_score = -math.inf
        self._without_gain = 0

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return 0 < self._patience <= self._without_gain

    def offer(self, epoch: int, loss: float, embed: Callable[[], Alignment]) -> None:
        """Scores the current embeddings and keeps them if they are the best so far.

        Args:
            epoch: Epoch just trained.
            loss: Its loss.
            embed: Current embeddings.
        """
        self._ctx.log.epochs = epoch
        if self._ctx.monitor is None:
            self._ctx.log.best_epoch = epoch
            return
        embeddings = embed()
        score = self._ctx.monitor(epoch, loss, embeddings)
        if score is None:
            self._best, self._ctx.log.best_epoch = _Kept(embeddings), epoch
        elif score > self._best_score:
            self._best, self._best_score, self._without_gain = _Kept(embeddings), score, 0
            self._ctx.log.best_epoch = epoch
        else:
            self._without_gain = epoch - max(self._ctx.log.best_epoch, self._earliest_stop)

    def chosen(self, embed: Callable[[], AlignmentT]) -> AlignmentT:
        """What was kept; the current one if nothing was scored.

        Raises:
            UserError: If kept ``PairScores`` score otherwise than when they were kept.
        """
        return embed() if self._best is None else cast("AlignmentT", self._best.restored(embed))


class _Kept:
    """What scored best, by value: a method may go on changing what it is made of in place.

    Of ``PairScores`` with a ``state`` the values of its tensors are kept alone. They are written
    into the live ones in the end, and the function is made anew: after an interruption the old one
    would read tensors that are no longer those of the training.
    """

    def __init__(self, alignment: Alignment) -> None:
        self._alignment: Alignment | None = alignment
        self._state: dict[str, Tensor] = {}
        self._probe: Tensor | None = None
        if isinstance(alignment, Embeddings):
            self._alignment = alignment.clone()
        else:
            self._probe = _probe(alignment)
            self._state = {
                name: values.detach().clone() for name, values in alignment.state.items()
            }
            if self._state:
                self._alignment = None

    def restored(self, embed: Callable[[], Alignment]) -> Alignment:
        """What was kept, given what makes a current one."""
        alignment = embed() if self._alignment is None else self._alignment
        if isinstance(alignment, Embeddings) or self._probe is None:
            return alignment
        with torch.no_grad():
            for name, values in self._state.items():
                alignment.state[name].copy_(values)
        if not torch.allclose(_probe(alignment), self._probe, _RTOL, _ATOL, equal_nan=True):
            raise UserError(
                "The PairScores of the best epoch score otherwise than when they were kept: "
                "score_block reads tensors that training went on changing, or draws at random. "
                "Give it detached copies, or name the live tensors in state=module.state_dict(), "
                "and switch dropout off."
            )
        return alignment


def _probe(scores: PairScores) -> Tensor:
    """A few scores, by which a function is known again, [<= 2, n_target]."""
    return scores.rows(torch.arange(min(2, scores.n_source))).clone()


def backward_in_batches(
    encoded: Mapping[str, Tensor], losses: Callable[[dict[str, Tensor]], Iterable[Tensor]]
) -> float:
    """Gradients of a sum of batch losses with one backward pass through the encoder.

    Each batch's graph is freed before the next is built, so memory does not grow with the number
    of batches; the gradients equal those of one backward pass on the summed loss.

    Args:
        encoded: Encoder outputs by name, with their graphs.
        losses: Yields one loss per batch, computed from detached copies of the outputs.

    Returns:
        The summed loss.
    """
    leaves = {name: vectors.detach().requires_grad_() for name, vectors in encoded.items()}
    values = []
    for loss in losses(leaves):
        loss.backward()  # type: ignore[no-untyped-call]
        values.append(loss.detach())
    reached = [name for name in encoded if leaves[name].grad is not None]
    torch.autograd.backward(
        [encoded[name] for name in reached], [leaves[name].grad for name in reached]
    )
    return total(values)
