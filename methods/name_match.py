"""Names alone: character n-grams weighted by how rare they are, compared by cosine.

No training, no seed links: what a method with names must beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext
from mmea_bench.methods.core.inputs.names import ngram_counts


@dataclass(frozen=True)
class NameMatchParams:
    """Parameters of ``name_match``."""

    smallest: int = 2  # shortest n-gram in characters; usually 2-3
    largest: int = 3  # longest n-gram in characters; usually 3-4
    n_columns: int = 2048  # n-grams are hashed into this many columns; 1024-8192


class NameMatch(Method):
    """Cosine of hashed character n-gram TF-IDF vectors of the entity names."""

    modalities: ClassVar[tuple[str, ...]] = ("name",)
    requires: ClassVar[tuple[str, ...]] = ("name",)
    Params = NameMatchParams

    @property
    def needs_seeds(self) -> bool:
        """No seed link is read."""
        return False

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """TF-IDF vectors of all names, [n_entities, n_columns] on each side."""
        names = [name.lower() for graph in (view.source, view.target) for name in graph.names]
        params: NameMatchParams = self.params
        counts = ngram_counts(names, params.smallest, params.largest, params.n_columns)
        frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
        weights = np.log((1 + len(names)) / (1 + frequency)) + 1
        vectors = torch.from_numpy(np.log1p(counts.toarray()) * weights.astype(np.float32))
        vectors = vectors.to(ctx.device)
        n_source = view.source.n_entities
        return Embeddings(vectors[:n_source], vectors[n_source:])
