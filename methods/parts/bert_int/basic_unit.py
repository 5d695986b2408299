"""BERT-INT's basic unit: a dense layer on texts' vectors, trained on seed pairs by a margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.layers.encoders import Linear
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.negatives import nearest_entities


@dataclass(frozen=True)
class UnitSettings:
    """Parameters of the first step.

    Attributes:
        dim: Columns of the vectors.
        unit_epochs: Epochs.
        unit_batch_size: Seed pairs, each with one of its negatives, of a batch.
        unit_learning_rate: Of AdamW.
        unit_margin: Between L1 distances.
        unit_negatives: Of a seed pair.
        unit_pool: Nearest entities that negatives are drawn from.
        unit_dropout: Of the texts' vectors.
    """

    dim: int
    unit_epochs: int
    unit_batch_size: int
    unit_learning_rate: float
    unit_margin: float
    unit_negatives: int
    unit_pool: int
    unit_dropout: float


def trained_unit(
    texts: Tensor, pairs: Tensor, n_source: int, settings: UnitSettings, ctx: RunContext
) -> nn.Module:
    """The dense layer, trained on seed pairs; negatives are mined anew in every epoch.

    Args:
        texts: Frozen vectors of all entities' texts, of any length, [n_entities, n_in].
        pairs: Seed pairs as joint ids, [n_seed, 2].
        n_source: Entities of the source KG.
        settings: Parameters.
        ctx: Device and generators.
    """
    unit = Linear(texts.shape[1], settings.dim, ctx.generator("basic unit")).to(ctx.device)
    # Distances do not see the bias: it would stay where it starts, and tilt all cosines; those of
    # texts without a token would be 1.
    nn.init.zeros_(unit.bias)
    unit.bias.requires_grad = False
    # The released code takes the AdamW of transformers 2.1, which decays nothing unless asked to;
    # torch's would take .01 of the rate off the weights at every step; its epsilon is 1e-6.
    optimiser = torch.optim.AdamW(
        unit.parameters(), lr=settings.unit_learning_rate, weight_decay=0.0, eps=1e-6
    )
    updates = MiniBatchSteps(optimiser)
    drawn, dropped = ctx.generator("unit negatives"), ctx.generator("unit dropout")

    def losses() -> Iterator[Tensor]:
        with torch.no_grad():
            vectors = unit(texts)
        rows = mined(vectors, pairs, n_source, settings, drawn).to(ctx.device)
        for batch in shuffled_batches(rows, settings.unit_batch_size, drawn):
            ctx.check_deadline()
            given = texts[batch.flatten()]
            kept = torch.rand(given.shape, generator=dropped) >= settings.unit_dropout
            given = given * kept.to(given.device) / (1 - settings.unit_dropout)
            yield margin_of(unit(given).view(len(batch), 4, -1), settings.unit_margin)

    for _ in range(settings.unit_epochs):
        updates.mean_loss(losses())
    return unit


def margin_of(rows: Tensor, margin: float) -> Tensor:
    """Mean of ``[d(e, e') - d(n, n') + margin]_+`` of L1 distances.

    Args:
        rows: Vectors of e, e', n and n', [b, 4, dim].
        margin: Between them.
    """
    own = (rows[:, 0] - rows[:, 1]).abs().sum(dim=1)
    others = (rows[:, 2] - rows[:, 3]).abs().sum(dim=1)
    return relu(own - others + margin).mean()


def mined(
    vectors: Tensor,
    pairs: Tensor,
    n_source: int,
    settings: UnitSettings,
    generator: torch.Generator,
) -> Tensor:
    """Seed pairs and negative pairs, (e, e', n, n') as joint ids, [<= n_seed * n_negatives, 4].

    A coin chooses which entity is replaced, by one of those of its own KG that are nearest (by
    cosine) to the entity that stays. Where that is the partner itself, the negative is left out.
    """
    n_entities, device = len(vectors), vectors.device
    ids = (torch.arange(n_source, device=device), torch.arange(n_source, n_entities, device=device))
    repeated = pairs.repeat_interleave(settings.unit_negatives, dim=0)
    coins = torch.rand(len(repeated), generator=generator) < 0.5
    shares = torch.rand(len(repeated), generator=generator, dtype=torch.float64)
    negatives = repeated.clone()
    for side in (0, 1):  # the side that is replaced
        chosen = torch.nonzero(coins if side else ~coins).squeeze(1)
        stays, place = torch.unique(repeated[chosen, 1 - side], return_inverse=True)
        size = min(settings.unit_pool, len(ids[side]))
        near = nearest_entities(vectors, stays.to(device), ids[side], size, "cosine").cpu()
        columns = (shares[chosen] * size).long()
        negatives[chosen, side] = near[place, columns].long()
    differs = (negatives != repeated).any(dim=1)
    return torch.cat([repeated, negatives], dim=1)[differs]
