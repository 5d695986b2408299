"""Ranks of the true partners among the candidates of an index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.bench.scoring.approximate.lists import NO_CANDIDATE, Lists
from mmea_bench.methods.core.similarity import csls

Ranks = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Asked:
    """The links of one direction.

    Attributes:
        rows: Row of the entity that asks, of each link, [n_links].
        columns: Column of its true partner.
        rivals: Other true partners, which are not counted: (link, column), [n, 2].
    """

    rows: Tensor
    columns: Tensor
    rivals: Tensor


def neighbourhood_means(lists: Lists, size: int) -> Tensor:
    """Mean of the best scores of every row, [n_rows]; of those that were found."""
    best = lists.scores[:, :size]
    found = torch.isfinite(best)
    return best.masked_fill(~found, 0).sum(dim=1) / found.sum(dim=1).clamp(min=1)


def ranks_among(
    asked: Asked, lists: Lists, means: tuple[Tensor, Tensor] | None, tie_rule: str, n_columns: int
) -> Ranks:
    """Rank of the true partner of each link among the candidates of its row.

    A partner that is no candidate has the last rank of all. Where one has the score of the first
    column that was left out, ties were cut: all columns left out count as its equals, so that it
    ranks no better than among all of them.

    Args:
        asked: Links.
        lists: Candidates of every row.
        means: Neighbourhood means of rows and of columns, for CSLS; None for plain scores.
        tie_rule: ``realistic``, ``optimistic`` or ``pessimistic``.
        n_columns: How many columns there are.
    """
    columns = lists.columns[asked.rows]
    scores = lists.scores[asked.rows]
    is_partner = columns == asked.columns.unsqueeze(1)
    is_found = is_partner.any(dim=1)
    is_cut = _of_partner(scores, is_partner).squeeze(1) == lists.next_scores[asked.rows]
    if means is not None:
        of_columns = means[1][columns.clamp(min=0)]
        scores = csls(scores, means[0][asked.rows].unsqueeze(1), of_columns)
    truth = _of_partner(scores, is_partner)
    is_counted = columns != NO_CANDIDATE
    n_counted = torch.full_like(asked.rows, n_columns)
    for link, column in asked.rivals.tolist():
        is_counted[link] &= columns[link] != column
        n_counted[link] -= 1
    greater = ((scores > truth) & is_counted).sum(dim=1).double()
    equal = ((scores == truth) & is_counted).sum(dim=1).double()
    equal += (n_counted - is_counted.sum(dim=1)) * is_cut
    added = {"optimistic": torch.ones_like(equal), "pessimistic": equal}
    ranks = greater + added.get(tie_rule, (equal + 1) / 2)
    return torch.where(is_found, ranks, float(n_columns)).numpy()


def _of_partner(scores: Tensor, is_partner: Tensor) -> Tensor:
    """Score of the partner of each link, [n_links, 1]; minus infinity where it is not listed."""
    return scores.masked_fill(~is_partner, -torch.inf).max(dim=1).values.unsqueeze(1)
