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
        return torch.cat(
            [
                share * normalize(vectors[name], dim=1)
                for name, share in zip(self.modalities, self.shares(), strict=True)
            ],
            dim=1,
        )

    def shares(self) -> Tensor:
        """What each modality's vector is scaled by, in their order, [n_modalities]."""
        return torch.softmax(self.logits, dim=0)

    def joint_cosines(
        self,
        source: Mapping[str, Tensor],
        target: Mapping[str, Tensor],
        cosines: Mapping[str, Tensor],
    ) -> Tensor:
        """Cosines of joint vectors out of the cosines of their parts, [b_source, b_target].

        Equal to fusing, normalising and multiplying; cheaper where the parts' cosines are there
        already, because only the weights then need a gradient.

        Args:
            source: Modality to L2-normalised rows (zero rows allowed), [b_source, dim].
            target: Modality to L2-normalised rows, [b_target, dim].
            cosines: Modality to the products of these rows, [b_source, b_target].
        """
        squares = self.shares() ** 2
        product = torch.zeros((), device=squares.device)
        source_norm, target_norm = (torch.zeros((), device=squares.device) for _ in range(2))
        for name, square in zip(self.modalities, squares, strict=True):
            product = product + square * cosines[name]
            source_norm = source_norm + square * source[name].square().sum(dim=1)
            target_norm = target_norm + square * target[name].square().sum(dim=1)
        lengths = source_norm.sqrt().unsqueeze(1), target_norm.sqrt().unsqueeze(0)
        return product / lengths[0].clamp_min(1e-12) / lengths[1].clamp_min(1e-12)

    def weights(self) -> dict[str, float]:
        """Current weight of each modality."""
        weights = torch.softmax(self.logits.detach(), dim=0).tolist()
        return dict(zip(self.modalities, weights, strict=True))
