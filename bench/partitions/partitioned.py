"""Any method, trained on one part of the KGs after the other."""

from __future__ import annotations

import gc
import hashlib
from dataclasses import replace
from typing import ClassVar, cast

import torch

from mmea_bench.bench.partitions.cutting import Parts, cut
from mmea_bench.bench.partitions.fused import Block, block_of, fused
from mmea_bench.bench.partitions.part_views import PartView, part_view
from mmea_bench.bench.scoring.returned import checked
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView, restricted
from mmea_bench.methods.core.base import (
    Alignment,
    Method,
    Monitor,
    RunContext,
    Ticker,
    TrainingStates,
)
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.methods.core.wrapped import WrappedMethod

_STRUCTURE = "structure"


def partitioned(method: Method, n_parts: int) -> Method:
    """The method, trained on parts of the KGs in turn.

    Args:
        method: A configured method.
        n_parts: Parts, 2 or more.
    """
    return cast(Method, _Partitioned(method, n_parts))


class _Partitioned(WrappedMethod):
    """A method in all but its training, and the triples that the cut reads."""

    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment",)

    def __init__(self, method: Method, n_parts: int) -> None:
        super().__init__(method)
        self._n_parts = n_parts

    def used_modalities(self, offered: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the method, and the structure that the KGs are cut along."""
        own = self._method.used_modalities(offered)
        further = [name for name in (_STRUCTURE,) if name in offered and name not in own]
        return (*own, *further)

    def fit(self, view: TrainView, ctx: RunContext) -> Alignment:
        """Trains the method on each part; entities of different parts are no candidates.

        Raises:
            UserError: If the KGs cannot be cut so, or the dataset asks for something else.
        """
        if view.task not in self.tasks:
            raise UserError("Training in parts is for entity alignment, not for N-MMKG pairs.")
        training = _Training(cut(view, self._n_parts), ctx)
        for number in range(self._n_parts):
            ctx.check_deadline()
            training.run(self._method, part_view(view, training.parts, number), number)
            gc.collect()  # a training's objects refer to each other; the next needs their memory
        return training.returned()


class _Training:
    """The parts that are trained so far.

    Epochs are counted through all parts: the first of the second part follows the last of the
    first.

    Attributes:
        parts: The part of every entity.
    """

    def __init__(self, parts: Parts, ctx: RunContext) -> None:
        self.parts, self._ctx = parts, ctx
        self._blocks: dict[int, Block] = {}
        self._device, self._similarity = ctx.device, ""

    def run(self, method: Method, part: PartView, number: int) -> None:
        """Trains the part of this number."""
        whole = self._ctx
        seen = restricted(part.view, method.used_modalities(part.view.modalities))
        states = None if whole.states is None else _PartStates(whole.states, seen)
        ctx = replace(
            whole,
            rng_seed=part_seed(whole.rng_seed, number),
            monitor=self._monitor(number, part),
            tick=self._ticker(number),
            states=states,
            log=TrainingLog(),
        )
        torch.manual_seed(ctx.rng_seed)
        # A method of its own for each part: one may keep things between its set-up and its end.
        self._keep(number, part, type(method)(method.params).fit(seen, ctx))
        _add(whole.log, ctx.log)

    def returned(self) -> Alignment:
        """The scores of all parts."""
        return fused(self.parts, self._blocks, self._device, self._similarity)

    def _keep(self, number: int, part: PartView, returned: object) -> None:
        found = checked(returned, (len(part.sources), len(part.targets)))
        self._blocks[number] = block_of(found)
        self._device = found.device if isinstance(found, PairScores) else found.source.device
        self._similarity = found.similarity

    def _monitor(self, number: int, part: PartView) -> Monitor | None:
        """Shows the finished parts with what the current one offers; others score nothing yet."""
        watch, before = self._ctx.monitor, self._ctx.log.epochs
        if watch is None:
            return None

        def offered(epoch: int, loss: float, alignment: Alignment) -> float | None:
            self._keep(number, part, alignment)
            return watch(before + epoch, loss, self.returned())

        return offered

    def _ticker(self, number: int) -> Ticker | None:
        tick, before, left = self._ctx.tick, self._ctx.log.epochs, self.parts.n_parts - number
        if tick is None:
            return None

        def ticked(epoch: int, n_epochs: int, loss: float) -> None:
            tick(before + epoch, before + left * n_epochs, loss)

        return ticked


def part_seed(rng_seed: int, number: int) -> int:
    """Seed of the training of a part, in [0, 2**32)."""
    digest = hashlib.sha256(f"{rng_seed} part {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _add(whole: TrainingLog, part: TrainingLog) -> None:
    """Adds what a part's training reports to what those before it did."""
    if part.is_iterative:  # what was promoted after a part's last epoch trained nothing
        whole.pseudo_labels_from(whole.epochs + part.first_pseudo_epoch)
    whole.best_epoch = whole.epochs + part.best_epoch
    whole.epochs += part.epochs
    whole.n_parameters += part.n_parameters
    whole.simulated |= part.simulated


class _PartStates(TrainingStates):
    """The store of the whole cell, for a training whose data are those of a part."""

    def __init__(self, states: TrainingStates, view: TrainView) -> None:
        self._states = states
        self.static = {"view": view, "source": view.source, "target": view.target}

    @property
    def is_due(self) -> bool:
        return self._states.is_due

    @property
    def is_stop_asked(self) -> bool:
        return self._states.is_stop_asked

    def next_training(self) -> tuple[int, bytes] | None:
        return self._states.next_training()

    def keep(self, epoch: int, snapshot: bytes) -> None:
        self._states.keep(epoch, snapshot)

    def give_up(self, why: str) -> None:
        self._states.give_up(why)

    def begin_anew(self, why: str) -> None:
        self._states.begin_anew(why)
