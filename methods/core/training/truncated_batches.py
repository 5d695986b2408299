"""Triples of two KGs with swapped copies along seed links, and hard negatives, as in BootEA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mmea_bench.methods.core.base import RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.losses.translation import CorruptedTriples
from mmea_bench.methods.core.training.minibatch import shuffled_batches
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    NearestCandidates,
    UniformCandidates,
)
from mmea_bench.methods.core.training.triple_corruption import TripleBatches


@dataclass(frozen=True)
class TruncatedSampling:
    """How triples are sampled.

    Attributes:
        batch_size: Triples of a batch.
        n_negatives: Of each triple.
        epsilon: An entity's stand-ins are the share ``1 - epsilon`` of its KG that is nearest.
        refresh_every: Epochs between two searches for those.
    """

    batch_size: int
    n_negatives: int
    epsilon: float
    refresh_every: int


class TruncatedBatches:
    """Epochs over all triples and their swapped copies, with epsilon-truncated negatives.

    One coin of a triple decides which end all its negatives replace; they differ, and none is a
    triple or a swapped copy.

    Args:
        graph: Union graph; relations of the KGs are kept apart.
        seed_pairs: Joint ids, [n_seed, 2].
        sampling: Sizes and ages.
        vectors: Current vectors of all entities, [n_entities, dim], compared by inner product.
        ctx: Device and generators.

    Attributes:
        plain: The triples without swapped copies, relations apart.
        n_relations: Relations of both KGs.

    Reference: Sun et al. (BootEA), IJCAI 2018, sections 3.2 and 3.3.
    """

    def __init__(
        self,
        graph: JointGraph,
        seed_pairs: Tensor,
        sampling: TruncatedSampling,
        vectors: Callable[[], Tensor],
        ctx: RunContext,
    ) -> None:
        self.plain, self.n_relations = (
            TripleSet.of(graph, own_relations=True),
            2 * graph.n_relations,
        )
        swapped = self.plain.with_swaps(seed_pairs.numpy())
        triples, side = torch.from_numpy(swapped.triples), torch.from_numpy(~swapped.from_source)
        # Where swapping brings an entity into the other KG it may be replaced by anyone in triples.
        self._everyone = UniformCandidates.of_triples(triples, side.long())
        self._corruption = FilteredCorruption(
            *(triples, side, graph.n_entities, self._everyone), ends="one coin", distinct=True
        )
        self._n_source, self._sampling, self._vectors = graph.n_source, sampling, vectors
        self._corruption.candidates = self._nearest()
        self._batches = TripleBatches(
            self._corruption, sampling.n_negatives, 1, sampling.batch_size, ctx
        )

    def epoch(self, epoch: int) -> Iterator[CorruptedTriples]:
        """The batches of one epoch (counted from 1), on the device."""
        if epoch > 1 and (epoch - 1) % self._sampling.refresh_every == 0:
            self._corruption.candidates = self._nearest()
        return self._batches.epoch(epoch)

    def _nearest(self) -> NearestCandidates:
        share = 1 - self._sampling.epsilon
        vectors = self._vectors().detach()
        return NearestCandidates(vectors, self._n_source, share, self._everyone)


def swapped_batches(
    plain: TripleSet, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Copies of triples with one entity of a label in its partner's place, [b, 3] each.

    Args:
        plain: Triples of both KGs.
        labels: Joint ids, [n_labels, 2]; without any there are no batches.
        batch_size: Copies of a batch.
        generator: On the CPU.
    """
    copies = plain.swaps(labels.numpy()).triples
    if len(copies):
        yield from shuffled_batches(torch.from_numpy(copies), batch_size, generator)
