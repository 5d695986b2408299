"""PMF's encoder: MCLEA's modality encoders, side by side, without what is frozen."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders


class FreezableEncoder(nn.Module):
    """One vector per modality and entity, and their concatenation.

    Attributes:
        alive: Modality to whether an entity's vector counts, [n_entities] bool: an image that is
            lacking never does, a modality that was frozen no longer does. PMF's code keeps scores
            of relevance in their place, but normalises after it has multiplied by them, so that
            zero or not is all that is left of a score.

    Args:
        encoders: Of the modalities.
        alive: As above, at the start.
        masked_fusion: Whether what does not count is a zero vector in the concatenation.

    Reference: PMF, ACL 2024, as the released code fuses.
    """

    def __init__(
        self, encoders: ModalityEncoders, alive: Mapping[str, Tensor], *, masked_fusion: bool
    ) -> None:
        super().__init__()
        self.encoders, self.graph, self.alive = encoders, encoders.graph, dict(alive)
        self._masked_fusion = masked_fusion

    def encode(self, rows: Tensor | None, chosen: Tensor | None = None) -> dict[str, Tensor]:
        """Unit vectors by modality, frozen or not; arguments as in ``ModalityEncoders.vectors``."""
        vectors = self.encoders.vectors(rows, chosen)
        return {name: normalize(each, dim=1) for name, each in vectors.items()}

    def fused(self, encoded: Mapping[str, Tensor], ids: Tensor | None) -> Tensor:
        """Joint vectors, not normalised, [n, n_modalities * dim].

        Args:
            encoded: Modality to unit vectors, [n, dim].
            ids: Joint id of each row; None for all entities in order.
        """
        parts = []
        for name, vectors in encoded.items():
            counted = self.alive[name] if ids is None else self.alive[name][ids]
            parts.append(vectors * counted.unsqueeze(1) if self._masked_fusion else vectors)
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint vectors, compared by inner product, and per-modality vectors of all entities."""
        encoded = self.encode(None)
        return self.graph.split(self.fused(encoded, None), "inner", encoded)

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, [n_entities, n_modalities * dim]."""
        return self.fused(self.encode(None), None)
