"""When UMAEA's stages begin, and how each is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageKind = Literal["joint", "imagining", "tuning"]
"""The first stage trains all, the second the generator, the third what reads its images."""


@dataclass(frozen=True)
class StageLengths:
    """Parameters of the stages.

    Attributes:
        first_epochs: Of the first stage.
        imagining_epochs: Of the second stage.
        tuning_epochs: Of the third stage.
        learning_rate: Of the first stage.
        imagining_rate: Learning rate of the second.
        tuning_rate: Learning rate of the third.
        weight_decay: Of the first and third stage.
        imagining_decay: Of the second.
        iterative: Whether the three stages come a second time, with pseudo-labels.
        iterative_factor: Of the learning rates, the second time.
        iterative_stretch: The first stage's schedule spans that many times its epochs, then.
    """

    first_epochs: int
    imagining_epochs: int
    tuning_epochs: int
    learning_rate: float
    imagining_rate: float
    tuning_rate: float
    weight_decay: float
    imagining_decay: float
    iterative: bool
    iterative_factor: float
    iterative_stretch: float


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        kind: What is trained.
        start: Epochs before it.
        planned: Epochs that its learning rate is planned for.
        learning_rate: At the peak.
        weight_decay: Of AdamW.
        is_iterative: Whether it belongs to the second time.
    """

    kind: StageKind
    start: int
    planned: int
    learning_rate: float
    weight_decay: float
    is_iterative: bool


def stages_of(lengths: StageLengths, epochs: int) -> tuple[Stage, ...]:
    """The stages that begin within so many epochs, in their order; the last goes on to the end."""
    kinds: tuple[tuple[StageKind, int, float, float], ...] = (
        ("joint", lengths.first_epochs, lengths.learning_rate, lengths.weight_decay),
        ("imagining", lengths.imagining_epochs, lengths.imagining_rate, lengths.imagining_decay),
        ("tuning", lengths.tuning_epochs, lengths.tuning_rate, lengths.weight_decay),
    )
    found, start = [], 0
    for again in (False, True) if lengths.iterative else (False,):
        for kind, n_epochs, rate, decay in kinds:
            stretch = lengths.iterative_stretch if again and kind == "joint" else 1
            factor = lengths.iterative_factor if again else 1
            planned = int(stretch * n_epochs)
            found.append(Stage(kind, start, planned, factor * rate, decay, again))
            start += n_epochs
    return tuple(stage for stage in found if stage.start < max(1, epochs))
