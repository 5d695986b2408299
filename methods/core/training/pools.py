"""Groups of entities to draw from."""

from __future__ import annotations

import torch
from torch import Tensor


class Pools:
    """Members of groups, to draw from uniformly.

    Args:
        members: Of all groups, one group behind the other, [n_members].
        sizes: Members of each group, [n_groups].
    """

    def __init__(self, members: Tensor, sizes: Tensor) -> None:
        self._members, self.sizes = members, sizes
        self._starts = torch.cumsum(sizes, dim=0) - sizes

    @classmethod
    def of(cls, groups: Tensor, members: Tensor, n_groups: int = 0) -> Pools:
        """Distinct members of each group.

        Args:
            groups: Group of each member, [n].
            members: [n].
            n_groups: At least as many groups, empty where nobody belongs to one.
        """
        distinct = torch.unique(torch.stack([groups, members], dim=1), dim=0)
        return cls(distinct[:, 1], torch.bincount(distinct[:, 0], minlength=n_groups))

    def draw(self, groups: Tensor, n_draws: int, generator: torch.Generator) -> Tensor:
        """Members of the group of each row, [n_rows, n_draws]; any id for an empty group.

        Args:
            groups: [n_rows].
            n_draws: With replacement.
            generator: On the CPU.
        """
        shares = torch.rand((len(groups), n_draws), generator=generator, dtype=torch.float64)
        position = (shares.to(groups.device) * self.sizes[groups].unsqueeze(1)).long()
        place = self._starts[groups].unsqueeze(1) + position
        return self._members[place.clamp_max(len(self._members) - 1)]
