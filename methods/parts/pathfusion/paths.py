"""Similarities along paths: from an entity over its values or image to those of another KG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_matrix
from torch import Tensor

from mmea_bench.methods.parts.pathfusion.values import ValueItems

_BLOCK_ITEMS = 128
"""Source items that are compared with all target items at a time."""
_BLOCK_ROWS = 256

NameSimilarity = Callable[[list[str], list[str]], Tensor]
"""Similarities of two lists of texts, [n_first, n_second] float32."""


class SimilarityPath(Protocol):
    """Fixed similarities of all source entities with all target entities."""

    def rows(self, sources: Tensor) -> Tensor:
        """Of some source entities, [b, n_target]."""


@dataclass(frozen=True, eq=False)
class HeldPath:
    """Similarities that lie in memory.

    Attributes:
        matrix: [n_source, n_target].
    """

    matrix: Tensor

    def rows(self, sources: Tensor) -> Tensor:
        """Of some source entities, [b, n_target]."""
        return self.matrix[sources]


@dataclass(frozen=True, eq=False)
class ImagePath:
    """Dot products of images; 0 where either entity has none.

    Attributes:
        source: Unit vectors, zero without an image, [n_source, dim].
        target: [n_target, dim].
    """

    source: Tensor
    target: Tensor

    def rows(self, sources: Tensor) -> Tensor:
        """Of some source entities, [b, n_target]."""
        return self.source[sources] @ self.target.T


@dataclass(frozen=True, eq=False)
class ScaledPath:
    """A path brought to [0, 1] over the entities that are to be aligned.

    Attributes:
        path: As it is.
        low: Its smallest similarity among them.
        factor: One over the width of its range there; 0 where all are equal.
    """

    path: SimilarityPath
    low: float
    factor: float

    @classmethod
    def over(cls, path: SimilarityPath, sources: Tensor, targets: Tensor) -> ScaledPath:
        """The path with the range that it has in a block of entities.

        Args:
            path: As it is.
            sources: Source ids of the block.
            targets: Target ids of the block.
        """
        low, high = float("inf"), float("-inf")
        for part in torch.split(sources, _BLOCK_ROWS):
            cells = path.rows(part)[:, targets]
            if cells.numel():
                low, high = min(low, float(cells.min())), max(high, float(cells.max()))
        return cls(path, low, 1 / (high - low)) if high > low else cls(path, 0.0, 0.0)

    def rows(self, sources: Tensor) -> Tensor:
        """Of some source entities, [b, n_target]."""
        return (self.path.rows(sources) - self.low) * self.factor


def value_similarities(
    source: ValueItems, target: ValueItems, similarity: NameSimilarity, offset: float, *, slip: bool
) -> Tensor:
    """``B_1 M B_2^T`` with ``M_pq = K_pq / (|v_p - v_q| + offset)``, [n_source, n_target] float32.

    ``M`` has as many cells as there are pairs of values, so that it is made some rows at a time.

    Args:
        source: Items of the source KG.
        target: Items of the target KG.
        similarity: Of the items' texts, ``K``.
        offset: Added to differences.
        slip: Whether the source's items are compared by name and value, the target's by name
            alone. PathFusion's code has the sides swapped: its target, FB15K, is our source.

    Reference: PathFusion, arXiv 2310.05364, as the released code computes it.
    """
    source_texts = source.names
    if slip:
        source_texts = [
            f"{name} {text}" for name, text in zip(source.names, source.texts, strict=True)
        ]
    rows_of, source_distinct = _distinct(source_texts)
    columns_of, target_distinct = _distinct(target.names)
    shape = source.holders.shape[0], target.holders.shape[0]
    total = np.zeros(shape, dtype=np.float32)
    if not len(rows_of) or not len(columns_of):
        return torch.from_numpy(total)
    names = similarity(source_distinct, target_distinct).float().numpy()
    by_item = csc_matrix(source.holders)
    holders_of = csr_matrix(target.holders)
    for start in range(0, len(rows_of), _BLOCK_ITEMS):
        block = slice(start, start + _BLOCK_ITEMS)
        gaps = source.numbers[block, None] - target.numbers[None, :]
        np.abs(gaps, out=gaps)
        gaps += offset
        near = names[rows_of[block]][:, columns_of]
        near /= gaps
        of_entities = (holders_of @ near.T).T  # [n_block, n_target]
        held = by_item[:, block].tocsr()
        rows = np.flatnonzero(np.diff(held.indptr))
        total[rows] += held[rows] @ of_entities
    return torch.from_numpy(total)


def _distinct(texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """Place of each text among the distinct ones, and these."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return np.array([places[text] for text in texts], dtype=np.int64), list(places)
