"""Training of a multi-modal encoder on seed links that may grow: EVA's and MCLEA's loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.multimodal import MultiModalEncoder, PairRows
from mmea_bench.methods.core.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.core.training import Schedule, backward_in_batches, train

SeedLosses = Callable[[dict[str, Tensor], Tensor], Iterable[Tensor]]
"""Called once per epoch as (modality to [n_rows, dim], positions of the pairs in these rows
[n_pairs, 2]); yields one loss per batch. Gradients of all batches are summed."""


def train_on_seeds(
    encoder: MultiModalEncoder,
    losses: SeedLosses,
    seed_pairs: Tensor,
    schedule: Schedule,
    iterative: IterativeSchedule | None,
    ctx: RunContext,
    further_parameters: Iterable[nn.Parameter] = (),
) -> Embeddings:
    """Trains an encoder on seed pairs; mutual nearest neighbours may join them late.

    Args:
        encoder: Encodes the rows that stand in a pair.
        losses: Losses of an epoch's batches.
        seed_pairs: Joint ids, [n_seed, 2] int64.
        schedule: Epochs and optimiser.
        iterative: When pseudo-labels are looked for; None is never.
        ctx: Device, monitor and log.
        further_parameters: Trained parameters of the losses.
    """
    graph = encoder.graph
    pseudo = PseudoSeeds(
        seed_pairs, graph.n_source, graph.n_entities, iterative or IterativeSchedule()
    )
    pairs = _prepared(encoder, seed_pairs, ctx.device)

    def step(_epoch: int) -> float:
        encoded = encoder.encode(pairs.rows)
        return backward_in_batches(encoded, lambda leaves: losses(leaves, pairs.positions))

    def grow(epoch: int) -> None:
        nonlocal pairs
        if pseudo.after_epoch(epoch, encoder.joint_vectors):
            pairs = _prepared(encoder, pseudo.pairs, ctx.device)

    if iterative is not None:
        first_promotion = iterative.start + iterative.promote_every
        schedule = replace(schedule, earliest_stop=first_promotion)
    parameters = [*encoder.parameters(), *further_parameters]
    after_epoch = grow if iterative is not None else None
    return train(parameters, step, encoder.embeddings, schedule, ctx, after_epoch)


def _prepared(encoder: MultiModalEncoder, pairs: Tensor, device: torch.device) -> PairRows:
    found = PairRows.of(pairs, device)
    encoder.prepare(found.rows)
    return found
