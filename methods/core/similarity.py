"""Similarities between the entities of two graphs, computed in row blocks.

The full matrix of scores is never held: a block of source rows against all targets is made, used
and dropped. This is the only copy; evaluation, decoders and pseudo-labels use it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from mmea_bench.methods.core.base import Similarity
from mmea_bench.methods.core.distances import DISTANCE_POWERS, Distances
from mmea_bench.methods.core.single_precision import comparable, in_float32

DEFAULT_BLOCK_ROWS = 256
"""Rows of a block: 256 rows of 10,000 scores stay in the processor's cache."""

_CHUNK = 64
"""Neighbouring scores of a row whose maximum stands for them."""

_TILE = 64
"""Matrix sizes are padded to multiples of this, so that every score of a product comes from the
same inner kernel: equal vectors then get bit-equal scores wherever they stand in the matrix."""


@dataclass(frozen=True)
class ScoreBlock:
    """Scores of some source rows against all targets.

    Attributes:
        start: First source row.
        stop: One past the last source row.
        scores: [stop - start, n_target], higher is better.
    """

    start: int
    stop: int
    scores: Tensor


class ScoreBlocks(Protocol):
    """All source-target scores as a sequence of row blocks; iterating twice gives equal ones."""

    n_source: int
    n_target: int

    @property
    def device(self) -> torch.device:
        """Where the scores are computed."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the scores."""

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row; the reader may change their scores."""


class ScoreMatrix:
    """All source-target scores of two sets of vectors, as a sequence of row blocks.

    Iterating twice gives bit-equal blocks on the same machine.

    Args:
        source: [n_source, dim], finite; half precision is compared in single precision.
        target: [n_target, dim], finite, same dtype and device.
        similarity: ``cosine`` (rows are L2-normalised first; a zero row scores 0),
            ``abs-cosine`` (its absolute value), ``inner`` product, or negated ``manhattan`` or
            ``euclidean`` distance.
        block_rows: Rows per block; any value gives the same scores.
        parts: Scores whose neighbourhood means are averaged in place of its own; empty for none.
    """

    def __init__(
        self,
        source: Tensor,
        target: Tensor,
        similarity: Similarity = "cosine",
        block_rows: int = DEFAULT_BLOCK_ROWS,
        parts: Sequence[ScoreBlocks] = (),
    ) -> None:
        self.parts = parts
        as_units = similarity in ("cosine", "abs-cosine")
        source, target = (comparable(side, as_units=as_units) for side in (source, target))
        self.n_source, self.n_target = len(source), len(target)
        self._absolute = similarity == "abs-cosine"
        power = DISTANCE_POWERS.get(similarity)
        self._distances = None if power is None else Distances(target, power)
        if self._distances is None:
            block_rows = _round_up(block_rows)
            # The last block of source rows is padded when it is made.
            source, target = _padded(source, len(source)), _padded(target, _round_up(len(target)))
        self._block_rows = max(1, min(block_rows, max(1, len(source))))
        self._source, self._target = source, target

    @property
    def device(self) -> torch.device:
        """Where the scores are computed."""
        return self._source.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the scores."""
        return self._source.dtype

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row."""
        for start in range(0, self.n_source, self._block_rows):
            stop = min(start + self._block_rows, self.n_source)
            yield ScoreBlock(start, stop, self._scores(start)[: stop - start, : self.n_target])

    def _scores(self, start: int) -> Tensor:
        rows = self._source[start : start + self._block_rows]
        if self._distances is not None:
            return self._distances.of(rows).neg_()
        if len(rows) < self._block_rows:
            rows = pad(rows, (0, 0, 0, self._block_rows - len(rows)))
        with in_float32(rows.device):  # also where a training looks for pseudo-labels
            scores = rows @ self._target.T
        return scores.abs_() if self._absolute else scores


class NeighbourhoodMeans:
    """Mean of the k largest scores of every row and column, gathered block by block.

    Args:
        matrix: The scores whose blocks will be added, all of them, in order. Where it has
            ``parts``, the means are the average of theirs, which takes a pass over each.
        k: Neighbourhood size; larger sizes than a side count as that side's size.

    Reference: Conneau et al. 2017, arXiv:1710.04087, sec. 2.3.
    """

    def __init__(self, matrix: ScoreBlocks, k: int) -> None:
        self._k = k
        self._n_target = matrix.n_target
        self._parts: Sequence[ScoreBlocks] = getattr(matrix, "parts", ())
        self._row_means: list[Tensor] = []
        self._column_best: Tensor | None = None

    def add(self, block: ScoreBlock) -> None:
        """Takes the next block into account."""
        if self._parts:
            return
        scores = block.scores
        self._row_means.append(_row_top(scores, min(self._k, self._n_target)).mean(dim=1))
        best = self._column_best
        if best is None or len(best) < self._k:
            candidates = scores if best is None else torch.cat([best, scores])
            self._column_best = _column_top(candidates, min(self._k, len(candidates)))
            return
        # Ever fewer columns of a block hold a score that is among their best so far.
        columns = torch.nonzero(scores.amax(dim=0) > best[-1]).squeeze(1)
        candidates = torch.cat([best[:, columns], scores[:, columns]])
        best[:, columns] = _column_top(candidates, self._k)

    def means(self) -> tuple[Tensor, Tensor]:
        """Row means [n_source] and column means [n_target].

        Raises:
            ValueError: If no block was added.
        """
        if self._parts:
            found = [all_means(part, self._k) for part in self._parts]
            rows, columns = map(mean_in_order, zip(*found, strict=True))
            return rows, columns
        if self._column_best is None:
            raise ValueError("neighbourhood means need at least one source row")
        return torch.cat(self._row_means), mean_in_order(self._column_best.unbind(dim=0))


def mean_in_order(rows: Sequence[Tensor]) -> Tensor:
    """Mean of tensors of one shape, added one after the other.

    ``mean(dim=0)`` adds in an order that depends on where a column stands in the matrix: equal
    columns would get unequal means, and CSLS would decide between equal vectors.
    """
    total = torch.zeros_like(rows[0])
    for row in rows:
        total += row
    return total / len(rows)


def all_means(scores: ScoreBlocks, k: int) -> tuple[Tensor, Tensor]:
    """Row means [n_source] and column means [n_target] of all blocks."""
    neighbourhood = NeighbourhoodMeans(scores, k)
    for block in scores:
        neighbourhood.add(block)
    return neighbourhood.means()


def csls(scores: Tensor, row_means: Tensor, column_means: Tensor) -> Tensor:
    """Cross-domain similarity local scaling of scores: twice the score minus both means.

    Args:
        scores: [b, n_target] (or any shape to which the means broadcast).
        row_means: Means of the rows of ``scores``, broadcastable.
        column_means: Means of the columns, broadcastable.

    Returns:
        Rescaled scores, same shape; unbounded, no cosine any more.

    Reference: Conneau et al. 2017, arXiv:1710.04087, sec. 2.3.
    """
    return (scores * 2).sub_(row_means).sub_(column_means)


class CslsBlocks:
    """Scores rescaled by CSLS; one pass for the means comes before the first block.

    Args:
        plain: The scores.
        k: Neighbourhood size, 1 or more.
    """

    def __init__(self, plain: ScoreBlocks, k: int) -> None:
        self.n_source, self.n_target = plain.n_source, plain.n_target
        self.device, self.dtype = plain.device, plain.dtype
        self._plain = plain
        self._row_means, self._column_means = all_means(plain, k)

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row."""
        for block in self._plain:
            row_means = self._row_means[block.start : block.stop].unsqueeze(1)
            scores = csls(block.scores, row_means, self._column_means)
            yield ScoreBlock(block.start, block.stop, scores)


