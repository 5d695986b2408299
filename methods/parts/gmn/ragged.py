"""Lists of different lengths that lie one behind the other."""

from __future__ import annotations

import torch
from torch import Tensor


def ragged_ranges(starts: Tensor, counts: Tensor) -> Tensor:
    """``start, start + 1, ...`` of every list, one behind the other, [sum of counts] int64.

    Args:
        starts: First number of each list, [n].
        counts: How many numbers each has, [n].
    """
    ends = torch.cumsum(counts, dim=0)
    shifts = torch.repeat_interleave(starts - ends + counts, counts)
    return shifts + torch.arange(len(shifts), device=starts.device)


def list_numbers(counts: Tensor) -> Tensor:
    """Number of the list that each member belongs to, [sum of counts] int64."""
    return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)


def group_max(values: Tensor, groups: Tensor, n_groups: int) -> Tensor:
    """Largest value of each group by column, [n, d] to [n_groups, d]; no group may be empty."""
    lowest = values.new_full((n_groups, values.shape[1]), -torch.inf)
    return lowest.scatter_reduce(0, groups.unsqueeze(1).expand_as(values), values, "amax")


def group_mean(values: Tensor, groups: Tensor, counts: Tensor) -> Tensor:
    """Mean of each group by column, [n, d] to [n_groups, d].

    Args:
        values: [n, d].
        groups: Of each row, [n].
        counts: Rows of each group, [n_groups].
    """
    sums = values.new_zeros(len(counts), values.shape[1]).index_add(0, groups, values)
    return sums / counts.unsqueeze(1)
