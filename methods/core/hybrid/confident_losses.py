"""UMAEA's losses of its first stage: both joint vectors, confident modalities, late tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.hybrid.global_encoder import GlobalHybridVectors
from mmea_bench.methods.core.hybrid.losses import HybridLosses
from mmea_bench.methods.core.losses.contrastive import contrastive_loss


def confident_contrastive_loss(
    source: Tensor, target: Tensor, confidence: Tensor, temperature: float
) -> Tensor:
    """ICL in which every pair's negative log counts as much as its confidence says.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        confidence: Factor of each pair, [b]; the gradient passes through it.
        temperature: tau.

    Reference: UMAEA (ISWC 2023), as the released code computes it: the mean over the batch is not
    divided by the sum of the factors.
    """
    return contrastive_loss(source, target, temperature, confidence.expand(2, -1))


class BalancedSum(nn.Module):
    """``sum_k L_k / (2 p_k^2) + log(1 + p_k^2)`` with learned ``p``, 1 at the start.

    Args:
        n_losses: Number of losses.
        learned: Otherwise the losses are summed as they are.
    """

    def __init__(self, n_losses: int, *, learned: bool) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.ones(n_losses)) if learned else None

    def reset(self) -> None:
        """All ``p`` at 1 again."""
        if self.scales is not None:
            nn.init.ones_(self.scales)

    def forward(self, losses: Tensor) -> Tensor:
        """One number out of the losses, [n_losses]."""
        if self.scales is None:
            return losses.sum()
        squares = self.scales**2
        return (losses / (2 * squares) + torch.log1p(squares)).sum()


class ConfidentLosses(HybridLosses):
    """Losses of both joint vectors, of each modality by confidence, and of the late tokens.

    Args:
        modalities: Those of the encoder.
        tau: Temperature.
        balanced: Whether the three are balanced by learned scales.
    """

    def __init__(self, modalities: tuple[str, ...], tau: float, *, balanced: bool) -> None:
        super().__init__(modalities, tau)
        self._modalities = modalities
        self.balance = BalancedSum(3, learned=balanced)

    def forward(  # type: ignore[override]
        self,
        encoded: GlobalHybridVectors,
        positions: Tensor,
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Total loss of a batch of pairs; arguments as in ``HybridLosses``."""
        confidences = self._confidences(encoded, positions)
        shares = [encoded.dynamic_shares, encoded.shares]
        joints, early = self.contrasts(encoded, shares, positions, kept, confidences)
        late = self.late(encoded, positions, kept)
        terms = [joints.sum(), self.weighted(early), self.weighted(late)]
        total: Tensor = self.balance(torch.stack(terms))
        return total

    def _confidences(self, encoded: GlobalHybridVectors, positions: Tensor) -> Tensor:
        """Of each pair and modality, [b, n_modalities]: that of its less confident end."""
        source, target = positions.unbind(dim=1)
        weights = encoded.weights
        return len(self._modalities) * torch.minimum(weights[source], weights[target])

    def _confident(self, confidence: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return confident_contrastive_loss(source, target, confidence, self._tau)
