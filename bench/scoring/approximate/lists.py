"""The best candidates of every row, found by an index and scored anew.

An inverted-file index (Jegou, Douze, Schmid, TPAMI 2011, without its product quantisation) puts
vectors into cells and looks into the nearest ones only. It chooses candidates; their scores are
computed here from the vectors, so that equal vectors have equal scores wherever they stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmea_bench.bench.scoring.approximate.options import Approximate, load_faiss
from mmea_bench.methods.core.base import Embeddings, Similarity
from mmea_bench.methods.core.score_blocks import check_vectors, column_runs
from mmea_bench.methods.core.similarity import ScoreMatrix, top_candidates
from mmea_bench.methods.core.single_precision import comparable

NO_CANDIDATE = -1
FLAT_BELOW = 20_000
"""Vectors up to which all of them are looked at: an index would take longer."""
_CELLS_PER_ROOT = 4
"""Cells of an index by the square root of its vectors, as its authors advise."""
_VECTORS_PER_CELL, _ROUNDS = 64, 10
_QUERIES = 4096
_LARGEST_GATHERED = 2**24
"""Numbers that are gathered at once to score candidates (64 MiB)."""


@dataclass(frozen=True, eq=False)
class Sides:
    """Vectors of rows and columns, ready to be compared.

    Attributes:
        source: [n_rows, dim] float32 on the CPU; of length 1 under cosine.
        target: [n_columns, dim].
        similarity: How they are compared; ``inner`` where it was cosine.
    """

    source: Tensor
    target: Tensor
    similarity: Similarity

    @classmethod
    def of(cls, found: Embeddings, sources: Tensor, targets: Tensor) -> Sides:
        """The vectors of some entities.

        Raises:
            DivergedError: If a vector is not finite or too long.
        """
        source, target = _rows(found.source, sources), _rows(found.target, targets)
        if found.similarity != "cosine":
            return cls(source, target, found.similarity)
        source, target = (comparable(side, as_units=True) for side in (source, target))
        return cls(source, target, "inner")

    @classmethod
    def of_parts(cls, found: Embeddings, sources: Tensor, targets: Tensor) -> list[Sides]:
        """Each run of columns with neighbourhood means of its own; none where all have one."""
        if found.n_parts == 1:
            return []
        runs = column_runs(found.source, found.target, found.n_parts)
        return [cls.of(Embeddings(*run, found.similarity), sources, targets) for run in runs]

    @property
    def turned(self) -> Sides:
        """Columns as rows."""
        return Sides(self.target, self.source, self.similarity)


def _rows(vectors: Tensor, ids: Tensor) -> Tensor:
    rows = vectors.detach()[ids.to(vectors.device)].cpu().float().contiguous()
    check_vectors(rows)
    return rows


@dataclass(frozen=True, eq=False)
class Lists:
    """Candidates of every row, best first.

    Attributes:
        columns: [n_rows, k] int64; ``NO_CANDIDATE`` where the index found fewer.
        scores: [n_rows, k] float32; minus infinity there.
        next_scores: Score of the first column after the list, [n_rows]; minus infinity where there
            is none. A candidate of that score ties with columns that are not listed.
    """

    columns: Tensor
    scores: Tensor
    next_scores: Tensor


def candidate_lists(sides: Sides, ranking: Approximate) -> Lists:
    """The best candidates of every row."""
    faiss = load_faiss()
    faiss.omp_set_num_threads(torch.get_num_threads())
    n_rows, n_columns = len(sides.source), len(sides.target)
    k = min(ranking.k, n_columns)
    index = _index(faiss, sides, ranking)
    columns = torch.empty(n_rows, k + 1, dtype=torch.int64)  # one more tells ties at the border
    for start in range(0, n_rows, _QUERIES):
        _, found = index.search(sides.source[start : start + _QUERIES].numpy(), k + 1)
        columns[start : start + _QUERIES] = torch.from_numpy(found)
    scores = torch.empty(n_rows, k + 1)
    for rows in _slices(n_rows, (k + 1) * sides.source.shape[1]):
        scores[rows] = scores_of(sides, torch.arange(rows.start, rows.stop), columns[rows])
    listed, order = scores[:, :k].sort(dim=1, descending=True, stable=True)
    return Lists(columns[:, :k].gather(1, order), listed, scores[:, k].clone())


def _index(faiss: Any, sides: Sides, ranking: Approximate) -> Any:
    vectors = sides.target.numpy()
    n_vectors, dim = vectors.shape
    # The nearest by Euclidean distance stand for those by Manhattan distance.
    is_product = sides.similarity == "inner"
    metric = faiss.METRIC_INNER_PRODUCT if is_product else faiss.METRIC_L2
    flat = faiss.IndexFlat(dim, metric)
    if n_vectors <= max(FLAT_BELOW, ranking.k):
        flat.add(vectors)
        return flat
    index = faiss.IndexIVFFlat(flat, dim, round(_CELLS_PER_ROOT * math.sqrt(n_vectors)), metric)
    index.cp.niter, index.cp.max_points_per_centroid = _ROUNDS, _VECTORS_PER_CELL
    index.cp.spherical = is_product
    index.train(vectors)
    index.add(vectors)
    index.nprobe = ranking.probes
    return index


def scores_of(sides: Sides, rows: Tensor, columns: Tensor) -> Tensor:
    """Scores of rows [b] with columns [b, k], [b, k]; minus infinity for no candidate."""
    ours, theirs = sides.source[rows].unsqueeze(1), sides.target[columns.clamp(min=0)]
    if sides.similarity == "inner":
        scores = theirs.mul_(ours).sum(dim=2)
    else:
        order = 1 if sides.similarity == "manhattan" else 2
        scores = -theirs.sub_(ours).norm(order, dim=2)
    return scores.masked_fill_(columns == NO_CANDIDATE, -torch.inf)


def _slices(n_rows: int, per_row: int) -> Iterator[slice]:
    step = max(1, _LARGEST_GATHERED // max(1, per_row))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def recall_of(lists: Lists, sides: Sides, rows: Tensor) -> tuple[float, float]:
    """What the lists hold of the exact best candidates of some rows.

    Returns:
        Share of their k best that is in the list; share of rows whose very best is.
    """
    k = lists.columns.shape[1]
    exact = top_candidates(ScoreMatrix(sides.source[rows], sides.target, sides.similarity), k)[1]
    listed = lists.columns[rows].numpy()
    inside = np.stack([np.isin(*both) for both in zip(exact.numpy(), listed, strict=True)])
    return float(inside.mean()), float(inside[:, 0].mean())
