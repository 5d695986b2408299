"""Training of a multi-modal encoder on seed links that may grow: EVA's and MCLEA's loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.pair_rows import PairRows
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.optimisers import adamw
from mmea_bench.methods.core.training.pseudo_seeds import PseudoLabelParams, PseudoSeeds

SeedLosses = Callable[[dict[str, Tensor], Tensor], Iterable[Tensor]]
"""Called once per epoch as (modality to [n_rows, dim], positions of the pairs in these rows
[n_pairs, 2]); yields one loss per batch. Gradients of all batches are summed."""


class SeedEncoder(Protocol):
    """What the loop needs of an encoder; ``MultiModalEncoder`` is one."""

    graph: JointGraph

    def prepare(self, rows: Tensor) -> None:
        """Gets ready to encode these rows (joint ids, without repetition) at training time."""

    def encode(self, rows: Tensor | None) -> dict[str, Tensor]:
        """What the losses need of the prepared rows, or of all entities where None."""

    def embeddings(self) -> Embeddings:
        """Vectors of all entities, without gradients."""

    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, without gradients, [n_entities, dim]."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is trained."""


@dataclass(frozen=True)
class SeedTrainingParams(PseudoLabelParams):
    """Parameters of the loop; a method's own parameters extend them and name their sources.

    Attributes:
        epochs: Epochs, one optimiser step each.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        restart_from: Epoch from which on the optimiser is made anew before every step.
        iterative: Whether mutual nearest neighbours join the seeds.
        iterative_start: Epoch after which they are looked for.
        check_every: Epochs between two looks.
        promote_every: Epochs between two promotions.
        eval_every: Epochs between two evaluations.
    """

    epochs: int = 1000
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    restart_from: int = 501
    iterative: bool = False
    iterative_start: int = 500
    check_every: int = 5
    promote_every: int = 50
    eval_every: int = 50

    @property
    def schedule(self) -> Schedule:
        """Length, optimiser and evaluation of a training."""
        return Schedule(
            self.epochs,
            adamw(self.learning_rate, self.weight_decay),
            self.restart_from,
            self.eval_every,
            earliest_stop=self.growth.first_promotion if self.iterative else 0,
            round_epochs=self.round_epochs,
        )


def train_on_seeds(
    encoder: SeedEncoder,
    losses: SeedLosses,
    seed_pairs: Tensor,
    params: SeedTrainingParams,
    ctx: RunContext,
    further_parameters: Iterable[nn.Parameter] = (),
) -> Embeddings:
    """Trains an encoder on seed pairs; mutual nearest neighbours may join them late.

    Args:
        encoder: Encodes the rows that stand in a pair.
        losses: Losses of an epoch's batches.
        seed_pairs: Joint ids, [n_seed, 2] int64.
        params: Length, optimiser and growth of the seeds.
        ctx: Device, monitor and log.
        further_parameters: Trained parameters of the losses.
    """
    graph = encoder.graph
    pseudo = PseudoSeeds(seed_pairs, graph.n_source, graph.n_entities, params.growth, ctx.log)
    pairs = _prepared(encoder, seed_pairs, ctx.device)

    def step(_epoch: int) -> float:
        encoded = encoder.encode(pairs.rows)
        return backward_in_batches(encoded, lambda leaves: losses(leaves, pairs.positions))

    def grow(epoch: int) -> None:
        nonlocal pairs
        if pseudo.after_epoch(epoch, encoder.joint_vectors):
            pairs = _prepared(encoder, pseudo.pairs, ctx.device)

    parameters = [*encoder.parameters(), *further_parameters]
    after_epoch = grow if params.iterative else None
    return train(parameters, step, encoder.embeddings, params.schedule, ctx, after_epoch)


def _prepared(encoder: SeedEncoder, pairs: Tensor, device: torch.device) -> PairRows:
    found = PairRows.of(pairs, device)
    encoder.prepare(found.rows)
    return found
