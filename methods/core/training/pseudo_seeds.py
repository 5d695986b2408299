"""Iterative learning: mutual nearest neighbours become training pairs late in a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.score_blocks import score_blocks
from mmea_bench.methods.core.similarity import (
    ScoreBlocks,
    ScoreMatrix,
    mutual_nearest,
    mutual_nearest_in,
)
from mmea_bench.methods.core.training_log import TrainingLog


@dataclass(frozen=True)
class IterativeSchedule:
    """When candidates are looked for and when they become training pairs.

    Attributes:
        start: Epoch after which the first candidates are looked for.
        check_every: Epochs between two looks.
        promote_every: Epochs between two promotions; the first look after a promotion starts a
            new list of candidates, later looks keep only pairs that are still mutual.
        renew_every: Epochs after which a look starts a new list as well; 0 leaves that to
            promotions. MEAformer's released code has 25 with a promotion every 50.
        looks_first: Whether an epoch looks before it trains, as in MEAformer's released code, so
            that it is the first to learn what it promotes.
    """

    start: int = 500
    check_every: int = 5
    promote_every: int = 50
    renew_every: int = 0
    looks_first: bool = False

    def learns_from(self, promoted: int) -> int:
        """First epoch that trains on pairs that were promoted at an epoch."""
        return promoted if self.looks_first else promoted + 1

    @property
    def first_promotion(self) -> int:
        """First epoch at which pairs may be promoted: at a look, after the start."""
        period = math.lcm(self.check_every, self.promote_every)
        return (self.start // period + 1) * period

    def is_reached(self, epochs: int) -> bool:
        """Whether a training of so many epochs can learn from a promoted pair."""
        return self.learns_from(self.first_promotion) <= epochs

    def renews(self, epoch: int) -> bool:
        """Whether the look at this epoch starts a new list."""
        period = self.renew_every or self.promote_every
        return epoch % period == self.check_every % period


class PseudoLabelParams:
    """For parameters of a training that may grow its seeds; the names are those of its fields.

    Without a ``renew_every`` promotions alone start new lists of candidates.
    """

    epochs: int
    iterative: bool
    iterative_start: int
    check_every: int
    promote_every: int
    eval_every: int
    looks_first: ClassVar[bool] = False

    @property
    def growth(self) -> IterativeSchedule:
        """When pseudo-labels are looked for and promoted."""
        return IterativeSchedule(
            self.iterative_start,
            self.check_every,
            self.promote_every,
            getattr(self, "renew_every", 0),
            self.looks_first,
        )

    @property
    def round_epochs(self) -> int:
        """Epochs between two promotions, 0 without any."""
        return self.promote_every if self.iterative else 0

    @property
    def all_epochs(self) -> int:
        """Of all stages of the training."""
        return self.epochs

    @property
    def last_growth(self) -> int:
        """Last epoch at which pairs may be promoted."""
        return self.all_epochs

    @property
    def reaches_pseudo_labels(self) -> bool:
        """Whether pseudo-labels are learned before the last epoch is over."""
        return self.iterative and self.growth.is_reached(self.last_growth)


class LooksBeforeEpochs(PseudoLabelParams):
    """For parameters of a training that looks before an epoch trains, as MEAformer's code does."""

    looks_first: ClassVar[bool] = True


