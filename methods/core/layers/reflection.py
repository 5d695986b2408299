"""Relation-reflection attention: every relation mirrors the messages that pass along it.

With ``r_ij`` the unit direction of the pair (i, j) a message is ``(I - 2 r_ij r_ij^T) h_j``, and a
node takes the mean of its messages weighted by ``softmax_j(q . r_ij)``. Direction and weight depend
on nothing but the *set* of relations of the pair, and graphs have few distinct sets (FB15K-DB15K:
10,159 for 666,114 ordered pairs). So directions form a table with one row per set, the products
``h_j . r`` are needed once per distinct (neighbour, set), and the mirrored parts are summed once
per distinct (node, set) (242,358 each). Nothing of the size pairs x dim is ever made.

Reference: Mao et al., RREA, CIKM 2020; LoginMEA, ECAI 2024, equations 10-12.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern

_LEFT_OUT = -1e9
"""Logit of a pair without a message; finite, for nodes that keep no pair."""


class ReflectionGraph:
    """Neighbour pairs of some nodes, and the relation set that each pair carries.

    Attributes:
        pairs: Which (node, neighbour) pairs exist, [n_rows, n_entities].
        sets: Relation set of each pair, [n_pairs].
        members: Takes the mean over each set's relations, [n_sets, 2 n_relations]; relation ``r``
            followed from head to tail is column ``r``, from tail to head ``n_relations + r``.
        of_neighbours: Which (neighbour, set) occur, [n_entities, n_sets].
        of_nodes: Which (node, set) occur, [n_rows, n_sets].
        at_neighbour: Position of each pair's (neighbour, set), [n_pairs].
        at_node: Position of each pair's (node, set), [n_pairs].
    """

    def __init__(self, pairs: SparsePattern, sets: Tensor, members: FixedMatrix) -> None:
        self.pairs, self.sets, self.members = pairs, sets, members
        n_sets = members.pattern.shape[0]
        self.of_neighbours, self.at_neighbour = _distinct(pairs.columns, sets, pairs, 1, n_sets)
        self.of_nodes, self.at_node = _distinct(pairs.rows, sets, pairs, 0, n_sets)

    @classmethod
    def of(
        cls, graph: JointGraph, device: torch.device | None = None, *, merged: bool = True
    ) -> ReflectionGraph:
        """Every triple links its two entities in both directions; no self-loops are added.

        Args:
            graph: Union graph.
            device: Where the products run.
            merged: Whether a neighbour sends one message by the mean of all relations that lead to
                it (released code of LoginMEA) or one by each of them (equation 10).
        """
        size, n_relations = graph.n_entities, graph.n_relations
        heads, relations, tails = graph.triples.T
        facts = np.unique(
            np.concatenate(
                [
                    np.stack([heads, tails, relations], axis=1),
                    np.stack([tails, heads, relations + n_relations], axis=1),
                ]
            ),
            axis=0,
        )
        keys = facts[:, 0] * size + facts[:, 1]
        pair_of_fact = np.arange(len(keys))
        if merged:
            keys, pair_of_fact = np.unique(keys, return_inverse=True)
        sets, members = _relation_sets(pair_of_fact, facts[:, 2], len(keys))
        rows, columns, n_sets = members
        pattern = SparsePattern(rows, columns, (n_sets, 2 * n_relations), device)
        means = torch.from_numpy(1 / np.bincount(rows, minlength=n_sets)[rows]).float()
        pairs = SparsePattern(keys // size, keys % size, (size, size), device)
        return cls(pairs, torch.from_numpy(sets).to(pairs.device), FixedMatrix(pattern, means))

    def restricted(self, rows: Tensor) -> ReflectionGraph:
        """The pairs of some nodes, in the order given."""
        pairs, kept = self.pairs.restricted(rows)
        return ReflectionGraph(pairs, self.sets[kept], self.members)

    def directions(self, relations: Tensor) -> Tensor:
        """Unit direction of each relation set: its relations' mean, normalised, [n_sets, dim].

        Args:
            relations: Vector of each directed relation, [2 n_relations, dim].
        """
        return normalize(self.members @ relations, dim=1)


class ReflectionLayer(nn.Module):
    """One step of relation-reflection attention with one head, without activation.

    Args:
        dim: Columns of input and output.
        generator: CPU generator of the initial values.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        # Xavier's rule for a vector seen as a matrix of one column.
        self.query = uniform_parameter((dim,), math.sqrt(6 / (dim + 1)), generator)

    def forward(
        self,
        vectors: Tensor,
        directions: Tensor,
        graph: ReflectionGraph,
        kept: Tensor | None = None,
    ) -> Tensor:
        """Aggregated messages; a node without neighbours gets zeros.

        Args:
            vectors: [n_entities, dim].
            directions: Unit direction of each relation set, [n_sets, dim].
            graph: Pairs of the wanted nodes.
            kept: Which pairs pass a message, [n_pairs] bool; None for all.

        Returns:
            [n_rows, dim].
        """
        logits = directions @ self.query
        of_pair = logits.index_select(0, graph.sets)
        if kept is not None:
            of_pair = of_pair.masked_fill(~kept, _LEFT_OUT)
        weights = graph.pairs.row_softmax(of_pair)
        if kept is not None:
            weights = weights * kept  # of a node that keeps no pair
        along = graph.of_neighbours.inner_products(vectors, directions)
        return _mirrored_sum(weights, along, vectors, directions, graph)


