"""What a method returns that does not end in comparable vectors: a function that scores pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_float32

ScoreFunction = Callable[[Tensor], Tensor]
"""Rows of source entities, [b] int64 on the device of the scores, to their scores with every target
entity, [b, n_target], higher is better. Equal rows give equal scores at every call."""

SAVED_CANDIDATES = 100
_SAVED_ROWS = 256


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of all pairs of entities of both KGs, made a few source rows at a time.

    For interaction models, iterated similarities, and sums of several similarities. Nobody asks
    for all rows at once, so that a large matrix is never in memory; a function whose own
    intermediate results are larger than its scores splits the rows further by itself.

    Attributes:
        score_block: Scores some source entities against all target entities.
        n_source: Source entities.
        n_target: Target entities.
        device: Where ``score_block`` takes rows and leaves scores.
        similarity: One free word that says how pairs are scored, such as ``classifier``.
        state: Tensors that ``score_block`` reads and that training goes on changing in place, such
            as ``module.state_dict()``; a training loop keeps their values with its best epoch and
            writes them back. Empty where ``score_block`` holds copies of its own; live tensors
            that are not named here are noticed, and an error.
        by_modality: Optional per-modality vectors (source, target), for analyses.
        modality_weights: Optional learned fusion weight per modality.
    """

    score_block: ScoreFunction
    n_source: int
    n_target: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    similarity: str = "scores"
    state: Mapping[str, Tensor] = field(default_factory=dict)
    by_modality: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    modality_weights: Mapping[str, float] = field(default_factory=dict)

    def rows(self, sources: Tensor) -> Tensor:
        """Scores of source entities with every target entity, [b, n_target] float32.

        Args:
            sources: Ids of source entities, [b] int64 on any device.
        """
        with torch.no_grad(), in_float32(self.device):
            return self.score_block(sources.to(self.device)).float()

    def save(self, path: Path, n_candidates: int = SAVED_CANDIDATES) -> None:
        """Writes the best candidates of every source entity, never the whole matrix.

        The ``.npz`` file needs no pickle to read. It holds ``targets`` [n_source, k] int64 and
        their ``scores`` [n_source, k] float32, best first, ``n_target`` and ``similarity``.

        Args:
            path: File to write.
            n_candidates: Most candidates per source entity; k is never more than ``n_target``.
        """
        shape = (self.n_source, min(n_candidates, self.n_target))
        # Written in place, as in ``top_candidates``, so that memory does not grow by blocks.
        scores, targets = torch.empty(shape), torch.empty(shape, dtype=torch.int64)
        for start in range(0, self.n_source, _SAVED_ROWS):
            stop = min(start + _SAVED_ROWS, self.n_source)
            top = self.rows(torch.arange(start, stop)).topk(shape[1])
            scores[start:stop], targets[start:stop] = top
        np.savez(
            path,
            targets=targets.numpy(),
            scores=scores.numpy(),
            n_target=np.array(self.n_target),
            similarity=np.array(self.similarity),
        )
