"""PMF's freezing: an entity whose modality finds nothing similar in the other KG loses it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_CHUNK = 512
"""Vectors that open anchors are compared with at a time; most find a similar one at once."""


def has_similar(anchors: Tensor, others: Tensor, threshold: float) -> Tensor:
    """Whether the largest cosine of each anchor exceeds a threshold, [n_anchors] bool.

    An anchor is compared no further once one did, so that low thresholds cost little.

    Args:
        anchors: L2-normalised, [n_anchors, dim].
        others: L2-normalised, [n_others, dim].
        threshold: Cosines have to be larger.
    """
    found = torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    left = torch.arange(len(anchors), device=anchors.device)
    for part in torch.split(others, _CHUNK) if len(others) else ():
        exceeds = (anchors[left] @ part.T).amax(dim=1) > threshold
        found[left[exceeds]] = True
        left = left[~exceeds]
        if not len(left):
            break
    return found


class Freezing:
    """Freezes by a threshold of similarity that grows from call to call.

    A seed's similarity is the cosine of its two ends; that of an entity without a seed is its
    largest cosine with an entity of the other KG without a seed. PMF's code compares the entities
    of the test links alone, which a training is not told here. A group whose similarities all stay
    below the threshold loses nothing, as in the code, where the sign of a quotient turns.

    Args:
        seed_pairs: Joint ids, [n_seeds, 2].
        n_source: Source entities.
        n_entities: Entities of both KGs.
        start: First threshold.
        growth: Factor of the threshold after each call.
        caps: Largest threshold of a modality.
        device: Of the vectors.

    Reference: PMF, ACL 2024, rule ``abs_relu`` of the released code.
    """

    def __init__(
        self,
        seed_pairs: Tensor,
        n_source: int,
        n_entities: int,
        start: float,
        growth: float,
        caps: Mapping[str, float],
        device: torch.device,
    ) -> None:
        free = torch.ones(n_entities, dtype=torch.bool)
        free[seed_pairs.flatten()] = False
        ids = torch.nonzero(free).squeeze(1).to(device)
        self._sources, self._targets = ids[ids < n_source], ids[ids >= n_source]
        self._seeds = seed_pairs.to(device)
        self._growth, self._caps = growth, dict(caps)
        self.thresholds = dict.fromkeys(caps, start)

    @torch.no_grad()
    def __call__(self, encoded: Mapping[str, Tensor], alive: dict[str, Tensor]) -> None:
        """Freezes further entities, in place.

        Args:
            encoded: Modality to unit vectors of all entities, [n_entities, dim].
            alive: Modality to whether an entity's vector counts, [n_entities] bool.
        """
        for name, vectors in encoded.items():
            threshold = self.thresholds[name]
            self._freeze(vectors, alive[name], threshold)
            self.thresholds[name] = min(self._caps[name], self._growth * threshold)

    def _freeze(self, vectors: Tensor, alive: Tensor, threshold: float) -> None:
        source, target = self._seeds.unbind(dim=1)
        similar = (vectors[source] * vectors[target]).sum(dim=1) > threshold
        if bool(similar.any()):
            for side in (source, target):
                alive[side] &= similar
        for ids, others in ((self._sources, self._targets), (self._targets, self._sources)):
            counted = alive[ids]
            kept = ids[counted]
            found = has_similar(vectors[kept], vectors[others], threshold)
            if len(kept) and not bool(found.any()):
                # Those that are frozen already decide whether the group is below the threshold.
                frozen = vectors[ids[~counted]]
                if not bool(has_similar(frozen, vectors[others], threshold).any()):
                    continue
            alive[kept] = found
