"""What MSNEA's line trains on: seeds, pseudo-pairs, and the triples that follow both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.siamese.stand_ins import StandIns
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds


class PairEncoder(Protocol):
    """What the training sets need of an encoder."""

    graph: JointGraph

    def joint_vectors(self) -> Tensor:
        """Joint vectors of all entities, without gradients, [n_entities, dim]."""

    def pairs_with(self, pairs: Tensor) -> Mapping[str, int]:
        """Number of pairs, [n_pairs, 2] joint ids, that have a modality on both sides."""


@dataclass(frozen=True)
class SetForm:
    """How the sets are put together; the last three are slips of TMEA's released code.

    Attributes:
        pseudo_as_seeds: Whether pseudo-pairs count as seeds rather than as a set of their own.
        own_relations: Whether relations of equal name in both KGs have vectors of their own.
        target_twice: Whether the target KG's triples are there once more, with stand-ins from the
            source KG: a slip of MSNEA's and TMEA's released code, which append one list to the
            other in place.
        forgets_swaps: Whether swapped triples follow the pairs of the last round alone, so that
            those of the seeds are gone after the first.
        forgets_seeds: Whether, from the second epoch after a first round on, the last batch of
            pseudo-pairs stands in the place of the seeds. These pairs keep the order in which they
            were found, so that it is the end of their list.
        fixed_steps: Whether an epoch keeps the number of batches of the first one; once there are
            fewer triples, the last batches have none.
    """

    pseudo_as_seeds: bool = False
    own_relations: bool = False
    target_twice: bool = False
    forgets_swaps: bool = False
    forgets_seeds: bool = False
    fixed_steps: bool = False


class TrainingSets:
    """Seeds, pseudo-pairs that join them, and the triples of both KGs with their swapped copies.

    Args:
        encoder: Its vectors are searched for pseudo-pairs.
        seeds: Joint ids, [n_seeds, 2].
        iterative_every: Epochs between two searches.
        ctx: Device, deadline and generators.
        form: How the sets are put together.

    Attributes:
        n_with: Number of seeds that have a modality on both sides, by modality.
    """

    n_with: Mapping[str, int]

    def __init__(
        self,
        encoder: PairEncoder,
        seeds: Tensor,
        iterative_every: int,
        ctx: RunContext,
        form: SetForm = SetForm(),
    ) -> None:
        self._encoder, self._ctx, self._form = encoder, ctx, form
        graph = encoder.graph
        self._batches, self._negatives = ctx.generator("batches"), ctx.generator("negatives")
        self._own_triples = TripleSet.of(graph, own_relations=form.own_relations)
        growth = IterativeSchedule(0, iterative_every, iterative_every)
        self._pairs = PseudoSeeds(seeds, graph.n_source, graph.n_entities, growth, ctx.log)
        self._set_seeds(seeds)
        self._take_up(seeds)
        self._n_first_triples = len(self._triples)
        self._last_pseudo_batch: Tensor | None = None

    def _set_seeds(self, seeds: Tensor) -> None:
        self._seeds, self._all_seeds = seeds, rows_of_pairs(seeds, self._ctx.device)
        self.n_with = self._encoder.pairs_with(seeds.to(self._ctx.device))

    def _take_up(self, pairs: Tensor) -> None:
        known = self._own_triples.with_swaps(pairs.numpy())
        if self._form.target_twice:
            known = with_target_again(known, self._own_triples)
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
        n_before = len(self.pairs)
        if self._pairs.after_epoch(epoch, self._encoder.joint_vectors):
            self._take_up(self.pairs[n_before if self._form.forgets_swaps else 0 :])
            if self._form.pseudo_as_seeds:
                self._set_seeds(self.pairs)

    def triple_batches(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """All triples once: triples [b, 3], stand-ins [b] and whether they replace the head [b]."""
        stand_ins, replaces_head = self._stand_ins.draw(self._negatives)
        order = torch.randperm(len(self._triples), generator=self._batches)
        batches = torch.split(order, batch_size)
        if self._form.fixed_steps:
            n_steps = -(-self._n_first_triples // batch_size)
            batches = (*batches, *[order[:0]] * (n_steps - len(batches)))[:n_steps]
        for rows in batches:
            self._ctx.check_deadline()
            parts = (self._triples[rows], stand_ins[rows], replaces_head[rows])
            triples, drawn, at_head = (part.to(self._ctx.device) for part in parts)
            yield triples, drawn, at_head

    def seeds_of_step(self, wanted: int) -> Tensor:
        """Rows of that many seeds drawn at random; of all where 0 or more than there are."""
        if self._form.forgets_seeds and self._last_pseudo_batch is not None:
            return self._last_pseudo_batch
        if not 0 < wanted < len(self._seeds):
            return self._all_seeds
        drawn = torch.randperm(len(self._seeds), generator=self._batches)[:wanted]
        return rows_of_pairs(self._seeds[drawn], self._ctx.device)

    def drawn_seeds(self, wanted: int) -> tuple[Tensor, int]:
        """As ``seeds_of_step``, with the number of pairs that they were drawn from."""
        rows = self.seeds_of_step(wanted)
        is_sample = 0 < wanted < len(self._seeds) and len(rows) == 2 * wanted
        return rows, len(self._seeds) if is_sample else len(rows) // 2

    def pseudo_batches(self, batch_size: int) -> Iterator[Tensor]:
        """Rows of all pseudo-pairs that are no seeds once."""
        pseudo_pairs = self.pairs[len(self._seeds) :]
        if len(pseudo_pairs):
            chunks: Iterable[Tensor] = torch.split(pseudo_pairs, batch_size)
            if not self._form.forgets_seeds:
                chunks = shuffled_batches(pseudo_pairs, batch_size, self._batches)
            for chunk in chunks:
                rows = rows_of_pairs(chunk, self._ctx.device)
                self._last_pseudo_batch = rows
                yield rows


def with_target_again(known: TripleSet, own: TripleSet) -> TripleSet:
    """The triples, and the target KG's own ones once more as if they were of the source KG."""
    again = own.triples[~own.from_source]
    return TripleSet(
        np.concatenate([known.triples, again]),
        np.concatenate([known.from_source, np.ones(len(again), dtype=bool)]),
    )


def rows_of_pairs(pairs: Tensor, device: torch.device) -> Tensor:
    """The sources of pairs of joint ids, then in the same order their partners, [2 n_pairs].

    So either side is one half of what is made of the rows, and nothing has to be gathered.
    """
    return pairs.T.flatten().to(device)