class PseudoSeeds:
    """Training pairs that grow as in EVA's and MCLEA's released code.

    At every look the entities of both whole graphs that stand in no training pair are compared by
    cosine without CSLS, or by the method's own scores of pairs. Pairs that were mutual nearest
    neighbours at every look since the list was started are promoted for good. No threshold, no
    limit, no gold link is read.

    Args:
        seed_pairs: Seed links as joint ids, [n_seed, 2] int64.
        n_source: Source entities; joint ids below are source entities.
        n_entities: Entities of both graphs.
        schedule: When to look and promote.
        log: Told from which epoch on pseudo-labels are learned, which makes a row "iterative".
    """

    def __init__(
        self,
        seed_pairs: Tensor,
        n_source: int,
        n_entities: int,
        schedule: IterativeSchedule,
        log: TrainingLog,
    ) -> None:
        self.pairs = seed_pairs
        self._log = log
        self._n_source, self._n_entities = n_source, n_entities
        self._schedule = schedule
        self._candidates: Tensor | None = None

    def after_epoch(self, epoch: int, embed: Callable[[], Tensor | PairScores]) -> bool:
        """Looks for candidates and promotes them, where the schedule says so.

        Args:
            epoch: Epoch just trained (or about to be, with ``looks_first``), counted from 1.
            embed: Current joint vectors, [n_entities, dim], or scores of all pairs.

        Returns:
            Whether the training pairs grew.
        """
        schedule = self._schedule
        if epoch <= schedule.start or epoch % schedule.check_every:
            return False
        found = self._mutual_pairs(embed())
        if self._candidates is None or schedule.renews(epoch):
            self._candidates = found
        else:
            self._candidates = self._candidates[torch.isin(self._candidates, found)]
        if epoch % schedule.promote_every:
            return False
        promoted, self._candidates = self.confirmed(self._candidates), None
        pairs = torch.stack([promoted // self._n_entities, promoted % self._n_entities], dim=1)
        self.pairs = torch.cat([self.pairs, pairs])
        if len(pairs):
            self._log.pseudo_labels_from(schedule.learns_from(epoch))
        return bool(len(pairs))

    def confirmed(self, candidates: Tensor) -> Tensor:
        """Those candidates that a promotion takes: all of them.

        Args:
            candidates: ``source * n_entities + target`` of each pair, [n].
        """
        return candidates

    def _mutual_pairs(self, found: Tensor | PairScores) -> Tensor:
        """Mutual nearest free entities, one number ``source * n_entities + target`` per pair."""
        free = torch.ones(self._n_entities, dtype=torch.bool)
        free[self.pairs.flatten()] = False
        source = torch.nonzero(free[: self._n_source]).squeeze(1)
        target = torch.nonzero(free[self._n_source :]).squeeze(1)
        if isinstance(found, PairScores):
            mutual = mutual_nearest_in(score_blocks(found, source.numpy(), target.numpy()))
        else:
            vectors = normalize(found, dim=1)
            of_source, of_target = (
                vectors[rows.to(vectors.device)] for rows in (source, target + self._n_source)
            )
            mutual = mutual_nearest(of_source, of_target)
        return source[mutual[:, 0]] * self._n_entities + target[mutual[:, 1]] + self._n_source


def unsupervised_seeds(vectors: Tensor, n_source: int, n_pairs: int) -> Tensor:
    """Most similar entities of the two graphs as pseudo-seeds, in joint ids, [<= n_pairs, 2].

    Args:
        vectors: L2-normalised vectors of all entities, source entities first.
        n_source: Number of source entities.
        n_pairs: Pairs wanted; never more than the smaller graph has entities.
    """
    n_pairs = min(n_pairs, n_source, len(vectors) - n_source)
    pairs = most_similar_pairs(vectors[:n_source], vectors[n_source:], n_pairs)
    return pairs + torch.tensor([0, n_source])


def most_similar_pairs(source: Tensor, target: Tensor, n_pairs: int, pool: int = 100) -> Tensor:
    """Greedy one-to-one pairs by similarity: the pseudo-seeds of unsupervised EVA and MCLEA.

    The ``pool * n_pairs`` largest scores are walked down from the top; a pair is taken if neither
    entity is taken yet, until there are ``n_pairs``.

    Args:
        source: L2-normalised vectors, [n_source, dim].
        target: L2-normalised vectors, [n_target, dim].
        n_pairs: Pairs wanted; fewer come back if the pool does not hold as many.
        pool: Scores looked at per pair wanted.

    Returns:
        (source row, target row), [<= n_pairs, 2] int64, best first.
    """
    return most_similar_in(ScoreMatrix(source, target, "inner"), n_pairs, pool)


def most_similar_in(blocks: ScoreBlocks, n_pairs: int, pool: int = 100) -> Tensor:
    """As ``most_similar_pairs``, by any scores (of ``score_blocks``, for instance)."""
    size = min(pool * n_pairs, blocks.n_source * blocks.n_target)
    best = torch.empty(0)
    cells = torch.empty(0, dtype=torch.int64)
    for block in blocks:
        scores = block.scores.flatten()
        top = scores.topk(min(size, scores.numel()))
        best = torch.cat([best, top.values.cpu()])
        cells = torch.cat([cells, top.indices.cpu() + block.start * blocks.n_target])
        if len(best) > size:
            kept = best.topk(size)
            best, cells = kept.values, cells[kept.indices]
    order = torch.argsort(best, descending=True, stable=True)
    rows, columns = np.divmod(cells[order].numpy(), blocks.n_target)
    return torch.tensor(_first_free(rows, columns, n_pairs), dtype=torch.int64).reshape(-1, 2)


def _first_free(rows: np.ndarray, columns: np.ndarray, n_pairs: int) -> list[tuple[int, int]]:
    taken_rows: set[int] = set()
    taken_columns: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if len(pairs) == n_pairs:
            break
        if row not in taken_rows and column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
            pairs.append((row, column))
    return pairs
