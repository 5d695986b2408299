"""Contrast without positive pairs: a momentum encoder and a queue of its outputs per graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

_MASKED = -1e9
_EMPTY = -1
_ROWS = 512
"""Keys made at a time."""


class MomentumQueue:
    """The latest key vectors of one graph, oldest overwritten first.

    SelfKG's released code queues the inputs and encodes them again in every step (``renew``); at a
    momentum of 0.9999 the stored outputs differ hardly and cost about 60 times less.

    Args:
        size: Vectors held.
        dim: Their columns.
        device: Where they are held.
    """

    def __init__(self, size: int, dim: int, device: torch.device) -> None:
        self.keys = torch.zeros(size, dim, device=device)
        self.entities = torch.full((size,), _EMPTY, dtype=torch.int64, device=device)
        self._next = self._n_pushed = 0

    @property
    def is_full(self) -> bool:
        """Whether every place holds a key."""
        return self._n_pushed >= len(self.keys)

    def push(self, keys: Tensor, entities: Tensor) -> None:
        """Takes in keys [b, dim] of entities [b]; of more than fit, the last ones stay."""
        size = len(self.keys)
        keys, entities = keys[-size:] if size else keys[:0], entities[-size:] if size else entities
        if not size:
            return
        places = (self._next + torch.arange(len(keys), device=keys.device)) % size
        self.keys[places] = keys.detach()
        self.entities[places] = entities
        self._next = (self._next + len(keys)) % size
        self._n_pushed += len(keys)

    @torch.no_grad()
    def renew(self, encode: Callable[[Tensor], Tensor]) -> None:
        """Makes all keys of a full queue anew.

        Args:
            encode: Entities [b] to keys [b, dim].
        """
        for places in torch.split(torch.arange(len(self.keys), device=self.keys.device), _ROWS):
            self.keys[places] = encode(self.entities[places])

    def similarities(self, queries: Tensor, entities: Tensor) -> Tensor:
        """Products of queries [b, dim] with the keys, [b, size].

        Empty places and keys of the query's own entity get a large negative number.
        """
        own = entities.unsqueeze(1) == self.entities.unsqueeze(0)
        return (queries @ self.keys.T).masked_fill(own | (self.entities == _EMPTY), _MASKED)


def relative_similarity_loss(
    negatives: Tensor, temperature: float, positives: Tensor | None = None
) -> Tensor:
    """Relative similarity metric: how far an entity is from others of its own graph.

    Mean of ``-p / tau + log(e^{p / tau} + sum_m e^{n_m / tau})``; ``p`` is 1, the largest value
    that a cosine can take, or the cosine with the momentum encoder's vector of the same entity.

    Args:
        negatives: Cosines with other entities, [b, n_negatives].
        temperature: tau.
        positives: [b], None for the constant 1.

    Reference: SelfMEA, IEEE/CAA JAS 2022, equation 1; with ``positives`` SelfKG's released code.
    """
    if positives is None:
        positives = torch.ones(len(negatives), device=negatives.device)
    logits = torch.cat([positives.unsqueeze(1), negatives], dim=1) / temperature
    return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=logits.device))


@torch.no_grad()
def follow(key: nn.Module, query: nn.Module, momentum: float) -> None:
    """Moves the key encoder's parameters by ``1 - momentum`` towards the query encoder's."""
    for slow, fast in zip(key.parameters(), query.parameters(), strict=True):
        slow.lerp_(fast, 1 - momentum)