def nearest_by_l2(queries: Tensor, among: Tensor, k: int, skipped: Tensor | None = None) -> Tensor:
    """Positions of the nearest rows by Euclidean distance, [n_queries, k], in no particular order.

    The square is expanded to one matrix product, many times faster than differences; it loses
    digits, so that rows at nearly the same distance may take each other's place.

    Args:
        queries: [n_queries, dim]; no gradient passes.
        among: Rows that may be found, [n_among, dim].
        k: Rows wanted.
        skipped: For each query a row that is not to be found, [n_queries].
    """
    queries, among = queries.detach(), among.detach()
    squares = among.square().sum(dim=1, keepdim=True)
    ones = torch.ones(len(queries), 1, device=queries.device)
    # q a - |a|^2 / 2 orders as the distance does: one more column makes it an inner product.
    matrix = ScoreMatrix(
        torch.cat([queries, ones], dim=1), torch.cat([among, -squares / 2], dim=1), "inner"
    )
    found = [torch.empty(0, k, dtype=torch.int64, device=queries.device)]
    for block in matrix:
        if skipped is not None:
            columns = skipped[block.start : block.stop].unsqueeze(1)
            block.scores.scatter_(1, columns, -torch.inf)
        found.append(block.scores.topk(k, dim=1, sorted=False).indices)
    return torch.cat(found)


