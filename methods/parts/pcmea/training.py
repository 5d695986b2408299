"""PCMEA's training: a momentum copy sets targets, pseudo-labels have to be proposed twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.training.loop import backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams
from mmea_bench.methods.core.training_log import TrainingLog
from mmea_bench.methods.parts.pcmea.encoder import AdaptedEncoder
from mmea_bench.methods.parts.pcmea.losses import PCMEALosses

Calibration = Literal["previous", "any earlier", "none"]
"""At which promotion a pair must have been proposed already to be promoted."""

_COMPANIONS_CHANGE = 50
_MOST_COMPANIONS = 5


class CalibratedSeeds(PseudoSeeds):
    """Training pairs to which a pair is added once it was proposed at two promotions.

    Args:
        seed_pairs: Seed links as joint ids, [n_seed, 2] int64.
        sizes: Entities of the source KG and of both.
        schedule: When to look and promote.
        log: Told from which epoch on pseudo-labels are learned.
        calibration: Whether the promotion just before counts (what is meant) or any (as released).
    """

    def __init__(
        self,
        seed_pairs: Tensor,
        sizes: tuple[int, int],
        schedule: IterativeSchedule,
        log: TrainingLog,
        calibration: Calibration,
    ) -> None:
        super().__init__(seed_pairs, *sizes, schedule, log)
        self._calibration = calibration
        self._proposed = torch.empty(0, dtype=torch.int64)

    def confirmed(self, candidates: Tensor) -> Tensor:
        """Those that were candidates at a promotion before."""
        before = self._proposed
        if self._calibration == "none":
            return candidates
        keeps = self._calibration == "any earlier"
        self._proposed = torch.cat([before, candidates]) if keeps else candidates
        return candidates[torch.isin(candidates, before)]


class MomentumCopy:
    """A copy of an encoder whose parameters follow the trained ones slowly.

    Args:
        encoder: What is trained; shares its inputs with the copy.
        start: Epoch after which the copy is made.
        every: Epochs between two updates.
        momentum: Weight of the copy's own values in an update.
    """

    def __init__(self, encoder: AdaptedEncoder, start: int, every: int, momentum: float) -> None:
        self._encoder = encoder
        self._start, self._every, self._momentum = start, every, momentum
        self.parameters: dict[str, Tensor] = {}

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> None:
        """Makes the copy, or lets it follow."""
        if epoch < self._start:
            return
        current = dict(self._encoder.named_parameters())
        if not self.parameters:
            self.parameters = {name: each.detach().clone() for name, each in current.items()}
        elif (epoch - self._start) % self._every == 0:
            for name, own in self.parameters.items():
                own.lerp_(current[name], 1 - self._momentum)

    @torch.no_grad()
    def joint(self, rows: Tensor) -> Tensor | None:
        """Joint vectors of the prepared rows by the copy, without drop-out; None before it."""
        if not self.parameters:
            return None
        joint: Tensor = functional_call(
            _Joint(self._encoder),
            {f"encoder.{name}": each for name, each in self.parameters.items()},
            (rows,),
        )
        return joint


class _Joint(nn.Module):
    """Joint vectors as a module's output."""

    def __init__(self, encoder: AdaptedEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, rows: Tensor) -> Tensor:
        return self.encoder.joint(self.encoder(rows, training=False))


@dataclass(frozen=True)
class CopyParams:
    """Of batches, the momentum copy and the calibration; see ``PCMEAParams``."""

    batch_size: int
    momentum_start: int
    momentum_every: int
    momentum: float
    calibration: Calibration
    companions_until_start: int


class PairBatches:
    """Shuffled pairs in batches; early in training each pair is followed by some arbitrary ones.

    The released code means similar pairs, but looks them up by the wrong ids. Its list with these
    companions is made every 50 epochs and kept until the next one.

    Args:
        batch_size: Pairs of a batch, companions included.
        companions_until: Last epoch with companions.
        generator: On the CPU.
    """

    def __init__(self, batch_size: int, companions_until: int, generator: torch.Generator) -> None:
        self._batch_size, self._until, self._generator = batch_size, companions_until, generator
        self._made_for = (0, 0)
        self._rows = torch.empty(0, dtype=torch.int64)

    def of(self, positions: Tensor, epoch: int) -> list[Tensor]:
        """The batches of an epoch, [b, 2] each.

        Args:
            positions: Of all pairs, [n_pairs, 2].
            epoch: Counted from 1.
        """
        n, n_each = len(positions), n_companions(epoch, self._until)
        if not n_each:
            return list(shuffled_batches(positions, self._batch_size, self._generator))
        if self._made_for != (n, n_each):
            order = torch.randperm(n, generator=self._generator).unsqueeze(1)
            drawn = torch.randint(n, (n, n_each), generator=self._generator)
            self._made_for, self._rows = (n, n_each), torch.cat([order, drawn], dim=1).flatten()
        return list(torch.split(positions[self._rows.to(positions.device)], self._batch_size))


def n_companions(epoch: int, until: int) -> int:
    """5, 4, 3, 2, 1 in runs of 50 epochs (counted from 1) until that epoch, 0 from there on."""
    return _MOST_COMPANIONS - (epoch - 1) // _COMPANIONS_CHANGE if epoch <= until else 0


def train_pcmea(
    encoder: AdaptedEncoder,
    losses: PCMEALosses,
    seed_pairs: Tensor,
    loop: SeedTrainingParams,
    params: CopyParams,
    ctx: RunContext,
) -> Embeddings:
    """Trains with one step per epoch on the summed gradients of all batches.

    Args:
        encoder: Encodes the rows that stand in a pair.
        losses: Of an epoch's batches.
        seed_pairs: Joint ids, [n_seed, 2] int64.
        loop: Length, optimiser and growth of the pairs.
        params: Of batches, copy and calibration.
        ctx: Device, monitor and log.
    """
    graph = encoder.graph
    sizes = (graph.n_source, graph.n_entities)
    pseudo = CalibratedSeeds(seed_pairs, sizes, loop.growth, ctx.log, params.calibration)
    copy = MomentumCopy(encoder, params.momentum_start, params.momentum_every, params.momentum)
    made = PairBatches(params.batch_size, params.companions_until_start, ctx.generator("batches"))
    pairs = _prepared(encoder, seed_pairs, ctx.device)

    def step(epoch: int) -> float:
        batches = made.of(pairs.positions, epoch)
        target = copy.joint(pairs.rows)
        encoded = encoder(pairs.rows, training=True)
        return backward_in_batches(encoded, lambda leaves: losses(leaves, batches, target))

    def after_epoch(epoch: int) -> None:
        nonlocal pairs
        copy.after_epoch(epoch)
        if loop.iterative and pseudo.after_epoch(epoch, encoder.joint_vectors):
            pairs = _prepared(encoder, pseudo.pairs, ctx.device)

    parameters = [*encoder.parameters(), *losses.parameters()]
    after: Callable[[int], None] = after_epoch
    return train(parameters, step, encoder.embeddings, loop.schedule, ctx, after)


def _prepared(encoder: AdaptedEncoder, pairs: Tensor, device: torch.device) -> PairRows:
    found = PairRows.of(pairs, device)
    encoder.prepare(found.rows)
    return found
