"""AliNet's losses on unit vectors, without a vector per pair or per triple.

Its entities are unit vectors made of the unit vectors of several layers side by side, so that inner
products are the means of the layers' inner products, and distances follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import relu

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.training.triple_corruption import Pools


def squared_distances(layers: Sequence[Tensor], pairs: Tensor) -> Tensor:
    """Squared distances of pairs of entities, [n_pairs].

    Args:
        layers: Unit vectors of each layer, [n_entities, dim].
        pairs: Joint ids, [n_pairs, 2]; equal pairs cost no more than one.
    """
    size, device = len(layers[0]), layers[0].device
    keys, place = torch.unique(pairs[:, 0] * size + pairs[:, 1], return_inverse=True)
    cells = keys.cpu().numpy()
    pattern = SparsePattern(cells // size, cells % size, (size, size), device)
    inner = torch.stack([pattern.inner_products(each, each) for each in layers]).mean(dim=0)
    return 2 - 2 * inner.index_select(0, place)


@dataclass(frozen=True)
class RelationWindow:
    """Some triples of every relation.

    Attributes:
        triples: (head, relation, tail), [n_relations * size, 3], by relation.
        size: Triples of each relation.
    """

    triples: Tensor
    size: int


class RelationWindows:
    """Draws triples of every relation, with replacement.

    Args:
        graph: Union graph; a relation name of both KGs counts as two relations.
        size: Triples of each relation; 0 is the released rule, a batch over the number of
            relations, and the default where that is one or less.
        batch_size: Seed links of a batch, which that rule reads.
        default: See there.
        generator: On the CPU.
    """

    def __init__(
        self,
        graph: JointGraph,
        size: int,
        batch_size: int,
        default: int,
        generator: torch.Generator,
    ) -> None:
        self._triples = torch.from_numpy(distinct_rows(graph.triples))
        side = (self._triples[:, 0] >= graph.n_source).long()
        names = self._triples[:, 1] + side * graph.n_relations
        self._relations, relation_of = torch.unique(names, return_inverse=True)
        self._pools = Pools.of(relation_of, torch.arange(len(names)), len(self._relations))
        share = batch_size // max(1, self.n_relations)
        self.size = size or (share if share > 1 else default)
        self._generator = generator

    @property
    def n_relations(self) -> int:
        """Relations with triples, of both KGs."""
        return len(self._relations)

    def draw(self) -> RelationWindow:
        """A window of every relation, on the CPU."""
        everyone = torch.arange(self.n_relations)
        drawn = self._pools.draw(everyone, self.size, self._generator)
        triples = self._triples[drawn.flatten()].clone()
        triples[:, 1] = everyone.repeat_interleave(self.size)
        return RelationWindow(triples, self.size)


def relation_loss(layers: Sequence[Tensor], distances: Tensor, window: RelationWindow) -> Tensor:
    """``sum |h - t - r|^2`` with ``r`` the normalised mean ``m`` of ``h - t`` over a window.

    As ``r`` is a unit vector along ``m``, the sum over a window of ``w`` triples is that of
    ``|h - t|^2``, plus ``w``, minus ``2 w |m|``.

    Args:
        layers: Unit vectors of each layer, [n_entities, dim].
        distances: ``|h - t|^2`` of the window's triples, [n_relations * w].
        window: The triples.

    Reference: Sun et al., AAAI 2020, equation 10, as the released code computes it.
    """
    n_relations, size = len(window.triples) // window.size, window.size
    heads, relations, tails = window.triples.cpu().numpy().T
    shares = np.repeat(np.array([1, -1], dtype=np.float32) / size, len(heads))
    places = np.concatenate([relations, relations]), np.concatenate([heads, tails])
    sparse = csr_matrix((shares, places), shape=(n_relations, len(layers[0])))
    sparse.sort_indices()
    pattern = SparsePattern.of_csr(sparse, layers[0].device)
    means = FixedMatrix(pattern, torch.from_numpy(sparse.data))
    squares = torch.stack([(means @ each).square().sum(dim=1) for each in layers]).mean(dim=0)
    # A mean of nothing has no direction; the root there has no slope either.
    lengths = squares.clamp_min(1e-12).sqrt()
    return distances.sum() + size * (1 - 2 * lengths).sum()


def alignment_loss(own: Tensor, others: Tensor, margin: float, weight: float) -> Tensor:
    """``sum d(own) + weight sum [margin - d(other)]+`` on squared distances.

    Args:
        own: Of the partners, [b].
        others: Of negatives, any shape.
        margin: Distance from which on a negative costs nothing.
        weight: Of the negatives' part.

    Reference: Sun et al., AAAI 2020, equation 9.
    """
    return own.sum() + weight * relu(margin - others).sum()
