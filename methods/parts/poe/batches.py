"""Batches of triples, each with batches of seed links, and the negatives of both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.training.minibatch import shuffled_batches


def links_apart(pairs: Tensor, share: float, ctx: RunContext) -> tuple[Tensor, Tensor]:
    """Seed links that the latent expert learns, and the others, on which experts are weighed.

    Args:
        pairs: Seed links as joint ids, [n_seeds, 2].
        share: Of the links that are weighed on; one at least.
        ctx: Gives the generator.

    Returns:
        The two parts; a single link is in both.
    """
    order = torch.randperm(len(pairs), generator=ctx.generator("links to weigh on"))
    n_weighed = max(1, round(share * len(pairs)))
    return pairs[order[min(n_weighed, len(pairs) - 1) :]], pairs[order[:n_weighed]]


class TripleAndLinkBatches:
    """One epoch: every triple once in shuffled batches, each with a batch of every kind of links.

    Args:
        graph: Union graph.
        links: Kinds of seed links as joint ids, [n, 2] each; a kind may be empty.
        sizes: Triples and seed links of a batch.
        ctx: Device and generator.
        with_triples: Whether there are triples at all; otherwise seed links alone.
    """

    def __init__(
        self,
        graph: JointGraph,
        links: Sequence[Tensor],
        sizes: tuple[int, int],
        ctx: RunContext,
        *,
        with_triples: bool = True,
    ) -> None:
        self._n_source, self._n_entities = graph.n_source, graph.n_entities
        self._triples = torch.from_numpy(graph.triples if with_triples else graph.triples[:0])
        self._kinds, self._device = tuple(links), ctx.device
        self._batch_size, self._link_batch_size = sizes
        self._draws = ctx.generator("batches")

    def epoch(self) -> Iterator[tuple[Tensor, ...]]:
        """Triples of one KG, [b, 3], and links of each kind, [b, 2]; each may be empty."""
        batches: list[Tensor] = []
        is_source = self._triples[:, 0] < self._n_source
        for mask in (is_source, ~is_source):
            parts = shuffled_batches(self._triples[mask], self._batch_size, self._draws)
            batches += [part for part in parts if len(part)]
        needed = (math.ceil(len(pairs) / self._link_batch_size) for pairs in self._kinds)
        n_steps = max(len(batches), *needed)
        batches += [self._triples[:0]] * (n_steps - len(batches))
        places = torch.randperm(n_steps, generator=self._draws).tolist()
        # Drawn before the negatives of the first step.
        links = [list(self._links(pairs, n_steps)) for pairs in self._kinds]
        yield from zip((batches[place] for place in places), *links, strict=True)

    def _links(self, pairs: Tensor, n_steps: int) -> Iterator[Tensor]:
        """As many batches of seed links, which come round again."""
        size = min(self._link_batch_size, len(pairs))
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(n_steps):
            if len(order) < size:
                again = torch.randperm(len(pairs), generator=self._draws)
                order = torch.cat([order, again])
            yield pairs[order[:size]]
            order = order[size:]

    def others_of(self, n_drawn: int, *, is_source: bool) -> Tensor:
        """Entities of one KG, drawn with replacement, [n_drawn] joint ids on the device."""
        first, last = (0, self._n_source) if is_source else (self._n_source, self._n_entities)
        return torch.randint(first, last, (n_drawn,), generator=self._draws).to(self._device)

    def is_of_source(self, triples: Tensor) -> bool:
        """Whether a batch of triples is of the source KG."""
        return int(triples[0, 0]) < self._n_source
