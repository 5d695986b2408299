"""Sinkhorn's transport plan of the scores, in row blocks: two vectors are kept, never the plan."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.methods.core.similarity import (
    DEFAULT_BLOCK_ROWS,
    ScoreBlock,
    ScoreBlocks,
    top_candidates,
)

SMALLEST_TEMPERATURE = 1e-200
"""The largest score that is ranked is still a number when it is divided by this."""

_SMALLEST_SHARE = 1e-200
"""Sums of a column below this may have lost terms that are too small for a number."""


def check_temperature(temperature: float) -> None:
    """Refuses a temperature by which scores could not be divided.

    Raises:
        UserError: If it is below ``SMALLEST_TEMPERATURE``.
    """
    if not temperature >= SMALLEST_TEMPERATURE:  # nor is it where it is not a number
        raise UserError(
            f"The temperature of Sinkhorn is {temperature:g}; it must be "
            f"{SMALLEST_TEMPERATURE:g} or more, or scores divided by it would not be numbers."
        )


class SinkhornBlocks:
    """Logarithm of the plan after some sweeps, as scores: ``S / temperature + u_i + v_j``.

    A sweep makes all rows and then all columns of ``exp(S / temperature)`` sum to 1, so the
    columns sum to 1 at the end. It is one pass over the scores: while a block is in memory its
    rows are scaled and its share of the column sums is added up.

    Args:
        plain: The scores; ``HeldScores`` where making them costs more than reading them.
        temperature: Above 0; the smaller, the harder the assignment.
        sweeps: Passes, 1 or more.

    Raises:
        UserError: If the temperature is below ``SMALLEST_TEMPERATURE``.

    Reference: Cuturi 2013, arXiv:1306.0895, in the log domain; for entity alignment Mao et al.,
    EMNLP 2021 (SEU), equation 7.
    """

    def __init__(self, plain: ScoreBlocks, temperature: float, sweeps: int) -> None:
        check_temperature(temperature)
        self.n_source, self.n_target = plain.n_source, plain.n_target
        # Sums of ten thousands of terms in single precision would decide between close ranks.
        self.device, self.dtype = plain.device, torch.float64
        self._plain, self._temperature = plain, temperature
        self._rows = torch.zeros(plain.n_source, dtype=self.dtype, device=self.device)
        self._columns = torch.zeros(plain.n_target, dtype=self.dtype, device=self.device)
        for _ in range(sweeps):
            self._sweep()

    def _sweep(self) -> None:
        """One exponential a cell; in logarithms where a column's share would not be a number."""
        sums = torch.zeros_like(self._columns)
        for block in self._plain:
            shares = block.scores.to(self.dtype).div_(self._temperature).add_(self._columns)
            largest = shares.amax(dim=1, keepdim=True)
            shares.sub_(largest).exp_()
            totals = shares.sum(dim=1)
            self._rows[block.start : block.stop] = -largest.squeeze(1) - totals.log()
            sums += totals.reciprocal() @ shares
        if bool((sums < _SMALLEST_SHARE).any()):
            self._sweep_in_logarithms()
        else:
            self._columns = self._columns - sums.log()

    def _sweep_in_logarithms(self) -> None:
        sums = torch.full_like(self._columns, -torch.inf)
        for block in self._plain:
            logits = block.scores.double() / self._temperature
            scale = -torch.logsumexp(logits + self._columns, dim=1)
            self._rows[block.start : block.stop] = scale
            sums = torch.logaddexp(sums, torch.logsumexp(logits + scale.unsqueeze(1), dim=0))
        self._columns = -sums

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row, float64."""
        for block in self._plain:
            scores = block.scores.double() / self._temperature
            scores += self._rows[block.start : block.stop].unsqueeze(1)
            scores += self._columns
            yield ScoreBlock(block.start, block.stop, scores)


class SinkhornAmong:
    """As ``SinkhornBlocks``, with a plan that is 0 but for the best candidates of every row.

    One pass over the scores; the sweeps read the candidates, [n_source, n_candidates], alone. The
    logarithm of what is no candidate is minus infinity, which ranks last under every tie rule.

    Args:
        plain: The scores.
        n_candidates: Columns of a row that have a share in the plan, its best ones.
        temperature: Above 0; the smaller, the harder the assignment.
        sweeps: Normalisations of all rows and then all columns, 1 or more.

    Raises:
        UserError: If the temperature is below ``SMALLEST_TEMPERATURE``.
    """

    def __init__(
        self, plain: ScoreBlocks, n_candidates: int, temperature: float, sweeps: int
    ) -> None:
        check_temperature(temperature)
        self.n_source, self.n_target = plain.n_source, plain.n_target
        self.device, self.dtype = plain.device, torch.float64
        best, self._columns = top_candidates(plain, n_candidates)
        self._plan = best.to(self.dtype) / temperature
        for _ in range(sweeps):
            self._plan -= torch.logsumexp(self._plan, dim=1, keepdim=True)
            self._plan -= self._column_sums()[self._columns]

    def best(self) -> tuple[Tensor, Tensor]:
        """Column with the largest share of each row, and the share, [n_source] each."""
        largest, place = self._plan.max(dim=1)
        return self._columns.gather(1, place.unsqueeze(1)).squeeze(1), largest.exp()

    def shares(self) -> tuple[Tensor, Tensor]:
        """Candidates of each row and their shares in the plan, [n_source, n_candidates] each."""
        return self._columns, self._plan.exp()

    def _column_sums(self) -> Tensor:
        """Logarithm of the sum of every column, [n_target]; not a number where it is empty."""
        columns = self._columns.flatten()
        largest = torch.full((self.n_target,), -torch.inf, dtype=self.dtype, device=self.device)
        largest.scatter_reduce_(0, columns, self._plan.flatten(), "amax")
        shares = (self._plan - largest[self._columns]).exp().flatten()
        return torch.zeros_like(largest).index_add_(0, columns, shares).log() + largest

    def __iter__(self) -> Iterator[ScoreBlock]:
        """Blocks from the first to the last source row, float64."""
        for start in range(0, self.n_source, DEFAULT_BLOCK_ROWS):
            stop = min(start + DEFAULT_BLOCK_ROWS, self.n_source)
            shape = (stop - start, self.n_target)
            scores = torch.full(shape, -torch.inf, dtype=self.dtype, device=self.device)
            scores.scatter_(1, self._columns[start:stop], self._plan[start:stop])
            yield ScoreBlock(start, stop, scores)
