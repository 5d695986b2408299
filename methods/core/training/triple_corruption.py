"""Batches of triples with their negatives, and pools to draw stand-ins from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.core.training.minibatch import shuffled_batches

_GOLDEN = -7046029254386353131
"""2 ** 64 over the golden ratio, odd and with its sign: Knuth's multiplier of hashes."""
_MARKS_A_CODE = 8
"""More leave fewer doubts and are slower to reach; kept states of a training hold them, too."""
_FEWEST_BITS, _MOST_BITS = 10, 26


class Corruption(Protocol):
    """Whatever draws negatives of all triples; ``FilteredCorruption`` does, too."""

    triples: Tensor

    def draw(self, n_negatives: int, generator: torch.Generator) -> CorruptedTriples:
        """All triples with that many negatives each."""


class TripleBatches:
    """Epochs over all triples in shuffled batches, with negatives that are redrawn now and then.

    Args:
        corruption: Draws the negatives of all triples at once.
        n_negatives: Of each triple.
        refresh_every: Epochs between two draws.
        batch_size: Triples of a batch.
        ctx: Device and generators.
    """

    def __init__(
        self,
        corruption: Corruption,
        n_negatives: int,
        refresh_every: int,
        batch_size: int,
        ctx: RunContext,
    ) -> None:
        self._corruption, self._n_negatives = corruption, n_negatives
        self._refresh_every, self._batch_size = refresh_every, batch_size
        self._shuffles, self._draws = ctx.generator("batches"), ctx.generator("negatives")
        self._device = ctx.device
        self._drawn = corruption.draw(n_negatives, self._draws)

    def epoch(self, epoch: int) -> Iterator[CorruptedTriples]:
        """The batches of one epoch (counted from 1), on the device."""
        drawn = self._redrawn(epoch).to(self._device)
        for rows in self._shuffled(self._device):
            yield drawn.rows(rows)

    def distinct(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, CorruptedTriples]]:
        """As ``epoch``, for tables of which a batch reads a few rows.

        What is distinct is found on the CPU: a GPU would have to tell how many there are.

        Yields:
            What ``CorruptedTriples.distinct`` gives, on the device.
        """
        drawn = self._redrawn(epoch)
        for rows in self._shuffled(torch.device("cpu")):
            entities, relations, local = drawn.rows(rows).distinct()
            yield entities.to(self._device), relations.to(self._device), local.to(self._device)

    def _redrawn(self, epoch: int) -> CorruptedTriples:
        if epoch > 1 and (epoch - 1) % self._refresh_every == 0:
            self._drawn = self._corruption.draw(self._n_negatives, self._draws)
        return self._drawn

    def _shuffled(self, device: torch.device) -> Iterator[Tensor]:
        everyone = torch.arange(len(self._drawn.triples), device=device)
        return shuffled_batches(everyone, self._batch_size, self._shuffles)


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
        # One number for both: sorting rows takes many times as long.
        size = int(members.max()) + 1 if len(members) else 1
        distinct = torch.unique(groups * size + members)
        owners = torch.div(distinct, size, rounding_mode="floor")
        return cls(distinct % size, torch.bincount(owners, minlength=n_groups))

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


class KnownCodes:
    """Tells which numbers are among those that are known.

    A table of marks by a hash says of most that they are not; only what it leaves is looked for
    among the sorted ones, which costs ten times as much.

    Args:
        codes: What is known, not negative, [n].
    """

    def __init__(self, codes: Tensor) -> None:
        self._sorted = torch.sort(codes).values
        wanted = (_MARKS_A_CODE * len(codes)).bit_length()
        self._bits = min(max(wanted, _FEWEST_BITS), _MOST_BITS)
        self._marks = torch.zeros(2**self._bits, dtype=torch.bool, device=codes.device)
        self._marks[self._places(codes)] = True

    def holds(self, codes: Tensor) -> Tensor:
        """Which of these are known, [n] bool."""
        found: Tensor = self._marks[self._places(codes)]
        if not len(self._sorted):
            return found
        doubtful = found.nonzero().squeeze(1)
        asked = codes[doubtful]
        place = torch.searchsorted(self._sorted, asked).clamp_max(len(self._sorted) - 1)
        found[doubtful] = self._sorted[place] == asked
        return found

    def _places(self, codes: Tensor) -> Tensor:
        # Multiplication wraps around; the highest bits depend on all others.
        places: Tensor = ((codes * _GOLDEN) >> (64 - self._bits)) & (2**self._bits - 1)
        return places
