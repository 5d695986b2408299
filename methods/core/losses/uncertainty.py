"""Losses weighted by learned uncertainties."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UncertaintyWeighting(nn.Module):
    """Sum of losses weighted by learned log-variances: ``sum_m e^{-s_m} loss_m + r s_m``.

    Args:
        names: One log-variance each, starting at 0.
        regulariser: ``r``; the released code of MCLEA has 1, its paper (equation 14, with
            ``s = log alpha^2``) 0.5.
        learned: Otherwise the losses are summed as they are.
    """

    def __init__(self, names: tuple[str, ...], regulariser: float, *, learned: bool) -> None:
        super().__init__()
        self._position = {name: index for index, name in enumerate(names)}
        self._regulariser = regulariser
        self.log_variances = nn.Parameter(torch.zeros(len(names)), requires_grad=learned)

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the named losses."""
        total = torch.zeros((), device=self.log_variances.device)
        for name, loss in losses.items():
            log_variance = self.log_variances[self._position[name]]
            total = total + torch.exp(-log_variance) * loss + self._regulariser * log_variance
        return total
