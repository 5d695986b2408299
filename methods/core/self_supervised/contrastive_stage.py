"""Entities of one graph are pushed apart, without any positive pair: SelfKG, SelfMEA's stage 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.self_supervised.momentum_queue import (
    MomentumQueue,
    follow,
    relative_similarity_loss,
)
from mmea_bench.methods.core.self_supervised.neighbourhood import NeighbourhoodEncoder
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches, total


@dataclass(frozen=True)
class ContrastSettings:
    """Parameters of the stage.

    Attributes:
        dropout: Of the attention.
        temperature: tau.
        momentum: Of the key encoder.
        queue_batches: Batches of keys that are kept, per graph.
        stage1_batch_size: Entities of a batch, all of one graph.
        stage1_epochs: Epochs.
        stage1_learning_rate: Of Adam.
        positive: What stands for a positive: the key of the same entity, or the constant 1.
        eval_every: Epochs between two evaluations.
        key_start: Where the key encoder starts, at a copy or at random values of its own.
        queued: What a queue keeps, keys or the entities, whose keys are then made anew in every
            step.
        halved_every: Every so many epochs one trains at half the rate; 0 is never.
    """

    dropout: float
    temperature: float
    momentum: float
    queue_batches: int
    stage1_batch_size: int
    stage1_epochs: int
    stage1_learning_rate: float
    positive: Literal["momentum", "constant"]
    eval_every: int
    key_start: Literal["copy", "own"] = "copy"
    queued: Literal["keys", "entities"] = "keys"
    halved_every: int = 0


def contrastive_stage(
    names: Tensor, table: Tensor, n_source: int, settings: ContrastSettings, ctx: RunContext
) -> Embeddings:
    """Stage 1: entities of one graph are pushed apart.

    Args:
        names: L2-normalised name vectors, [n_entities, dim].
        table: Entity and neighbours, [n_entities, width].
        n_source: Source entities.
        settings: Parameters of the stage.
        ctx: Device, generators, monitor and deadline.
    """
    contrast = _Contrast(names, table, n_source, settings, ctx)
    encoder = contrast.encoder

    def embed() -> Embeddings:
        vectors = encoder.all_vectors()
        return Embeddings(vectors[:n_source], vectors[n_source:])

    schedule = Schedule(settings.stage1_epochs, None, eval_every=settings.eval_every)
    return train(encoder.parameters(), contrast.epoch, embed, schedule, ctx)


class _Contrast:
    """Both encoders, a queue per graph, and the steps of an epoch."""

    def __init__(
        self,
        names: Tensor,
        table: Tensor,
        n_source: int,
        settings: ContrastSettings,
        ctx: RunContext,
    ) -> None:
        self._settings, self._ctx = settings, ctx

        def made(purpose: str) -> NeighbourhoodEncoder:
            generators = ctx.generator(purpose), ctx.generator("dropout")
            return NeighbourhoodEncoder(names, table, settings.dropout, *generators).to(ctx.device)

        self.encoder = made("stage 1")
        starts_alike = settings.key_start == "copy"
        self._key_encoder = (self.encoder if starts_alike else made("key encoder")).follower()
        sizes = (n_source, len(names) - n_source)
        self._batches = _batches(sizes, settings.stage1_batch_size, ctx)
        most = settings.queue_batches * settings.stage1_batch_size
        self._queues = [
            MomentumQueue(max(0, min(most, size - 1)), names.shape[1], ctx.device) for size in sizes
        ]
        rate = settings.stage1_learning_rate
        self._adam = torch.optim.Adam(self.encoder.parameters(), lr=rate, fused=True)
        self._updates = MiniBatchSteps(self._adam)

    def epoch(self, epoch: int) -> float:
        """Steps on all batches whose queue is full; their mean loss."""
        every, rate = self._settings.halved_every, self._settings.stage1_learning_rate
        self._adam.param_groups[0]["lr"] = rate / 2 if every and epoch % every == 0 else rate
        losses: list[Tensor] = []
        for side, entities in self._batches:
            self._ctx.check_deadline()
            with torch.no_grad():
                keys = self._key_encoder(entities)
            queue = self._queues[side]
            if queue.is_full:
                losses.append(self._step(queue, entities, keys))
            queue.push(keys, entities)
        return total(losses) / max(1, len(losses))

    def _step(self, queue: MomentumQueue, entities: Tensor, keys: Tensor) -> Tensor:
        settings = self._settings
        if settings.queued == "entities":
            queue.renew(self._key_encoder)
        queries = self.encoder(entities)
        own = (queries * keys).sum(dim=1) if settings.positive == "momentum" else None
        negatives = queue.similarities(queries, entities)
        value = self._updates.update(relative_similarity_loss(negatives, settings.temperature, own))
        follow(self._key_encoder, self.encoder, settings.momentum)
        return value


def _batches(sizes: tuple[int, int], batch_size: int, ctx: RunContext) -> list[tuple[int, Tensor]]:
    """(side, joint ids) of both graphs' batches in one order, shuffled once as in SelfKG's code."""
    generator = ctx.generator("stage 1 batches")
    batches = []
    for side, (size, offset) in enumerate(zip(sizes, (0, sizes[0]), strict=True)):
        entities = torch.arange(size) + offset
        chunks = shuffled_batches(entities, batch_size, generator)
        batches += [(side, chunk.to(ctx.device)) for chunk in chunks]
    order = torch.randperm(len(batches), generator=generator)
    return [batches[position] for position in order.tolist()]
