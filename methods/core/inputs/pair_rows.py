"""Training pairs as positions in a list of distinct entities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PairRows:
    """Training pairs as positions in a list of distinct entities.

    Attributes:
        rows: Distinct joint ids, [n_rows].
        positions: Position of each pair's source and target in ``rows``, [n_pairs, 2].
    """

    rows: Tensor
    positions: Tensor

    @classmethod
    def of(cls, pairs: Tensor, device: torch.device) -> PairRows:
        """The rows of pairs of joint ids, [n_pairs, 2]."""
        rows, positions = torch.unique(pairs, return_inverse=True)
        return cls(rows.to(device), positions.to(device))
