"""RDGCN's dual graph, whose nodes are relations, and the attention between it and the entities."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.layers.graph_layers import attended, glorot_uniform
from mmea_bench.methods.core.layers.sparse import SparsePattern

_LEAKY_SLOPE = 0.2


def with_own_relations(graph: JointGraph) -> JointGraph:
    """The graph with relations that the KGs do not share, without those that have no triples."""
    heads, relations, tails = graph.triples.T
    codes = relations + graph.n_relations * (heads >= graph.n_source)
    used, own = np.unique(codes, return_inverse=True)
    triples = np.stack([heads, own.reshape(-1), tails], axis=1)
    return dataclasses.replace(graph, triples=triples, n_relations=len(used))


def dual_adjacency(
    graph: JointGraph, device: torch.device | None = None
) -> tuple[SparsePattern, Tensor]:
    """How much two relations share heads and tails, [n_relations, n_relations] with its values.

    The share of common heads among the heads of either relation, plus that of the tails; 2 on the
    diagonal. Cells without a common end do not exist.

    Reference: Wu et al., IJCAI 2019, as the released code of RDGCN computes it.
    """
    total = csr_matrix((graph.n_relations, graph.n_relations), dtype=np.float32)
    for column in (0, 2):
        relations, entities = graph.distinct(1, column).T
        ones = np.ones(len(relations), dtype=np.float32)
        shape = (graph.n_relations, graph.n_entities)
        incidence = csr_matrix((ones, (relations, entities)), shape=shape)
        sizes = np.bincount(relations, minlength=graph.n_relations)
        common = (incidence @ incidence.T).tocoo()
        either = sizes[common.row] + sizes[common.col] - common.data
        shares = (common.data / either).astype(np.float32)
        total = total + csr_matrix((shares, (common.row, common.col)), shape=total.shape)
    total.sort_indices()
    pattern = SparsePattern.of_csr(total, device)
    return pattern, torch.from_numpy(total.data).to(device)


class DualAttention(nn.Module):
    """Attention between relations that share ends.

    An edge scores ``A_rs (a1 . y_r + b1 + a2 . y_s + b2)`` with ``y = X W``; what is gathered are
    the given values and not ``y``.

    Args:
        dim: Columns of the relations' features.
        generator: CPU generator of the initial values, Glorot-uniform.
        bias: Whether ``y`` has a bias, as in the second of the two.
    """

    def __init__(self, dim: int, generator: torch.Generator, *, bias: bool) -> None:
        super().__init__()
        self.weight = glorot_uniform(dim, dim, generator)
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.ends = glorot_uniform(dim, 1, generator, (2, dim))
        self.shifts = nn.Parameter(torch.zeros(2))

    def forward(
        self, features: Tensor, values: Tensor, pattern: SparsePattern, weights: Tensor
    ) -> Tensor:
        """Relation vectors, [n_relations, dim].

        Args:
            features: What the scores are made of, [n_relations, dim].
            values: What is gathered, [n_relations, dim].
            pattern: Relations that share ends.
            weights: How much they do, ``A``, [n_edges].
        """
        hidden = features @ self.weight
        if self.bias is not None:
            hidden = hidden + self.bias
        towards, away = (hidden @ self.ends.T + self.shifts).unbind(1)
        ends = towards.index_select(0, pattern.rows) + away.index_select(0, pattern.columns)
        return relu(attended(pattern, weights * ends, values))


class OutgoingTriples:
    """The triples by their heads: attention over what an entity points to.

    Args:
        graph: Union graph.
        device: Where its products run.
        mixed: A permutation of the triples; the n-th of the coefficients, in the order of heads and
            tails, then goes to the triple that it names. None leaves each its own.
    """

    def __init__(
        self,
        graph: JointGraph,
        device: torch.device | None = None,
        mixed: NDArray[np.int64] | None = None,
    ) -> None:
        size = graph.n_entities
        heads, relations, tails = graph.triples[np.lexsort(graph.triples.T[[2, 0]])].T
        cells, cell_of = np.unique(heads * size + tails, return_inverse=True)
        self._cells = SparsePattern(cells // size, cells % size, (size, size), device)
        shape = (size, len(heads))
        self._by_head = SparsePattern(heads.copy(), np.arange(len(heads)), shape, device)
        self._relations = torch.from_numpy(relations.copy()).to(device)
        if mixed is not None:
            cell_of = cell_of[mixed]
        self._cell_of = torch.from_numpy(cell_of.reshape(-1)).to(device)

    def gathered(self, scores: Tensor, vectors: Tensor) -> Tensor:
        """``sum_(h, r, t) softmax_h(LeakyReLU(score_r)) x_t``, zero without outgoing triples.

        Args:
            scores: Of each relation, [n_relations].
            vectors: [n_entities, dim].

        Returns:
            [n_entities, dim].
        """
        logits = leaky_relu(scores, _LEAKY_SLOPE).index_select(0, self._relations)
        shares = self._by_head.row_softmax(logits)
        # Two triples may link the same entities: a cell is worth the sum of their shares.
        empty = torch.zeros(self._cells.n_edges, device=vectors.device)
        return self._cells.product(
            empty.index_add(0, self._cell_of, shares.to(empty.dtype)), vectors
        )


class PrimalAttention(nn.Module):
    """Entities gather what they point to, weighted by one number per relation, ``v . d_r + b``.

    Args:
        dim: Columns of the relations' vectors.
        generator: CPU generator of the initial values, Glorot-uniform.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = glorot_uniform(dim, 1, generator, (dim,))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, relations: Tensor, vectors: Tensor, triples: OutgoingTriples) -> Tensor:
        """Relation vectors [n_relations, dim] and entity vectors [n_entities, d] to the latter."""
        return relu(triples.gathered(relations @ self.weight + self.bias, vectors))
