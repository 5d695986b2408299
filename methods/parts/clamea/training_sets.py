"""What CLAMEA trains on: seeds, pseudo-pairs, and the triples that follow both."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.parts.clamea.modal_encoder import ModalEncoder
from mmea_bench.methods.parts.clamea.stand_ins import StandIns


class TrainingSets:
    """Seeds, pseudo-pairs that join them, and the triples of both KGs with their swapped copies.

    Args:
        encoder: Its vectors are searched for pseudo-pairs.
        seeds: Joint ids, [n_seeds, 2].
        iterative_every: Epochs between two searches.
        ctx: Device, deadline and generators.
        pseudo_as_seeds: Whether pseudo-pairs count as seeds rather than as a set of their own.

    Attributes:
        n_with: Number of seeds that have a modality on both sides, by modality.
    """

    n_with: dict[str, int]

    def __init__(
        self,
        encoder: ModalEncoder,
        seeds: Tensor,
        iterative_every: int,
        ctx: RunContext,
        *,
        pseudo_as_seeds: bool = False,
    ) -> None:
        self._encoder, self._ctx, self._pseudo_as_seeds = encoder, ctx, pseudo_as_seeds
        graph = encoder.graph
        self._batches, self._negatives = ctx.generator("batches"), ctx.generator("negatives")
        self._own_triples = TripleSet.of(graph)
        growth = IterativeSchedule(0, iterative_every, iterative_every)
        self._pairs = PseudoSeeds(seeds, graph.n_source, graph.n_entities, growth, ctx.log)
        self._set_seeds(seeds)
        self._take_up(seeds)

    def _set_seeds(self, seeds: Tensor) -> None:
        self._seeds, self._all_seeds = seeds, rows_of_pairs(seeds, self._ctx.device)
        self.n_with = self._encoder.pairs_with(seeds.to(self._ctx.device))

    def _take_up(self, pairs: Tensor) -> None:
        known = self._own_triples.with_swaps(pairs.numpy())
        self._triples = torch.from_numpy(known.triples)
        self._stand_ins = StandIns(known, self._encoder.graph)

    @property
    def pairs(self) -> Tensor:
        """Seeds, then pseudo-pairs, [n_pairs, 2] joint ids."""
        return self._pairs.pairs

    @property
    def n_triples(self) -> int:
        """Triples of both KGs and their swapped copies."""
        return len(self._triples)

    def grow(self, epoch: int) -> None:
        """Adds mutual nearest neighbours to the pseudo-pairs, where the schedule says so."""
        if self._pairs.after_epoch(epoch, lambda: self._encoder.all_entities()[0]):
            self._take_up(self.pairs)
            if self._pseudo_as_seeds:
                self._set_seeds(self.pairs)

    def triple_batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All triples once: triples [b, 3], stand-ins [b] and whether they replace the head [b]."""
        stand_ins, replaces_head = self._stand_ins.draw(self._negatives)
        everyone = torch.arange(len(self._triples))
        for rows in shuffled_batches(everyone, batch_size, self._batches):
            self._ctx.check_deadline()
            parts = (self._triples[rows], stand_ins[rows], replaces_head[rows])
            triples, drawn, at_head = (part.to(self._ctx.device) for part in parts)
            yield triples, drawn, at_head

    def seeds_of_step(self, wanted: int) -> Tensor:
        """Rows of that many seeds drawn at random; of all where 0 or more than there are."""
        if not 0 < wanted < len(self._seeds):
            return self._all_seeds
        drawn = torch.randperm(len(self._seeds), generator=self._batches)[:wanted]
        return rows_of_pairs(self._seeds[drawn], self._ctx.device)

    def pseudo_batches(self, batch_size: int) -> Iterator[Tensor]:
        """Rows of all pseudo-pairs that are no seeds once."""
        pseudo_pairs = self.pairs[len(self._seeds) :]
        if len(pseudo_pairs):
            for chunk in shuffled_batches(pseudo_pairs, batch_size, self._batches):
                yield rows_of_pairs(chunk, self._ctx.device)


def rows_of_pairs(pairs: Tensor, device: torch.device) -> Tensor:
    """The sources of pairs of joint ids, then in the same order their partners, [2 n_pairs].

    So either side is one half of what is made of the rows, and nothing has to be gathered.
    """
    return pairs.T.flatten().to(device)
