"""How two sets of vectors agree: best similarities of their members, pooled by Gaussian kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph

MEANS = (1.0, *(0.975 - 0.05 * step for step in range(20)))
WIDTHS = (0.001, *(0.1,) * 20)
_SCALE = 0.01
_SMALLEST = math.log(1e-10)
_PAIRS = 1024
"""Pairs compared at a time: 50 members of 300 numbers are 60 MB on each side."""


@dataclass(frozen=True, eq=False)
class MemberSets:
    """Members of each entity, such as its neighbours or its attribute values.

    Attributes:
        vectors: Unit rows of all that may be a member, [n_members, dim].
        table: Rows of an entity's members, first the real ones, [n_entities, width].
        counts: Real members of each entity, [n_entities].
        full: Members from which on nothing is padded.
    """

    vectors: Tensor
    table: Tensor
    counts: Tensor
    full: int

    @classmethod
    def of(
        cls,
        owners: IntArray,
        members: IntArray,
        vectors: Tensor,
        n_entities: int,
        most: int,
        generator: np.random.Generator,
    ) -> MemberSets:
        """Random members of each entity, ``most`` at most; repeated ones count as often.

        Args:
            owners: Entity of each membership, [n].
            members: Row of ``vectors``, [n].
            vectors: [n_members, dim].
            n_entities: Of both KGs.
            most: Members kept.
            generator: Chooses them.
        """
        order = generator.permutation(len(owners))
        order = order[np.argsort(owners[order], kind="stable")]
        owners, members = owners[order], members[order]
        place = np.arange(len(owners)) - np.searchsorted(owners, owners)
        kept = place < most
        counts = np.bincount(owners[kept], minlength=n_entities)
        table = np.zeros((n_entities, max(1, int(counts.max(initial=0)))), dtype=np.int64)
        table[owners[kept], place[kept]] = members[kept]
        device = vectors.device
        rows, sizes = (torch.from_numpy(array).to(device) for array in (table, counts))
        return cls(normalize(vectors, dim=1), rows, sizes, most)

    def features(self, pairs: Tensor) -> Tensor:
        """Kernel features of pairs of entities, [n_pairs, 42].

        Args:
            pairs: Joint ids, [n_pairs, 2].
        """
        return torch.cat([self._of_some(part) for part in torch.split(pairs, _PAIRS)])

    def _of_some(self, pairs: Tensor) -> Tensor:
        counts = self.counts[pairs]  # [n, 2]
        sizes = counts.amax(dim=0).clamp_min(1).tolist()
        # Each entity's members are gathered once however many pairs it stands in.
        members, is_real = [], []
        for side in (0, 1):
            entities, place = torch.unique(pairs[:, side], return_inverse=True)
            rows = self.vectors[self.table[entities, : sizes[side]]]
            members.append(rows[place])
            here = torch.arange(sizes[side], device=pairs.device)
            is_real.append(here < counts[:, side : side + 1])
        similarity = torch.bmm(members[0], members[1].transpose(1, 2))
        both = is_real[0].unsqueeze(2) & is_real[1].unsqueeze(1)
        similarity = similarity.masked_fill(~both, -torch.inf)
        of_rows = self._pooled(similarity.amax(dim=2), is_real[0], counts[:, 1])
        of_columns = self._pooled(similarity.amax(dim=1), is_real[1], counts[:, 0])
        return torch.cat([of_rows, of_columns], dim=1)

    def _pooled(self, best: Tensor, is_real: Tensor, n_partners: Tensor) -> Tensor:
        """Kernels of the best similarities [n, size] of real members, [n, 21].

        A padded partner has similarity 0 and wins where all real ones are negative.
        """
        is_padded = (n_partners < self.full).unsqueeze(1)
        best = torch.where(is_padded, best.clamp_min(0.0), best)
        return kernel_pooled(best.masked_fill(~is_real, 0.0), is_real)


def kernel_pooled(best: Tensor, is_real: Tensor) -> Tensor:
    """``0.01 / n sum_i log max(exp(-(s_i - mu)^2 / 2 sigma^2), 1e-10)`` of 21 kernels, [n, 21].

    The logarithm of the larger is the larger logarithm, so that no exponential is needed.

    Args:
        best: Similarities, [n, size].
        is_real: Which of them count, [n, size]; zeros for a row without any.
    """
    counts = is_real.sum(dim=1).clamp_min(1)
    pooled = []
    for mean, width in zip(MEANS, WIDTHS, strict=True):
        logs = ((best - mean).square() / (-2 * width**2)).clamp_min(_SMALLEST)
        pooled.append((logs * is_real).sum(dim=1) * _SCALE / counts)
    return torch.stack(pooled, dim=1)


def neighbours(graph: JointGraph) -> tuple[IntArray, IntArray]:
    """Entity and neighbour of every triple in both directions, repeated ones kept."""
    heads, _, tails = graph.triples.T
    return np.concatenate([heads, tails]), np.concatenate([tails, heads])


def without_many_values(owners: IntArray, attributes: IntArray, most: int) -> IntArray:
    """Positions of attribute triples whose entity has at most so many values of the attribute."""
    keys = owners * (int(attributes.max(initial=0)) + 1) + attributes
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.nonzero(counts[place.ravel()] <= most)[0]
