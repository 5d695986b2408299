"""What EASY makes of a matching: reliable pairs, and triples that one KG lends to the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from mmea_bench.datasets.core.model.row_keys import distinct_rows
from mmea_bench.methods.core.inputs.graphs.joint_graph import IntArray, JointGraph
from mmea_bench.methods.core.similarity import (
    DEFAULT_BLOCK_ROWS,
    ScoreBlock,
    ScoreBlocks,
    ScoreMatrix,
)

_SOFTENING = 0.01
"""Added to the number of edges that a distance is divided by; released code."""


@dataclass(frozen=True, eq=False)
class NameEvidence:
    """What names add to the similarity of an entity and its candidates.

    Attributes:
        columns: Candidates of each source entity, [n_source, k] int64.
        values: What is added, [n_source, k].
        n_target: Target entities.
    """

    columns: Tensor
    values: Tensor
    n_target: int

    def added(self, scores: Tensor, rows: Tensor | slice) -> Tensor:
        """The scores of some source rows, [b, n_target], with their evidence, in place."""
        return scores.scatter_add_(1, self.columns[rows], self.values[rows].to(scores.dtype))


class FusedBlocks:
    """Cosines of vectors and the evidence of names, added up, in row blocks.

    Args:
        evidence: Of names.
        vectors: Of the source and the target entities; None for names alone.
    """

    def __init__(self, evidence: NameEvidence, vectors: tuple[Tensor, Tensor] | None) -> None:
        self.n_source, self.n_target = len(evidence.columns), evidence.n_target
        self.device, self.dtype = evidence.values.device, evidence.values.dtype
        self._evidence = evidence
        self._cosines = None if vectors is None else ScoreMatrix(*vectors)

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row."""
        for block in self._plain():
            scores = self._evidence.added(block.scores, slice(block.start, block.stop))
            yield ScoreBlock(block.start, block.stop, scores)

    def _plain(self) -> Iterator[ScoreBlock]:
        if self._cosines is not None:
            yield from self._cosines
            return
        for start in range(0, self.n_source, DEFAULT_BLOCK_ROWS):
            stop = min(start + DEFAULT_BLOCK_ROWS, self.n_source)
            shape = stop - start, self.n_target
            yield ScoreBlock(start, stop, torch.zeros(shape, dtype=self.dtype, device=self.device))


@dataclass(frozen=True, eq=False)
class Matching:
    """The best target of every source entity.

    Attributes:
        best: Target, [n_source].
        gaps: By how much it is better than the second best, [n_source].
        mutual: Whether the entity is its target's best, too, [n_source].
    """

    best: IntArray
    gaps: NDArray[np.float64]
    mutual: NDArray[np.bool_]

    @classmethod
    def of(cls, blocks: ScoreBlocks) -> Matching:
        """By some scores, in one pass; of equal ones the lowest row or column is the best."""
        best = torch.empty(blocks.n_source, dtype=torch.int64, device=blocks.device)
        gaps = torch.empty(blocks.n_source, dtype=blocks.dtype, device=blocks.device)
        highest = torch.full((blocks.n_target,), -torch.inf, dtype=blocks.dtype)
        highest = highest.to(blocks.device)
        rows = torch.zeros(blocks.n_target, dtype=torch.int64, device=blocks.device)
        for block in blocks:
            here = slice(block.start, block.stop)
            column_best, column_rows = block.scores.max(dim=0)
            better = column_best > highest
            highest = torch.where(better, column_best, highest)
            rows = torch.where(better, column_rows + block.start, rows)
            first, best[here] = block.scores.max(dim=1)
            block.scores.scatter_(1, best[here].unsqueeze(1), -torch.inf)
            gaps[here] = first - block.scores.amax(dim=1)
        mutual = rows[best] == torch.arange(blocks.n_source, device=blocks.device)
        return cls(best.cpu().numpy(), gaps.double().cpu().numpy(), mutual.cpu().numpy())

    def pairs(self) -> IntArray:
        """Source and target of the mutual pairs, [n, 2]."""
        kept = np.flatnonzero(self.mutual)
        return np.stack([kept, self.best[kept]], axis=1)


def adjacencies(graph: JointGraph) -> tuple[csr_matrix, csr_matrix]:
    """Who is linked to whom in the source and in the target KG: ones, symmetric, no loops."""
    heads, tails = graph.triples[:, 0], graph.triples[:, 2]
    proper = heads != tails
    ends = np.stack([heads[proper], tails[proper]])
    cells = np.unique(np.concatenate([ends, ends[::-1]], axis=1), axis=1)
    found = []
    for start, stop in ((0, graph.n_source), (graph.n_source, graph.n_entities)):
        rows, columns = cells[:, (cells[0] >= start) & (cells[0] < stop)] - start
        shape = stop - start, stop - start
        found.append(csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape))
    return found[0], found[1]


def graph_matching_distances(
    source: csr_matrix, target: csr_matrix, best: IntArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How badly a matching carries the edges of an entity over to the other KG.

    Of a target entity ``i`` it is ``sum_j |P'GP - G'|_ij / (sum_j (P'GP + G')_ij + 0.01)`` with
    the matching ``P``; of a source entity the mirror image, ``PG'P'`` against ``G``.

    Args:
        source: ``G``, [n_source, n_source].
        target: ``G'``, [n_target, n_target].
        best: Target of each source entity, [n_source].

    Returns:
        Distances [n_source] and [n_target].

    Reference: Ge et al. (EASY), SIGIR 2021, as the released code computes it.
    """
    shape = source.shape[0], target.shape[0]
    matching = csr_matrix((np.ones(shape[0]), (np.arange(shape[0]), best)), shape=shape)
    carried = matching @ target @ matching.T, matching.T @ source @ matching
    distances = []
    for moved, own in zip(carried, (source, target), strict=True):
        differing = np.asarray(abs(moved - own).sum(axis=1)).ravel()
        edges = np.asarray((moved + own).sum(axis=1)).ravel()
        distances.append(differing / (edges + _SOFTENING))
    return distances[0], distances[1]


def reliable_pairs(matching: Matching, source: csr_matrix, target: csr_matrix) -> IntArray:
    """Mutually best pairs whose ends both lie below the mean distance of their KG, [n, 2]."""
    distances = graph_matching_distances(source, target, matching.best)
    of_source, of_target = (each < each.mean() for each in distances)
    kept = np.flatnonzero(matching.mutual & of_source & of_target[matching.best])
    return np.stack([kept, matching.best[kept]], axis=1)


def completed(graph: JointGraph, matching: Matching, gap: float) -> JointGraph:
    """The graph with the triples that clear counterparts lend to each other.

    A triple whose ends both have a counterpart stands between those two as well, with its
    relation.

    Args:
        graph: Union graph.
        matching: Of which the mutual pairs count.
        gap: Smallest advance of the best over the second best.
    """
    clear = np.flatnonzero(matching.mutual & (matching.gaps >= gap))
    partners = np.full(graph.n_entities, -1)
    partners[clear] = matching.best[clear] + graph.n_source
    partners[matching.best[clear] + graph.n_source] = clear
    heads, tails = partners[graph.triples[:, 0]], partners[graph.triples[:, 2]]
    lent = (heads >= 0) & (tails >= 0)
    copies = np.stack([heads[lent], graph.triples[lent, 1], tails[lent]], axis=1)
    return replace(graph, triples=distinct_rows(np.concatenate([graph.triples, copies])))
