"""The pairs that names propose to GMN."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS_AT_ONCE = 256


def name_candidates(names: Tensor, sources: Tensor, n_source: int, k: int) -> tuple[Tensor, Tensor]:
    """The target entities whose names are most similar.

    Entities without a name vector propose nobody and are proposed to nobody.

    Args:
        names: With unit length or zero, [n_entities, dim].
        sources: Source entities, [b].
        n_source: Entities of the source KG.
        k: Candidates of each.

    Returns:
        Whether a target is a candidate, and the cosines, both [b, n_target].
    """
    targets = names[n_source:]
    cosines = names[sources] @ targets.T
    nameless = ~targets.any(dim=1)
    ranked = cosines.masked_fill(nameless, -torch.inf)
    best = ranked.topk(min(k, len(targets)), dim=1).indices
    listed = torch.zeros_like(cosines, dtype=torch.bool).scatter(1, best, value=True)
    return listed & ~nameless & names[sources].any(dim=1, keepdim=True), cosines


def nearest_first(listed: Tensor, cosines: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The candidates of each source entity by the nearness of names, in batches of their own.

    So who is scored beside whom does not depend on the source entities that are asked together.

    Args:
        listed: Whether a target is a candidate, [b, n_target].
        cosines: Of the names, [b, n_target].
        size: Candidates of a batch; the last one of a source entity may have fewer.

    Returns:
        Row of the source entity, target entity, and a number that those of a batch share and no
        others, [n] int64 each.
    """
    n_target = listed.shape[1]
    ranked = cosines.masked_fill(~listed, -torch.inf).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(n_target, device=listed.device)
    rows, ranks = torch.nonzero(places < listed.sum(dim=1, keepdim=True), as_tuple=True)
    batch = rows * n_target + torch.div(ranks, size, rounding_mode="floor")
    return rows, ranked[rows, ranks], batch


def training_pairs(names: Tensor, seeds: Tensor, n_source: int, k: int) -> tuple[Tensor, Tensor]:
    """Seed pairs, and the source of each with the most similar names beside its partner's.

    Args:
        names: With unit length or zero, [n_entities, dim].
        seeds: Joint ids, [n_seed, 2].
        n_source: Entities of the source KG.
        k: Negatives of each seed pair, fewer where fewer have names.

    Returns:
        Pairs of joint ids, [n, 2], and whether they match, [n] int64.
    """
    negatives = [seeds[:0]]
    for block in torch.split(seeds, _ROWS_AT_ONCE):
        listed, cosines = name_candidates(names, block[:, 0], n_source, k + 1)
        partner = torch.zeros_like(listed).scatter(1, block[:, 1:] - n_source, value=True)
        listed &= ~partner
        # Where the partner is not in the list, the last of its members is one too many.
        worst = cosines.masked_fill(~listed, torch.inf).argmin(dim=1, keepdim=True)
        spare = torch.zeros_like(listed).scatter(1, worst, value=True)
        listed &= ~(spare & (listed.sum(dim=1, keepdim=True) > k))
        rows, columns = torch.nonzero(listed, as_tuple=True)
        negatives.append(torch.stack([block[rows, 0], columns + n_source], dim=1))
    wrong = torch.cat(negatives)
    labels = torch.cat([torch.ones(len(seeds)), torch.zeros(len(wrong))]).long()
    return torch.cat([seeds, wrong]), labels.to(seeds.device)
