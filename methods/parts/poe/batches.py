"""Batches of triples, each with a batch of seed links, and the negatives of both."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.minibatch import shuffled_batches


class TripleAndLinkBatches:
    """One epoch: every triple once in shuffled batches, each with a batch of seed links.

    Args:
        graph: Union graph.
        pairs: Seed links as joint ids, [n_seeds, 2].
        sizes: Triples and seed links of a batch.
        ctx: Device and generator.
        with_triples: Whether there are triples at all; otherwise seed links alone.
    """

    def __init__(
        self,
        graph: JointGraph,
        pairs: Tensor,
        sizes: tuple[int, int],
        ctx: RunContext,
        *,
        with_triples: bool = True,
    ) -> None:
        self._n_source, self._n_entities = graph.n_source, graph.n_entities
        self._triples = torch.from_numpy(graph.triples if with_triples else graph.triples[:0])
        self._pairs, self._device = pairs, ctx.device
        self._batch_size, self._link_batch_size = sizes
        self._draws = ctx.generator("batches")

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Triples of one KG, [b, 3], and seed links, [b, 2]; either may be empty."""
        batches: list[Tensor] = []
        is_source = self._triples[:, 0] < self._n_source
        for mask in (is_source, ~is_source):
            parts = shuffled_batches(self._triples[mask], self._batch_size, self._draws)
            batches += [part for part in parts if len(part)]
        n_steps = max(len(batches), math.ceil(len(self._pairs) / self._link_batch_size))
        batches += [self._triples[:0]] * (n_steps - len(batches))
        places = torch.randperm(n_steps, generator=self._draws).tolist()
        links = list(self._links(n_steps))  # drawn before the negatives of the first step
        yield from zip((batches[place] for place in places), links, strict=True)

    def _links(self, n_steps: int) -> Iterator[Tensor]:
        """As many batches of seed links, which come round again."""
        size = min(self._link_batch_size, len(self._pairs))
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(n_steps):
            if len(order) < size:
                again = torch.randperm(len(self._pairs), generator=self._draws)
                order = torch.cat([order, again])
            yield self._pairs[order[:size]]
            order = order[size:]

    def others_of(self, n_drawn: int, *, is_source: bool) -> Tensor:
        """Entities of one KG, drawn with replacement, [n_drawn] joint ids on the device."""
        first, last = (0, self._n_source) if is_source else (self._n_source, self._n_entities)
        return torch.randint(first, last, (n_drawn,), generator=self._draws).to(self._device)

    def is_of_source(self, triples: Tensor) -> bool:
        """Whether a batch of triples is of the source KG."""
        return int(triples[0, 0]) < self._n_source
