"""Modality encoders whose vectors a transformer compares to weigh them, as in MEAformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.hybrid.modality_attention import (
    Dropout,
    ModalityTransformer,
    weighted_concatenation,
)
from mmea_bench.methods.core.inputs.presence import Presence, masked
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders


@dataclass(frozen=True, eq=False)
class HybridVectors:
    """Unit vectors of some rows; a lacking modality is a zero vector.

    Attributes:
        early: Modality to [n_rows, dim], before the transformer.
        late: Modality to [n_rows, dim], after it.
        weights: Out of the transformer, [n_rows, n_modalities].
        shares: What the early vectors are scaled by in the joint ones, which then have length 1,
            [n_rows, n_modalities].
    """

    early: dict[str, Tensor]
    late: dict[str, Tensor]
    weights: Tensor
    shares: Tensor

    @property
    def joint(self) -> Tensor:
        """[n_rows, n_modalities * dim]."""
        return weighted_concatenation(list(self.early.values()), self.shares)


def unit_shares(vectors: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    """The weights, scaled so that the vectors' concatenation has length 1, [n_rows, n_modalities].

    Args:
        vectors: Modality to unit vectors (zero rows allowed), [n_rows, dim].
        weights: Of the modalities in that order, [n_rows, n_modalities] or [n_modalities].
    """
    # A unit vector's length is 1 whatever it learns.
    lengths = [torch.linalg.vector_norm(rows.detach(), dim=1) for rows in vectors.values()]
    scaled = weights * torch.stack(lengths, dim=1)
    length: Tensor = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return weights / length.clamp_min(1e-12)


class HybridEncoder(ModalityEncoders):
    """Modality encoders, the transformer over their vectors, and the fusion that it weighs.

    Args:
        parts: Positional arguments of ``ModalityEncoders``; all modalities need equal columns.
        transformer: Over the modality vectors of each entity.
        presence: As in ``ModalityEncoders``.
    """

    def __init__(
        self, *parts: Any, transformer: ModalityTransformer, presence: Presence | None = None
    ) -> None:
        super().__init__(*parts, presence=presence)
        self.transformer = transformer

    def hybrid(
        self,
        rows: Tensor | None,
        chosen: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> HybridVectors:
        """Vectors of prepared rows, or of all entities.

        Args:
            rows: As in ``ModalityEncoders.vectors``.
            chosen: As there.
            dropout: Of the transformer; None in evaluation.
        """
        vectors = self.vectors(rows, chosen)
        n_rows = len(next(iter(vectors.values())))
        has = self.presence if rows is None else self.prepared_presence
        has = has if chosen is None else {name: present[chosen] for name, present in has.items()}
        present = self._presence_table(has, n_rows) if has else None
        tokens, weights = self.transformer(
            torch.stack([vectors[name] for name in self.modalities], dim=1), present, dropout
        )
        early = {name: normalize(vectors[name], dim=1) for name in self.modalities}
        late = {
            name: masked(normalize(tokens[:, position], dim=1), name, has)
            for position, name in enumerate(self.modalities)
        }
        return HybridVectors(early, late, weights, unit_shares(early, weights))

    def _presence_table(self, has: Presence, n_rows: int) -> Tensor:
        some = next(iter(has.values()))
        always = torch.ones(n_rows, dtype=torch.bool, device=some.device)
        return torch.stack([has.get(name, always) for name in self.modalities], dim=1)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities."""
        encoded = self.hybrid(None)
        weights = self._weights(encoded)
        return self.graph.split(encoded.joint, by_modality=encoded.early, weights=weights)

    def _weights(self, encoded: HybridVectors) -> dict[str, float]:
        """Weight of each modality in the joint vectors, the mean over entities."""
        return dict(zip(self.modalities, encoded.weights.mean(dim=0).tolist(), strict=True))