class EndReflectionLayer(nn.Module):
    """Reflection attention that looks at both ends and the relation, one head, no activation.

    A message is ``M_ij x_j = x_j - 2 (x_j . r_ij) r_ij`` and weighs
    ``softmax_j(a . [x_i || M_ij x_j || r_ij])``. As ``a_2 . M_ij x_j`` is
    ``a_2 . x_j - 2 (x_j . r_ij) (a_2 . r_ij)``, no message is ever made.

    Args:
        dim: Columns of input and output.
        generator: CPU generator of the initial values of ``a``, Glorot's uniform ones.

    Reference: Mao et al., RREA, CIKM 2020, equations 6-8.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.kernel = uniform_parameter((3, dim), math.sqrt(6 / (3 * dim + 1)), generator)

    def forward(
        self,
        vectors: Tensor,
        directions: Tensor,
        graph: ReflectionGraph,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Aggregated messages, [n_rows, dim]; a node without neighbours gets zeros.

        Args:
            vectors: [n_entities, dim].
            directions: Unit direction of each relation set, [n_sets, dim].
            graph: Pairs of the wanted nodes.
            rows: Node of each wanted row; None if all nodes are wanted.
        """
        along = graph.of_neighbours.inner_products(vectors, directions)
        ends, relation = vectors @ self.kernel[:2].T, directions @ self.kernel[1:].T
        towards = ends[:, 0] if rows is None else ends[rows, 0]
        of_pair = relation.index_select(0, graph.sets)
        logits = (
            towards.index_select(0, graph.pairs.rows)
            + ends[:, 1].index_select(0, graph.pairs.columns)
            - 2 * along.index_select(0, graph.at_neighbour) * of_pair[:, 0]
            + of_pair[:, 1]
        )
        weights = graph.pairs.row_softmax(logits)
        return _mirrored_sum(weights, along, vectors, directions, graph)


def _mirrored_sum(
    weights: Tensor, along: Tensor, vectors: Tensor, directions: Tensor, graph: ReflectionGraph
) -> Tensor:
    """``sum_j w_ij (h_j - 2 (h_j . r_ij) r_ij)``, [n_rows, dim].

    Args:
        weights: ``w``, [n_pairs].
        along: ``h . r`` of each distinct (neighbour, set).
        vectors: ``h``, [n_entities, dim].
        directions: ``r``, [n_sets, dim].
        graph: The pairs.
    """
    mirrored = weights * along.index_select(0, graph.at_neighbour)
    by_set = torch.zeros(graph.of_nodes.n_edges, device=weights.device).index_add(
        0, graph.at_node, mirrored
    )
    plain = graph.pairs.product(weights, vectors)
    return plain - 2 * graph.of_nodes.product(by_set, directions)


def relation_table(n_relations: int, dim: int, generator: torch.Generator) -> nn.Parameter:
    """Vectors of all relations in both directions, Xavier-uniform, [2 n_relations, dim]."""
    return uniform_parameter(
        (2 * n_relations, dim), math.sqrt(6 / (2 * n_relations + dim)), generator
    )


def _relation_sets(
    pair_of_fact: IntArray, relations: IntArray, n_pairs: int
) -> tuple[IntArray, tuple[IntArray, IntArray, int]]:
    """Set of each pair; rows, columns and number of rows of the membership matrix.

    Facts are sorted by pair and then relation, so equal sets are equal slices.
    """
    starts = np.searchsorted(pair_of_fact, np.arange(n_pairs + 1))
    number: dict[bytes, int] = {}
    sets = np.empty(n_pairs, dtype=np.int64)
    for pair, (start, stop) in enumerate(pairwise(starts)):
        sets[pair] = number.setdefault(relations[start:stop].tobytes(), len(number))
    members: list[NDArray[np.int64]] = [np.frombuffer(key, dtype=np.int64) for key in number]
    rows = np.repeat(np.arange(len(members)), [len(member) for member in members])
    columns = np.concatenate(members) if members else np.empty(0, dtype=np.int64)
    return sets, (rows, columns, len(members))


def _distinct(
    ends: Tensor, sets: Tensor, pairs: SparsePattern, side: int, n_sets: int
) -> tuple[SparsePattern, Tensor]:
    """Distinct (end, set) of the pairs, and each pair's position among them."""
    keys, positions = np.unique((ends * n_sets + sets).cpu().numpy(), return_inverse=True)
    shape = (pairs.shape[side], n_sets)
    pattern = SparsePattern(keys // max(1, n_sets), keys % max(1, n_sets), shape, pairs.device)
    return pattern, torch.from_numpy(positions).to(pairs.device)
