"""Scores of what a method returned, in row blocks: from vectors or from a scoring function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.methods.core.base import Alignment, DivergedError, Embeddings
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import (
    DEFAULT_BLOCK_ROWS,
    ScoreBlock,
    ScoreBlocks,
    ScoreMatrix,
)

Ids = NDArray[np.integer]

LARGEST_SCORE = 1e30
"""Single precision ends at 3e38; sums of many scores, and a decoder's arithmetic, stay below."""

LARGEST_HELD_CELLS = 2**28
"""Scores that are kept in memory at once (1 GiB in single precision): all of 15,000 links fit."""

LONGEST_VECTOR = 1e15
"""Products and squared distances of such vectors are scores of about that size."""


def score_blocks(
    alignment: Alignment, sources: Ids, targets: Ids, block_rows: int = DEFAULT_BLOCK_ROWS
) -> ScoreBlocks:
    """Scores of some source entities with some target entities.

    Args:
        alignment: What the method returned.
        sources: Ids of source entities; row i of the scores is ``sources[i]``.
        targets: Ids of target entities, the columns.
        block_rows: Rows of a block.

    Raises:
        DivergedError: If a vector is not finite or too long (it would win every comparison, or
            none); for scores of pairs the block that holds one raises.
    """
    rows, columns = (torch.from_numpy(ids.astype(np.int64)) for ids in (sources, targets))
    if isinstance(alignment, PairScores):
        runs: Sequence[PairScores] = getattr(alignment, "runs", ())
        of_runs = [PairBlocks(run, rows, columns, block_rows) for run in runs]
        return PairBlocks(alignment, rows, columns, block_rows, of_runs)
    source, target = _vectors(alignment, rows, columns)
    parts = list(_parts(alignment, source, target, block_rows)) if alignment.n_parts > 1 else []
    return ScoreMatrix(source, target, alignment.similarity, block_rows, parts)


def _parts(
    alignment: Embeddings, source: Tensor, target: Tensor, block_rows: int
) -> Iterator[ScoreBlocks]:
    """Scores of each run of columns, whose mean is the score of all for unit rows of equal runs."""
    for own, other in column_runs(source, target, alignment.n_parts):
        yield ScoreMatrix(own, other, alignment.similarity, block_rows)


def column_runs(source: Tensor, target: Tensor, n_parts: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Equal runs of columns of both sides, one after the other."""
    yield from zip(*(vectors.chunk(n_parts, dim=1) for vectors in (source, target)), strict=True)


def _vectors(embeddings: Embeddings, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    source = embeddings.source.detach()[rows.to(embeddings.source.device)]
    target = embeddings.target.detach()[columns.to(embeddings.target.device)]
    for vectors in (source, target):
        check_vectors(vectors)
    return source, target


class PairBlocks:
    """Blocks of the scores that a method makes pair by pair.

    The function scores a row against all targets; the columns asked for are taken out of it.

    Args:
        scores: What the method returned.
        sources: Source entity of each row, [n_rows] int64.
        targets: Target entity of each column, [n_columns] int64.
        block_rows: Rows per block.
        parts: As of ``ScoreMatrix``.
    """

    def __init__(
        self,
        scores: PairScores,
        sources: Tensor,
        targets: Tensor,
        block_rows: int = DEFAULT_BLOCK_ROWS,
        parts: Sequence[ScoreBlocks] = (),
    ) -> None:
        self.parts = parts
        self.n_source, self.n_target = len(sources), len(targets)
        self.device, self.dtype = scores.device, torch.float32
        self._scores, self._block_rows = scores, block_rows
        self._sources, self._targets = sources.to(scores.device), targets.to(scores.device)

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last row, each a copy of its own."""
        for start in range(0, self.n_source, self._block_rows):
            stop = min(start + self._block_rows, self.n_source)
            scores = self._scores.rows(self._sources[start:stop])[:, self._targets]
            check_scores(scores)
            yield ScoreBlock(start, stop, scores)


class HeldScores:
    """Scores kept in memory, where there are few enough; else they are made anew at every pass.

    For what passes over the scores of wide vectors many times. The blocks are those of the scores.

    Args:
        plain: The scores.
        largest: Cells of the largest matrix that is kept.
    """

    def __init__(self, plain: ScoreBlocks, largest: int = LARGEST_HELD_CELLS) -> None:
        self.n_source, self.n_target = plain.n_source, plain.n_target
        self.device, self.dtype = plain.device, plain.dtype
        self.parts: Sequence[ScoreBlocks] = getattr(plain, "parts", ())
        self._plain: ScoreBlocks | None = plain
        if plain.n_source * plain.n_target > largest:
            return
        # Written in place, as in ``top_candidates``, so that memory does not grow by blocks.
        shape = (plain.n_source, plain.n_target)
        self._held = torch.empty(shape, dtype=plain.dtype, device=plain.device)
        self._starts: list[tuple[int, int]] = []
        for block in plain:
            self._held[block.start : block.stop] = block.scores
            self._starts.append((block.start, block.stop))
        self._plain = None

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row; the reader may change their scores."""
        if self._plain is not None:
            yield from self._plain
            return
        for start, stop in self._starts:
            yield ScoreBlock(start, stop, self._held[start:stop].clone())


def check_vectors(vectors: Tensor) -> None:
    """Refuses vectors that are not finite, or so long that their scores would not be.

    Args:
        vectors: [n, dim].

    Raises:
        DivergedError: If there is such a vector.
    """
    _check_finite(vectors, "embeddings")
    # Some rows at a time: wide vectors in half precision would need twice their memory at once.
    parts = torch.split(vectors, DEFAULT_BLOCK_ROWS) if vectors.numel() else ()
    longest = max((float(part.float().norm(dim=1).max()) for part in parts), default=0.0)
    if longest > LONGEST_VECTOR:
        raise DivergedError(
            f"the embeddings are too long to be compared in single precision: the longest has "
            f"length {longest:.3g}, allowed are {LONGEST_VECTOR:.0e}"
        )


def check_scores(scores: Tensor) -> None:
    """Refuses scores that are not finite, or so large that CSLS could not add them.

    Raises:
        DivergedError: If there is such a score.
    """
    _check_finite(scores, "scores")
    largest = float(scores.abs().max()) if scores.numel() else 0.0
    if largest > LARGEST_SCORE:
        raise DivergedError(
            f"the scores are too large for single precision: the largest is {largest:.3g}, allowed "
            f"are {LARGEST_SCORE:.0e}"
        )


def _check_finite(values: Tensor, what: str) -> None:
    if not bool(torch.isfinite(values).all()):
        raise DivergedError(f"the {what} hold values that are not finite")
