"""Sparse correspondences between the nodes of two graphs, and their consensus."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from mmea_bench.methods.core.layers.encoders import Linear

_BLOCK_ROWS = 1024
_NEVER = -1e9
"""Logit of a place that holds no candidate; finite, so that its probability is plainly 0."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Targets that each source node is compared with.

    Attributes:
        targets: Rows of the target graph, [n_source, k].
        valid: Whether a place holds a candidate, [n_source, k]: none stands in two places.
        n_target: Nodes of the target graph.
    """

    targets: Tensor
    valid: Tensor
    n_target: int

    def products(self, source: Tensor, target: Tensor) -> Tensor:
        """Inner products with all candidates, with gradients, [n_source, k]."""
        logits = [
            (source[start : start + _BLOCK_ROWS].unsqueeze(1) * target[rows]).sum(dim=2)
            for start, rows in _blocks(self.targets)
        ]
        return self.masked(torch.cat(logits))

    def masked(self, logits: Tensor) -> Tensor:
        """The logits, where places without a candidate get probability 0."""
        return logits.masked_fill(~self.valid, _NEVER)

    def carried(self, probabilities: Tensor, colours: Tensor) -> Tensor:
        """``S^T r``: colours of source nodes, mapped to the target graph, [n_target, dim].

        Args:
            probabilities: ``S``, [n_source, k].
            colours: ``r``, [n_source, dim].
        """
        found = colours.new_zeros(self.n_target, colours.shape[1])
        for start, rows in _blocks(self.targets):
            stop = start + len(rows)
            sent = probabilities[start:stop].unsqueeze(2) * colours[start:stop].unsqueeze(1)
            found = found.index_add(0, rows.flatten(), sent.flatten(0, 1))
        return found


def _blocks(targets: Tensor) -> list[tuple[int, Tensor]]:
    starts = range(0, len(targets), _BLOCK_ROWS)
    return list(zip(starts, torch.split(targets, _BLOCK_ROWS), strict=True)) if len(targets) else []


@torch.no_grad()
def nearest_candidates(source: Tensor, target: Tensor, k: int, *further: Tensor) -> Candidates:
    """The k targets with the largest inner products, and further ones.

    Args:
        source: [n_source, dim].
        target: [n_target, dim].
        k: Targets wanted; never more than there are.
        further: Columns of further candidates, [n_source, any] each; a negative one is none.
    """
    k = min(k, len(target))
    nearest = [
        (block @ target.T).topk(k, dim=1).indices for block in torch.split(source, _BLOCK_ROWS)
    ]
    listed = torch.cat([torch.cat(nearest), *further], dim=1)
    return Candidates(listed.clamp_min(0), (listed >= 0) & ~repeated(listed), len(target))


def repeated(listed: Tensor) -> Tensor:
    """Whether a number stands further ahead in its row already, [n, k] bool.

    Args:
        listed: [n, k] int64.
    """
    ordered, order = torch.sort(listed, dim=1, stable=True)
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.zeros_like(again).scatter_(1, order, again)


class DifferenceScore(nn.Module):
    """``phi``: what the difference of two nodes' colours adds to the logit of their pair.

    Args:
        dim: Columns of the colours and of the hidden layer.
        generator: CPU generator of the initial values.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden, self.output = Linear(dim, dim, generator), Linear(dim, 1, generator)

    def forward(self, source: Tensor, target: Tensor, candidates: Candidates) -> Tensor:
        """For every candidate, [n_source, k].

        Args:
            source: Colours of the source nodes, [n_source, dim].
            target: Colours of the target nodes, [n_target, dim].
            candidates: Of the source nodes.
        """
        # An affine map of a difference is one of either node, made once and not for each pair.
        of_source, of_target = source @ self.hidden.weight, target @ self.hidden.weight
        found = [
            self.output(
                relu(
                    of_source[start : start + _BLOCK_ROWS].unsqueeze(1)
                    - of_target[rows]
                    + self.hidden.bias
                )
            ).squeeze(2)
            for start, rows in _blocks(candidates.targets)
        ]
        return torch.cat(found) if found else source.new_zeros(candidates.targets.shape)


@torch.no_grad()
def log_odds(logits: Tensor) -> Tensor:
    """``log(p / (1 - p))`` of each row's softmax, [n, k] float64, which tells sure rows apart."""
    k = logits.shape[1]
    own = torch.eye(k, dtype=torch.bool, device=logits.device)
    precise = logits.double()
    others = precise.unsqueeze(1).expand(-1, k, -1).masked_fill(own, -torch.inf)
    return precise - others.logsumexp(dim=2)


@torch.no_grad()
def accepted(scores: Tensor, candidates: Tensor, n_target: int) -> Tensor:
    """Deferred acceptance: the target that each source node keeps, [n_source]; -1 for none.

    Every source node asks its best candidate; a target keeps the one that scores best, and those
    it refuses ask their next one, until nobody asks any more. Both sides judge by the same scores.

    Args:
        scores: [n_source, k]; -inf is no candidate. Equal ones count in the order of source nodes.
        candidates: [n_source, k].
        n_target: Target nodes.
    """
    n_source, k = scores.shape
    order = torch.argsort(scores, dim=1, descending=True, stable=True)
    ranked, wanted = scores.gather(1, order), candidates.gather(1, order)
    asks = torch.zeros(n_source, dtype=torch.int64, device=scores.device)
    free = torch.arange(n_source, device=scores.device)
    held = torch.full((n_target,), -1, dtype=torch.int64, device=scores.device)
    while len(free):
        free = free[asks[free] < k]
        free = free[ranked[free, asks[free]] > -torch.inf]
        targets = wanted[free, asks[free]]
        holders = held[targets]
        # All that ask, and those that are held by whom they ask.
        rivals = torch.unique(torch.cat([free, holders[holders >= 0]]))
        of, value = wanted[rivals, asks[rivals]], ranked[rivals, asks[rivals]]
        best = torch.argsort(value, descending=True, stable=True)
        best = best[torch.argsort(of[best], stable=True)]
        first = torch.ones(len(best), dtype=torch.bool, device=scores.device)
        first[1:] = of[best][1:] != of[best][:-1]
        held[of[best][first]] = rivals[best][first]
        free = rivals[best][~first]
        asks[free] += 1
    kept = torch.full((n_source,), -1, dtype=torch.int64, device=scores.device)
    taken = torch.nonzero(held >= 0).squeeze(1)
    kept[held[taken]] = taken
    return kept
