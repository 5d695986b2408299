"""Chance level: random vectors, so that every metric has a floor to be read against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from mmea_bench.datasets.core.model.pair import Task
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext


@dataclass(frozen=True)
class RandomScoresParams:
    """Parameters of ``random_scores``."""

    dim: int = 32  # any value gives chance level


class RandomScores(Method):
    """Independent Gaussian vectors for every entity; reads nothing of the data."""

    tasks: ClassVar[tuple[Task, ...]] = ("entity-alignment", "n-mmkg")
    modalities: ClassVar[tuple[str, ...]] = ()
    Params = RandomScoresParams

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """Random vectors, [n_entities, dim] on each side."""
        generator = ctx.generator("vectors")
        source, target = (
            torch.randn(graph.n_entities, self.params.dim, generator=generator).to(ctx.device)
            for graph in (view.source, view.target)
        )
        return Embeddings(source, target)
