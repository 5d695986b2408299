"""Fusion of modality vectors, keyed by modality name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class WeightedConcatenation(nn.Module):
    """Concatenation of L2-normalised vectors, each scaled by one global softmax weight.

    Args:
        modalities: Names in the order of the concatenation.
        learned: Whether the weights are learned; otherwise they stay equal.

    Reference: EVA (AAAI 2021); MCLEA (COLING 2022), equation 7.
    """

    def __init__(self, modalities: tuple[str, ...], *, learned: bool = True) -> None:
        super().__init__()
        self.modalities = modalities
        self.logits = nn.Parameter(torch.ones(len(modalities)), requires_grad=learned)

    def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Joint vectors, [n, sum of the dims]; not normalised.

        Args:
            vectors: Modality to [n, dim].
        """
        weights = torch.softmax(self.logits, dim=0)
        return torch.cat(
            [
                weight * normalize(vectors[name], dim=1)
                for name, weight in zip(self.modalities, weights, strict=True)
            ],
            dim=1,
        )

    def weights(self) -> dict[str, float]:
        """Current weight of each modality."""
        weights = torch.softmax(self.logits.detach(), dim=0).tolist()
        return dict(zip(self.modalities, weights, strict=True))
