"""Names alone: character n-grams weighted by how rare they are, compared by cosine.

No training, no seed links: what a method with names must beat.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import csr_matrix

from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.methods.core.base import Embeddings, Method, RunContext


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

    def fit(self, view: TrainView, ctx: RunContext) -> Embeddings:
        """TF-IDF vectors of all names, [n_entities, n_columns] on each side."""
        names = [name.lower() for graph in (view.source, view.target) for name in graph.names]
        counts = ngram_counts(names, self.params)
        frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
        weights = np.log((1 + len(names)) / (1 + frequency)) + 1
        vectors = torch.from_numpy(np.log1p(counts.toarray()) * weights.astype(np.float32))
        vectors = vectors.to(ctx.device)
        n_source = view.source.n_entities
        return Embeddings(vectors[:n_source], vectors[n_source:])


def ngram_counts(names: list[str], params: NameMatchParams) -> csr_matrix:
    """Hashed counts of the character n-grams of each word, [n_names, n_columns] float32.

    Words are marked at both ends, so that ``^a`` is another n-gram than ``a`` inside a word.
    """
    rows, columns = [], []
    for row, name in enumerate(names):
        for word in name.split():
            marked = f"^{word}$"
            for size in range(params.smallest, params.largest + 1):
                for start in range(len(marked) - size + 1):
                    ngram = marked[start : start + size].encode("utf-8", "surrogatepass")
                    rows.append(row)
                    columns.append(zlib.crc32(ngram) % params.n_columns)
    ones = np.ones(len(rows), dtype=np.float32)
    return csr_matrix((ones, (rows, columns)), shape=(len(names), params.n_columns))
