"""GEEA's backbone: MCLEA's encoders with one width, and an average in place of a concatenation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings
from mmea_bench.methods.core.layers.multimodal import ModalityEncoders


class WeightedMean(nn.Module):
    """Mean of L2-normalised vectors, each scaled by one global softmax weight.

    Args:
        modalities: Names.
        n_slots: Weights in the softmax; those of unused slots scale down all that are used, which
            the reconstruction of joint vectors sees. Too few are as many as there are names.
    """

    def __init__(self, modalities: tuple[str, ...], n_slots: int = 0) -> None:
        super().__init__()
        self.modalities = modalities
        self.logits = nn.Parameter(torch.ones(max(n_slots, len(modalities))))

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Joint vectors, [n, dim]; not normalised.

        Args:
            vectors: Modality to [n, dim].
        """
        weights = torch.softmax(self.logits, dim=0)[: len(self.modalities)]
        parts = [
            weight * normalize(vectors[name], dim=1)
            for name, weight in zip(self.modalities, weights, strict=True)
        ]
        return torch.stack(parts).mean(dim=0)

    def weights(self) -> dict[str, float]:
        """Current weight of each modality beside the others that are used."""
        used = self.logits.detach()[: len(self.modalities)]
        weights = torch.softmax(used, dim=0).tolist()
        return dict(zip(self.modalities, weights, strict=True))


class AveragingEncoder(nn.Module):
    """One vector per modality and entity, and their weighted mean.

    Args:
        encoders: Of the modalities.
        n_slots: Weights of the mean, used or not.
    """

    def __init__(self, encoders: ModalityEncoders, n_slots: int) -> None:
        super().__init__()
        self.encoders, self.graph = encoders, encoders.graph
        self.fusion = WeightedMean(encoders.modalities, n_slots)

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Joint and per-modality vectors of all entities."""
        encoded = self.encoders.encode(None)
        joint = normalize(self.fusion(encoded), dim=1)
        return self.graph.split(joint, by_modality=encoded, weights=self.fusion.weights())

    @torch.no_grad()
    def joint_vectors(self) -> Tensor:
        """Normalised joint vectors of all entities, [n_entities, dim]."""
        return normalize(self.fusion(self.encoders.encode(None)), dim=1)
