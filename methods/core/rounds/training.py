"""The training of an encoder whose seeds grow in rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.rounds.promotions import Promotions
from mmea_bench.methods.core.rounds.steps import TiledMarginGradients
from mmea_bench.methods.core.training.loop import AlignmentT, Schedule, Step, train
from mmea_bench.methods.core.training.optimisers import OptimiserMaker


def train_in_rounds(
    encoder: nn.Module,
    step: Step,
    align: Callable[[Tensor], AlignmentT],
    rounds: Promotions,
    ctx: RunContext,
    *,
    eval_every: int,
    optimiser: OptimiserMaker | None = None,
) -> AlignmentT:
    """Trains for the epochs of the rounds; returns what the protocol's checkpoint rule chooses.

    Args:
        encoder: Gives the vectors of all entities, [n_entities, dim].
        step: Computes an epoch's gradients from the pairs of the rounds.
        align: Vectors of all entities to the method's result.
        rounds: What is learned, and when it grows.
        ctx: Monitor, patience, deadline and progress.
        eval_every: Epochs between two evaluations, where the protocol does not say.
        optimiser: Steps once at the end of every epoch; None where an epoch makes its own steps.

    Raises:
        As ``train`` does.
    """

    @torch.no_grad()
    def embed() -> AlignmentT:
        return align(encoder())

    def promote(epoch: int) -> None:
        rounds.after_epoch(epoch, embed)

    schedule = Schedule(
        rounds.settings.epochs,
        optimiser,
        eval_every=eval_every,
        earliest_stop=rounds.settings.first_promotion,
        round_epochs=rounds.settings.bootstrap_every if rounds.settings.first_promotion else 0,
    )
    return train(encoder.parameters(), step, embed, schedule, ctx, promote)


@dataclass(frozen=True)
class TileSettings:
    """Of the margin loss on as many rows as there are entities; a method's parameters.

    Attributes:
        margin: gamma.
        dropout: Of the encoder's output.
        eval_every: Epochs between two evaluations, where the protocol does not say.
    """

    margin: float
    dropout: float
    eval_every: int


def train_on_tiles(
    encoder: nn.Module,
    graph: JointGraph,
    rounds: Promotions,
    settings: TileSettings,
    optimiser: OptimiserMaker,
    ctx: RunContext,
) -> Embeddings:
    """Trains as RREA and MRAEA: every epoch one step on the pairs of the rounds, repeated.

    Args:
        encoder: Gives the vectors of all entities, [n_entities, dim].
        graph: Union graph.
        rounds: What is learned, and when it grows.
        settings: Of the loss.
        optimiser: Steps once at the end of every epoch.
        ctx: Monitor, patience, deadline and progress.
    """
    sizes = graph.n_entities, settings.margin, settings.dropout
    gradients = TiledMarginGradients(encoder, *sizes, ctx)
    return train_in_rounds(
        encoder,
        lambda _epoch: gradients(rounds.pairs),
        graph.split,
        rounds,
        ctx,
        eval_every=settings.eval_every,
        optimiser=optimiser,
    )
