"""Views of entities to one vector: weights by agreement, and MultiKE's shared space learnt last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.layers.encoders import xavier_normal
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, shuffled_batches
from mmea_bench.methods.core.training.optimisers import adagrad


def weighted_sum(views: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Views weighted by their mean cosine with the mean of all views, [n, dim], and the weights.

    Args:
        views: Unit rows of all entities by view, [n, dim] each.
    """
    stacked = torch.stack(list(views.values()))
    mean = normalize(stacked.mean(dim=0), dim=1)
    agreement = (stacked * mean).sum(dim=2).mean(dim=1)
    weights = agreement / agreement.sum()
    total = (weights[:, None, None] * stacked).sum(dim=0)
    return total, dict(zip(views, weights.tolist(), strict=True))


@dataclass(frozen=True)
class SharedSpaceSettings:
    """Parameters of the space that is learnt after the views.

    Attributes:
        space_epochs: Epochs.
        batch_size: Entities of a batch.
        learning_rate: Of Adagrad.
        orthogonality: Weight of the maps' distance from orthogonal ones.
        map_decay: Of the maps' squares.
        eval_every: Epochs between two evaluations.
    """

    space_epochs: int
    batch_size: int
    learning_rate: float
    orthogonality: float
    map_decay: float
    eval_every: int


def space_loss(
    entities: Tensor, views: Tensor, maps: Tensor, orthogonality: float, decay: float
) -> Tensor:
    """``sum_v |e - norm(x_v Z_v)|^2 + w |Z_v Z_v' - I|_F^2 + decay |Z_v|_F^2``.

    Args:
        entities: Rows of the shared space, [b, dim].
        views: Frozen rows, [n_views, b, dim].
        maps: ``Z``, [n_views, dim, dim].
        orthogonality: w.
        decay: Of the maps.
    """
    mapped = views @ maps
    # The released code normalises over the whole batch.
    mapped = mapped / mapped.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None]
    identity = torch.eye(maps.shape[1], device=maps.device)
    gaps = (maps @ maps.transpose(1, 2) - identity).square().sum()
    apart = (entities - mapped).square().sum()
    loss: Tensor = apart + orthogonality * gaps + decay * maps.square().sum()
    return loss


def shared_space(
    views: Mapping[str, Tensor], n_source: int, settings: SharedSpaceSettings, ctx: RunContext
) -> Embeddings:
    """Entities of a space to which frozen views are mapped, unit rows, [n, dim] together.

    Args:
        views: Unit rows by view, [n, dim] each.
        n_source: Entities of the source KG.
        settings: Parameters.
        ctx: Device and generators.
    """
    stacked = torch.stack(list(views.values())).detach()
    n_views, n_entities, dim = stacked.shape
    generator = ctx.generator("shared space")
    table = nn.Parameter(xavier_normal((n_entities, dim), generator).to(ctx.device))
    start = torch.randn(n_views, dim, dim, generator=generator)
    maps = nn.Parameter(torch.linalg.qr(start)[0].to(ctx.device))
    make = adagrad(settings.learning_rate, initial_sum=0.1)
    updates = MiniBatchSteps(make([table, maps]))
    weights = settings.orthogonality, settings.map_decay

    def step(_epoch: int) -> float:
        everyone = torch.arange(n_entities, device=ctx.device)
        batches = shuffled_batches(everyone, settings.batch_size, generator)
        return updates.mean_loss(
            space_loss(normalize(table[rows], dim=1), stacked[:, rows], maps, *weights)
            for rows in batches
        )

    def embed() -> Embeddings:
        vectors = normalize(table.detach(), dim=1)
        return Embeddings(vectors[:n_source], vectors[n_source:])

    schedule = Schedule(settings.space_epochs, None, eval_every=settings.eval_every)
    return train([table, maps], step, embed, schedule, ctx)