def mutual_nearest(source: Tensor, target: Tensor, similarity: Similarity = "cosine") -> Tensor:
    """Pairs of vectors that are each other's nearest neighbour.

    Args:
        source: [n_source, dim].
        target: [n_target, dim].
        similarity: How vectors are compared.

    Returns:
        As ``mutual_nearest_in``.
    """
    return mutual_nearest_in(ScoreMatrix(source, target, similarity))


def mutual_nearest_in(blocks: ScoreBlocks) -> Tensor:
    """Pairs that are each other's best by some scores.

    Args:
        blocks: The scores.

    Returns:
        (source row, target row), [n_pairs, 2] int64, sorted by source row; of equal scores the
        lowest row or column counts as nearest.
    """
    if not blocks.n_source or not blocks.n_target:
        return torch.empty(0, 2, dtype=torch.int64)
    nearest_target = []
    shape, device = (blocks.n_target,), blocks.device
    best_score = torch.full(shape, -torch.inf, dtype=blocks.dtype, device=device)
    nearest_source = torch.zeros(shape, dtype=torch.int64, device=device)
    for block in blocks:
        nearest_target.append(block.scores.argmax(dim=1))
        column_best, column_row = block.scores.max(dim=0)
        better = column_best > best_score
        best_score = torch.where(better, column_best, best_score)
        nearest_source = torch.where(better, column_row + block.start, nearest_source)
    chosen = torch.cat(nearest_target)
    rows = torch.arange(blocks.n_source, device=device)
    mutual = nearest_source[chosen] == rows
    return torch.stack([rows[mutual], chosen[mutual]], dim=1).cpu()


def top_candidates(blocks: ScoreBlocks, k: int) -> tuple[Tensor, Tensor]:
    """The k best columns of every row, best first.

    Args:
        blocks: The scores.
        k: Columns wanted; never more than there are.

    Returns:
        Their scores [n_source, k] and columns [n_source, k] int64, on the device of the scores.
    """
    shape = (blocks.n_source, min(k, blocks.n_target))
    # Written in place: small results kept between large blocks would leave holes in the memory
    # that no further block fits in, until all of them together were the whole matrix.
    best = torch.empty(shape, dtype=blocks.dtype, device=blocks.device)
    columns = torch.empty(shape, dtype=torch.int64, device=blocks.device)
    for block in blocks:
        top = block.scores.topk(shape[1], dim=1)
        best[block.start : block.stop], columns[block.start : block.stop] = top
    return best, columns


def _row_top(scores: Tensor, k: int) -> Tensor:
    """The k largest values of every row, best first, [n, k].

    The k chunks of a row with the largest maxima hold its k largest values: a maximum is found many
    times faster than a ranking.
    """
    n_chunks = scores.shape[1] // _CHUNK
    if n_chunks <= 4 * k:
        return scores.topk(k, dim=1).values
    whole = n_chunks * _CHUNK
    chunks = scores[:, :whole].reshape(len(scores), n_chunks, _CHUNK)
    chosen = chunks.amax(dim=2).topk(k, dim=1, sorted=False).indices
    kept = chunks.gather(1, chosen.unsqueeze(2).expand(-1, -1, _CHUNK)).flatten(1)
    return torch.cat([kept, scores[:, whole:]], dim=1).topk(k, dim=1).values


def _column_top(scores: Tensor, k: int) -> Tensor:
    """The k largest values of every column, [k, n], by k rounds of maxima (k is small)."""
    if k > 16:
        return scores.topk(k, dim=0).values
    remaining = scores.clone()
    found = []
    for _ in range(k):
        values, rows = remaining.max(dim=0)
        found.append(values)
        remaining.scatter_(0, rows.unsqueeze(0), -torch.inf)
    return torch.stack(found)


def _round_up(size: int) -> int:
    return -(-size // _TILE) * _TILE


def _padded(vectors: Tensor, n_rows: int) -> Tensor:
    """So many rows and a whole number of tiles of columns; no copy of vectors that have them."""
    rows, columns = vectors.shape
    wanted = n_rows, _round_up(columns)
    if (rows, columns) == wanted:
        return vectors.contiguous()
    return pad(vectors, (0, wanted[1] - columns, 0, n_rows - rows)).contiguous()
