"""Exact ranks of the true partners, by counting in row blocks.

A rank is one plus the number of candidates that score higher, plus the share of ties that the
rule asks for. The score of the true partner is read out of the same product that the candidates
are counted in, so rounding can neither help nor hurt it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.split import Split
from mmea_bench.methods.core.base import Alignment, DivergedError, Embeddings
from mmea_bench.methods.core.distances import DISTANCE_POWERS
from mmea_bench.methods.core.score_blocks import HeldScores, score_blocks
from mmea_bench.methods.core.similarity import (
    DEFAULT_BLOCK_ROWS,
    NeighbourhoodMeans,
    ScoreBlock,
    ScoreBlocks,
    csls,
)

TieRule = Literal["realistic", "optimistic", "pessimistic"]
Ids = NDArray[np.integer]
Ranks = NDArray[np.float64]
WIDE_VECTORS = 384
"""Columns from which on products of vectors are made once and kept for every pass."""

_TILE_COLUMNS = 2048
"""Columns that are counted at a time: 256 rows of them take 2 MiB."""

_NO_IDS: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RankingTask:
    """Which links are ranked among which candidates.

    Attributes:
        links: (source id, target id) to rank, [n_links, 2].
        other_source: Candidate sources beside those of ``links``, ids.
        other_target: Candidate targets beside those of ``links``, ids.
        known_links: Every anchor link; other true partners of an entity are not counted against
            the partner being ranked.
    """

    links: Ids
    other_source: Ids
    other_target: Ids
    known_links: Ids


def ranking_task(
    links: Ids,
    known_links: Ids,
    sizes: tuple[int, int] | None = None,
    excluded_links: Ids | None = None,
) -> RankingTask:
    """The task of ranking links among their own entities or among all entities left.

    Args:
        links: Links to rank, [n_links, 2].
        known_links: All anchor links, [n, 2].
        sizes: Numbers of source and target entities, to rank among all of them; None ranks among
            the entities of ``links``.
        excluded_links: Links whose entities are no candidates (the seeds), with ``sizes``.
    """
    if sizes is None:
        return RankingTask(links, _NO_IDS, _NO_IDS, known_links)
    taken = [links] if excluded_links is None else [links, excluded_links]
    others = [
        np.setdiff1d(np.arange(size), np.concatenate([part[:, side] for part in taken]))
        for side, size in enumerate(sizes)
    ]
    return RankingTask(links, others[0], others[1], known_links)


def valid_task(pair: KGPair, split: Split, known: Ids) -> RankingTask:
    """Validation links ranked among all entities that do not train, as many as at test time.

    Among the few validation entities alone the task would be far easier.
    """
    return ranking_task(split.valid_links, known, pair.sizes, split.seed_links)


def candidate_task(candidates: str, pair: KGPair, split: Split) -> RankingTask:
    """The test links among ``test``, ``unseeded`` or ``all`` entities."""
    if candidates == "test":
        return ranking_task(split.test_links, pair.anchor_links)
    seeds = None
    if candidates == "unseeded":
        seeds = split.seed_links
        if split.valid_were_seeds:
            seeds = np.concatenate([seeds, split.valid_links])
    return ranking_task(split.test_links, pair.anchor_links, pair.sizes, seeds)


@dataclass(frozen=True, eq=False)
class LinkRanks:
    """Ranks of the true partners in both directions, [n_links] each, in the order of the links."""

    src2tgt: Ranks
    tgt2src: Ranks


def rank_links(
    alignment: Alignment,
    task: RankingTask,
    csls_sizes: tuple[int, ...] = (0,),
    tie_rule: TieRule = "realistic",
    block_rows: int = DEFAULT_BLOCK_ROWS,
) -> dict[int, LinkRanks]:
    """Exact ranks of all links in both directions, for several CSLS neighbourhood sizes at once.

    Args:
        alignment: Vectors of all entities, or scores of all pairs.
        task: Links and candidates.
        csls_sizes: CSLS neighbourhood sizes; 0 is the plain similarity.
        tie_rule: ``realistic`` gives the mean of the best and the worst rank among equal scores.
        block_rows: Rows of a block of scores; any value gives the same ranks.

    Returns:
        Neighbourhood size to ranks.

    Raises:
        DivergedError: If a vector or score is not finite (it would win every comparison).
    """
    scored = Scored(alignment, task, block_rows)
    # While a training goes on, scores of pairs are never in memory all at once.
    blocks = scored.blocks if isinstance(alignment, Embeddings) else scored.made_anew
    return rank_in(blocks, scored.layout, csls_sizes, tie_rule)


def rank_in(
    blocks: ScoreBlocks,
    layout: Layout,
    csls_sizes: tuple[int, ...] = (0,),
    tie_rule: TieRule = "realistic",
) -> dict[int, LinkRanks]:
    """As ``rank_links``, by any scores whose rows and columns stand as in the layout."""
    plain, scalings = _first_pass(blocks, layout, csls_sizes)
    counters = {size: _Counter(layout, plain, scalings.get(size)) for size in csls_sizes}
    for block in blocks:
        for counter in counters.values():
            counter.add(block)
    return {size: counter.ranks(tie_rule) for size, counter in counters.items()}


class Scored:
    """What a method returned, scored on the links and candidates of a task.

    Args:
        alignment: Vectors of all entities, or scores of all pairs.
        task: Links and candidates.
        block_rows: Rows of a block of scores.
    """

    def __init__(
        self, alignment: Alignment, task: RankingTask, block_rows: int = DEFAULT_BLOCK_ROWS
    ) -> None:
        self.alignment, self.layout, self._block_rows = alignment, Layout(task), block_rows

    @property
    def shape(self) -> tuple[int, int]:
        """Source entities and target entities that are scored."""
        return len(self.layout.sources), len(self.layout.targets)

    @property
    def made_anew(self) -> ScoreBlocks:
        """The scores, made again by each pass over them."""
        layout = self.layout
        return score_blocks(self.alignment, layout.sources, layout.targets, self._block_rows)

    @cached_property
    def blocks(self) -> ScoreBlocks:
        """The scores; kept in memory where making them costs more than reading them again."""
        plain = self.made_anew
        return plain if _are_cheap(self.alignment) else HeldScores(plain)


def _are_cheap(alignment: Alignment) -> bool:
    """Whether each pass may make the scores again: products of narrow vectors alone."""
    if not isinstance(alignment, Embeddings) or alignment.similarity in DISTANCE_POWERS:
        return False
    return alignment.source.shape[1] < WIDE_VECTORS


class Layout:
    """Positions of links in the score matrix.

    Candidates stand in the order of the links, so that link ``i`` is usually cell ``(i, i)``; only
    the links of an entity that has an earlier link need their row or column gathered.

    Attributes:
        sources: Source entity of each row, [n_rows].
        targets: Target entity of each column, [n_columns].
        rows: Row of each link, [n_links].
        columns: Column of each link, [n_links].
    """

    def __init__(self, task: RankingTask) -> None:
        self.sources, self.rows, self.repeated_rows = _positions(
            task.links[:, 0], task.other_source
        )
        self.targets, self.columns, self.repeated_columns = _positions(
            task.links[:, 1], task.other_target
        )
        self.n_links = len(task.links)
        self.rivals = _rival_partners(task, self.sources, self.targets, self.rows, self.columns)
        self._known_links = task.known_links

    def other_cells(self) -> set[tuple[int, int]]:
        """Cells (row, column) of the known links among the candidates that are not ranked."""
        rows, columns = (
            {entity: place for place, entity in enumerate(ids.tolist())}
            for ids in (self.sources, self.targets)
        )
        known = {
            (rows[source], columns[target])
            for source, target in self._known_links.tolist()
            if source in rows and target in columns
        }
        return known - set(zip(self.rows.tolist(), self.columns.tolist(), strict=True))


def _positions(link_ids: Ids, others: Ids) -> tuple[Ids, Tensor, Tensor]:
    """Candidates in order of first appearance, position of each link, links that come again."""
    unique, first, inverse = np.unique(link_ids, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first, kind="stable")
    position = np.empty_like(by_appearance)
    position[by_appearance] = np.arange(len(unique))
    repeated = np.setdiff1d(np.arange(len(link_ids)), first)
    candidates = np.concatenate([unique[by_appearance], others]).astype(np.int64)
    return candidates, torch.from_numpy(position[inverse]), torch.from_numpy(repeated)


def _rival_partners(
    task: RankingTask, sources: Ids, targets: Ids, rows: Tensor, columns: Tensor
) -> dict[str, Tensor]:
    """Cells of other true partners: direction -> [n, 3] of (link, row, column)."""
    row_of = {int(entity): row for row, entity in enumerate(sources)}
    column_of = {int(entity): column for column, entity in enumerate(targets)}
    known = task.known_links
    found: dict[str, list[tuple[int, int, int]]] = {"src2tgt": [], "tgt2src": []}
    for side, direction in enumerate(("src2tgt", "tgt2src")):
        entities, counts = np.unique(known[:, side], return_counts=True)
        many = known[np.isin(known[:, side], entities[counts > 1])]
        partners: dict[int, list[int]] = {}
        for link in many:
            partners.setdefault(int(link[side]), []).append(int(link[1 - side]))
        # Only entities with several partners get here: four of 12,842 in DB15K.
        for link_id in np.flatnonzero(np.isin(task.links[:, side], list(partners))):
            own = int(task.links[link_id, 1 - side])
            for other in partners[int(task.links[link_id, side])]:
                place = column_of.get(other) if side == 0 else row_of.get(other)
                if other != own and place is not None:
                    cell = (
                        (int(rows[link_id]), place) if side == 0 else (place, int(columns[link_id]))
                    )
                    found[direction].append((int(link_id), *cell))
    return {
        direction: torch.tensor(cells, dtype=torch.int64).reshape(-1, 3)
        for direction, cells in found.items()
    }


def _first_pass(
    matrix: ScoreBlocks, layout: Layout, csls_sizes: tuple[int, ...]
) -> tuple[Tensor, dict[int, tuple[Tensor, Tensor]]]:
    """Plain score of every link, and row and column means of each CSLS size.

    Both come out of the very blocks that the second pass counts in.
    """
    device = matrix.device
    rows, columns = layout.rows.to(device), layout.columns.to(device)
    scores = torch.zeros(layout.n_links, dtype=matrix.dtype, device=device)
    neighbourhoods = {size: NeighbourhoodMeans(matrix, size) for size in csls_sizes if size}
    for block in matrix:
        inside = torch.nonzero((rows >= block.start) & (rows < block.stop)).squeeze(1)
        scores[inside] = block.scores[rows[inside] - block.start, columns[inside]]
        for neighbourhood in neighbourhoods.values():
            neighbourhood.add(block)
    if bool(scores.isnan().any()):  # it beats nobody and nobody beats it: it would rank first
        raise DivergedError("the scores of some true pairs are not numbers")
    return scores, {size: means.means() for size, means in neighbourhoods.items()}


class _Counter:
    """Counts, per link and direction, the candidates with a greater and with an equal score."""

    def __init__(
        self, layout: Layout, plain: Tensor, scaling: tuple[Tensor, Tensor] | None
    ) -> None:
        device = plain.device
        self._scaling = scaling
        self._rows, self._columns = layout.rows.to(device), layout.columns.to(device)
        self._again_rows = layout.repeated_rows.to(device)
        self._again_columns = layout.repeated_columns.to(device)
        self._rivals = {name: cells.to(device) for name, cells in layout.rivals.items()}
        self._truth = plain
        if scaling is not None:
            self._truth = csls(plain, scaling[0][self._rows], scaling[1][self._columns])
        n_links = layout.n_links
        self._first_row_links = _without(n_links, self._again_rows)
        self._first_column_links = _without(n_links, self._again_columns)
        shape = (2, n_links)
        self._counts = {
            direction: torch.zeros(shape, dtype=torch.float64, device=device)
            for direction in ("src2tgt", "tgt2src")
        }

    def add(self, block: ScoreBlock) -> None:
        """Counts one block of scores in both directions."""
        of_rows = list(self._links_by_rows(block))
        # All steps on some columns before the next ones: these stay in the processor's cache.
        n_columns = block.scores.shape[1]
        width = _TILE_COLUMNS if block.scores.device.type == "cpu" else max(1, n_columns)
        for start in range(0, n_columns, width):
            columns = slice(start, start + width)
            scores = self._scaled(block, columns)
            for links, rows in of_rows:
                truth = self._truth[links].unsqueeze(1)
                self._tally("src2tgt", links, scores[rows], truth, dim=1)
            first = self._first_column_links[columns]
            self._tally("tgt2src", first, scores[:, : len(first)], self._truth[first], dim=0)
        again = self._again_columns
        if len(again):
            scores = self._scaled(block, self._columns[again])
            self._tally("tgt2src", again, scores, self._truth[again], dim=0)
        self._discount_rivals(block)

    def _scaled(self, block: ScoreBlock, columns: slice | Tensor) -> Tensor:
        """Scores of some columns, rescaled where that is asked for."""
        scores = block.scores[:, columns]
        if self._scaling is None:
            return scores
        row_means = self._scaling[0][block.start : block.stop].unsqueeze(1)
        return csls(scores, row_means, self._scaling[1][columns])

    def _links_by_rows(self, block: ScoreBlock) -> Iterator[tuple[Tensor, slice | Tensor]]:
        """Links whose row is in the block, and their rows within it."""
        for links in (self._first_row_links, self._again_rows):
            rows = self._rows[links]
            inside = links[(rows >= block.start) & (rows < block.stop)]
            if not len(inside):
                continue
            local = self._rows[inside] - block.start
            if links is self._again_rows:
                yield inside, local
            else:  # First links stand in row order, so their rows are a slice: no copy is made.
                yield inside, slice(int(local[0]), int(local[-1]) + 1)

    def _tally(
        self, direction: str, links: Tensor, scores: Tensor, truth: Tensor, dim: int
    ) -> None:
        # Zeros and ones are summed as floats because that is many times faster than summing
        # booleans; the sums stay exact below 2 ** 24 candidates.
        marks = torch.empty(scores.shape, dtype=torch.float32, device=scores.device)
        self._counts[direction][0, links] += torch.gt(scores, truth, out=marks).sum(dim=dim)
        self._counts[direction][1, links] += torch.eq(scores, truth, out=marks).sum(dim=dim)

    def _discount_rivals(self, block: ScoreBlock) -> None:
        for direction, cells in self._rivals.items():
            inside = cells[(cells[:, 1] >= block.start) & (cells[:, 1] < block.stop)]
            links, rows, columns = inside.unbind(dim=1)
            rivals, truth = block.scores[rows - block.start, columns], self._truth[links]
            if self._scaling is not None:
                rivals = csls(rivals, self._scaling[0][rows], self._scaling[1][columns])
            counts = self._counts[direction]
            counts[0].index_add_(0, links, -(rivals > truth).double())
            counts[1].index_add_(0, links, -(rivals == truth).double())

    def ranks(self, tie_rule: TieRule) -> LinkRanks:
        """Ranks under a tie rule; the true partner is one of its own equals.

        Minus infinity is the score of what a decoder left out: it comes last under every rule.
        """
        ranks, is_left_out = {}, self._truth == -torch.inf
        for direction, (greater, equal) in self._counts.items():
            added = {"optimistic": 1.0, "pessimistic": equal, "realistic": (equal + 1) / 2}
            found = torch.where(is_left_out, greater + equal, greater + added[tie_rule])
            ranks[direction] = found.cpu().numpy()
        return LinkRanks(ranks["src2tgt"], ranks["tgt2src"])


def _without(n_links: int, repeated: Tensor) -> Tensor:
    keep = torch.ones(n_links, dtype=torch.bool, device=repeated.device)
    keep[repeated] = False
    return torch.nonzero(keep).squeeze(1)
