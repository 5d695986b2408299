"""SelfMEA's stage 1: entities of one graph are pushed apart, without any positive pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.parts.selfmea.momentum_queue import (
    MomentumQueue,
    follow,
    relative_similarity_loss,
)
from mmea_bench.methods.parts.selfmea.neighbourhood import NeighbourhoodEncoder


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
    encoder = NeighbourhoodEncoder(
        names, table, settings.dropout, ctx.generator("stage 1"), ctx.generator("dropout")
    ).to(ctx.device)
    key_encoder = encoder.follower()
    sizes = (n_source, len(names) - n_source)
    batches = _batches(sizes, settings.stage1_batch_size, ctx)
    queues = [
        MomentumQueue(
            max(0, min(settings.queue_batches * settings.stage1_batch_size, size - 1)),
            names.shape[1],
            ctx.device,
        )
        for size in sizes
    ]
    updates = MiniBatchSteps(
        torch.optim.Adam(encoder.parameters(), lr=settings.stage1_learning_rate, fused=True)
    )

    def epoch_steps(_epoch: int) -> float:
        total, n_steps = 0.0, 0
        for side, entities in batches:
            ctx.check_deadline()
            with torch.no_grad():
                keys = key_encoder(entities)
            if queues[side].is_full:
                queries = encoder(entities)
                own = (queries * keys).sum(dim=1) if settings.positive == "momentum" else None
                negatives = queues[side].similarities(queries, entities)
                loss = relative_similarity_loss(negatives, settings.temperature, own)
                total, n_steps = total + updates.step(loss), n_steps + 1
                follow(key_encoder, encoder, settings.momentum)
            queues[side].push(keys, entities)
        return total / max(1, n_steps)

    def embed() -> Embeddings:
        vectors = encoder.all_vectors()
        return Embeddings(vectors[:n_source], vectors[n_source:])

    schedule = Schedule(settings.stage1_epochs, None, eval_every=settings.eval_every)
    return train(encoder.parameters(), epoch_steps, embed, schedule, ctx)


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
