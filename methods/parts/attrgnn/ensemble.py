"""AttrGNN's ensemble: distances of all channels, standardised by those of the seed entities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class ChannelDistances:
    """Standardised distances of one channel.

    Attributes:
        source: [n_source, dim].
        target: [n_target, dim].
        normalised: Whether the distance is the negated cosine of unit vectors, else L2.
        mean: Of the distances between all source and all target entities of seed links.
        deviation: Population deviation of these.
    """

    source: Tensor
    target: Tensor
    normalised: bool
    mean: float
    deviation: float

    @classmethod
    def of(
        cls, vectors: Tensor, n_source: int, seeds: Tensor, *, normalised: bool
    ) -> ChannelDistances:
        """Distances of a channel's vectors.

        Args:
            vectors: [n_entities, dim]; no gradient passes.
            n_source: Entities of the source KG.
            seeds: Seed links as joint ids, [n_seed, 2].
            normalised: Whether vectors have unit length.
        """
        vectors = vectors.detach()
        source, target = vectors[seeds[:, 0]], vectors[seeds[:, 1]]
        total = torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(source), _ROWS_AT_ONCE):
            block = distances(
                source[start : start + _ROWS_AT_ONCE], target, normalised=normalised
            ).double()
            total += torch.stack([block.sum(), block.square().sum()]).cpu()
        mean, square = (total / max(1, len(source) * len(target))).tolist()
        deviation = max(square - mean**2, 1e-12) ** 0.5
        return cls(vectors[:n_source], vectors[n_source:], normalised, mean, deviation)

    def rows(self, sources: Tensor) -> Tensor:
        """Standardised distances of source entities from all targets, [b, n_target]."""
        found = distances(self.source[sources], self.target, normalised=self.normalised)
        return (found - self.mean) / self.deviation


def distances(source: Tensor, target: Tensor, *, normalised: bool) -> Tensor:
    """Negated cosines of unit vectors, or L2 distances, [n, dim] and [m, dim] to [n, m]."""
    if normalised:
        return -source @ target.T
    # The expansion through a matrix product would lose digits for close vectors.
    return torch.cdist(source, target, compute_mode="donot_use_mm_for_euclid_dist")
