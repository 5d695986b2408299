"""Scores of all parts as one block-diagonal matrix, of which only the blocks are ever held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmea_bench.bench.partitions.cutting import Parts
from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.base import Alignment, Embeddings
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.score_blocks import column_runs
from mmea_bench.methods.core.similarity import ScoreMatrix
from mmea_bench.methods.core.single_precision import HALF_PRECISION, comparable

_TILE = 64
"""Rows and columns are padded to multiples of it, as ``ScoreMatrix`` does with whole matrices: a
score then does not depend on which other rows are asked for with its own."""
_ROWS = 256
_RELATIVE_GAP, _SMALLEST_GAP = 1e-3, 1e-6


class Block(Protocol):
    """The scores of one part.

    Attributes:
        bounds: Numbers below and above which no score of the part lies.
        runs: Scores whose neighbourhood means are averaged in place of its own; empty for none.
    """

    bounds: tuple[float, float]
    runs: Sequence[Block]

    def rows(self, sources: Tensor) -> Tensor:
        """Scores of some of the part's source rows with all of its targets, [b, n_target]."""


def block_of(alignment: Alignment) -> Block:
    """The scores of what a method returned for a part, or offers while it trains."""
    return _Vectors(alignment) if isinstance(alignment, Embeddings) else _Pairs(alignment)


class _Vectors:
    """Scores of vectors; what every request needs is computed once.

    Vectors in half precision stay so, for there are thousands of columns of them; they are compared
    in single precision.
    """

    def __init__(self, found: Embeddings) -> None:
        source, target = found.source.detach(), found.target.detach()
        self.bounds = _bounds(source, target, found.similarity)
        several = column_runs(source, target, found.n_parts) if found.n_parts > 1 else ()
        self.runs: Sequence[Block] = [
            _Vectors(Embeddings(*run, found.similarity)) for run in several
        ]
        self._similarity = found.similarity
        self._n_target = len(target)
        if found.similarity == "cosine" and source.dtype not in HALF_PRECISION:
            source, target = (comparable(side, as_units=True) for side in (source, target))
            self._similarity = "inner"
        if self._similarity in ("inner", "cosine"):
            columns = -source.shape[1] % _TILE
            source = pad(source, (0, columns))
            target = pad(target, (0, columns, 0, -len(target) % _TILE))
        self._source, self._target = source, target

    def rows(self, sources: Tensor) -> Tensor:
        n_rows = len(sources)
        chosen = pad(self._source[sources], (0, 0, 0, -n_rows % _TILE)).float()
        matrix = ScoreMatrix(chosen, self._target.float(), self._similarity, len(chosen))
        return next(iter(matrix)).scores[:n_rows, : self._n_target]


def _bounds(source: Tensor, target: Tensor, similarity: str) -> tuple[float, float]:
    if similarity in ("cosine", "abs-cosine"):
        return (0.0 if similarity == "abs-cosine" else -1.0), 1.0
    order = 1 if similarity == "manhattan" else 2
    longest = [
        max(float(rows.float().norm(order, dim=1).max()) for rows in torch.split(vectors, _ROWS))
        for vectors in (source, target)
    ]
    if similarity == "inner":
        return -longest[0] * longest[1], longest[0] * longest[1]
    return -sum(longest), 0.0  # the triangle inequality


class _Pairs:
    """Scores that a method makes pair by pair; their bounds are measured."""

    runs: Sequence[Block] = ()

    def __init__(self, found: PairScores) -> None:
        self.rows = found.rows
        every = torch.arange(found.n_source, device=found.device)
        low, high = [], []
        for rows in torch.split(every, _ROWS):
            lowest, highest = found.rows(rows).aminmax()
            low.append(float(lowest))
            high.append(float(highest))
        self.bounds = min(low), max(high)


@dataclass(frozen=True, eq=False)
class PartScores(PairScores):
    """Scores of all pairs of entities, made by the part that both lie in.

    Attributes:
        parts: The part of every entity.
        runs: Scores whose neighbourhood means are averaged in place of its own, where the vectors
            of the parts hold several runs of columns (``Embeddings.n_parts``).
    """

    parts: Parts = field(kw_only=True)
    runs: Sequence[PartScores] = ()


def fused(
    parts: Parts, blocks: Mapping[int, Block], device: torch.device, similarity: str
) -> PartScores:
    """The blocks of parts as scores of all pairs of entities.

    Pairs of different parts, and of parts without a block, have one common score. It lies below
    all others so far that CSLS cannot lift a pair above a pair of one part in its row or column.

    Args:
        parts: The part of every entity.
        blocks: Number of a part to its scores.
        device: Where scores are made.
        similarity: How pairs of a part are scored, in one word.

    Raises:
        UserError: If the vectors of the parts do not hold equally many runs of columns.
    """
    n_runs = {len(block.runs) for block in blocks.values()}
    if len(n_runs) > 1:
        found = ", ".join(str(max(1, n)) for n in sorted(n_runs))
        raise UserError(
            "The parts returned vectors of different numbers of runs of columns (n_parts), "
            f"{found}; their neighbourhood means cannot be joined."
        )
    runs = [
        fused(parts, {part: block.runs[run] for part, block in blocks.items()}, device, similarity)
        for run in range(max(n_runs, default=0))
    ]
    return PartScores(
        _BlockDiagonal(parts, blocks, device),
        len(parts.source),
        len(parts.target),
        device,
        similarity,
        parts=parts,
        runs=runs,
    )


class _BlockDiagonal:
    def __init__(self, parts: Parts, blocks: Mapping[int, Block], device: torch.device) -> None:
        self._blocks, self._n_target, self._device = blocks, len(parts.target), device
        self._outside = outside_score([block.bounds for block in blocks.values()])
        self._part = torch.from_numpy(parts.source).to(device)
        targets = torch.from_numpy(parts.target).to(device)
        self._row = torch.empty_like(self._part)
        self._columns = {}
        for number in range(parts.n_parts):
            inside = self._part == number
            self._row[inside] = torch.arange(int(inside.sum()), device=device)
            self._columns[number] = torch.nonzero(targets == number).squeeze(1)

    def __call__(self, sources: Tensor) -> Tensor:
        scores = torch.full(
            (len(sources), self._n_target), self._outside, dtype=torch.float32, device=self._device
        )
        part = self._part[sources]
        for number, block in self._blocks.items():
            mine = torch.nonzero(part == number).squeeze(1)
            if len(mine):
                found = block.rows(self._row[sources[mine]])
                scores[mine.unsqueeze(1), self._columns[number]] = found.float()
        return scores


def outside_score(bounds: list[tuple[float, float]]) -> float:
    """A score of pairs of different parts.

    CSLS turns a score s into 2 s less the means of its row and of its column. The means lie between
    this score f and the highest one h; so a pair of one part with the lowest score l stays above
    every pair of different parts if 2 l - h > 2 f - f, that is f < 2 l - h.

    Args:
        bounds: Lowest and highest score of each part.
    """
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    gap = max(high - low, _RELATIVE_GAP * max(abs(low), abs(high)), _SMALLEST_GAP)
    return 2 * low - high - gap
