"""The training that MSNEA, TMEA and CLAMEA share: batches of triples with seeds, and rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.text_method import TextMethod
from mmea_bench.methods.core.siamese.training_sets import TrainingSets
from mmea_bench.methods.core.training.loop import Schedule, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps


class PairRoundParams:
    """For parameters of a training whose rounds find pseudo-pairs; the names are its fields'."""

    epochs: int
    iterative: bool
    iterative_every: int

    @property
    def reaches_pseudo_labels(self) -> bool:
        """Whether pseudo-pairs are found before the last epoch."""
        return self.iterative and self.iterative_every < self.epochs


@dataclass(frozen=True)
class SiameseSettings:
    """Length and optimiser; the names are those of a method's parameters.

    Attributes:
        epochs: Over all triples.
        batch_size: Triples of a step.
        learning_rate: Of Adam.
        iterative: Whether rounds find pseudo-pairs.
        iterative_every: Epochs of a round.
        eval_every: Epochs between two evaluations, where the protocol does not say.
        pseudo_batch: Pseudo-pairs of one backward pass of their own step; 0 where they have none.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    iterative: bool
    iterative_every: int
    eval_every: int
    pseudo_batch: int = 0


class OutputMethod(TextMethod):
    """A method whose parameter ``output`` names the modalities of its joint vectors."""

    def skip_reason(self, modalities: tuple[str, ...]) -> str | None:
        """Why it cannot run: no triples, no encoder, nothing left for the joint vector."""
        lacking = super().skip_reason(modalities)
        if lacking is None and not set(self.used_modalities(modalities)) & set(self.params.output):
            lacking = f"the dataset has none of: {', '.join(self.params.output)}"
        return lacking


class SiameseEncoder(Protocol):
    """What the training needs of an encoder."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is trained."""

    def embeddings(self) -> Embeddings:
        """Joint vectors of all entities."""


def train_siamese(
    encoder: SiameseEncoder,
    sets: TrainingSets,
    of_batch: Callable[[Tensor, Tensor, Tensor], Tensor],
    settings: SiameseSettings,
    ctx: RunContext,
    *,
    of_pseudo_pairs: Callable[[Tensor], Tensor] | None = None,
    rounds_waited: int,
) -> Embeddings:
    """One step for each batch of triples, then one on all pseudo-pairs.

    Args:
        encoder: Trained module.
        sets: What is trained on, which grows.
        of_batch: Loss of a batch of ``sets.triple_batches`` and of the seeds: of triples, their
            stand-ins, and whether these replace the head.
        settings: Length and optimiser.
        ctx: Monitor, patience, deadline and progress.
        of_pseudo_pairs: Loss of some pseudo-pairs; None where they are seeds like others.
        rounds_waited: Patience begins after this many: the first pairs are few, and a plateau
            before must not end the training.
    """
    parameters = list(encoder.parameters())
    updates = MiniBatchSteps(torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True))

    def step(_epoch: int) -> float:
        batches = sets.triple_batches(settings.batch_size)
        mean = updates.mean_loss(of_batch(*batch) for batch in batches)
        if of_pseudo_pairs is not None:
            chunks = sets.pseudo_batches(settings.pseudo_batch)
            updates.summed_step(of_pseudo_pairs(rows) for rows in chunks)
        return mean

    length = settings.iterative_every if settings.iterative else 0
    schedule = Schedule(
        settings.epochs,
        None,
        eval_every=settings.eval_every,
        earliest_stop=rounds_waited * length,
        round_epochs=length,
    )
    grow = sets.grow if settings.iterative else None
    return train(parameters, step, encoder.embeddings, schedule, ctx, grow)
