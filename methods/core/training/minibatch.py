"""One optimiser step per batch: for trainings whose epoch makes several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LRScheduler


class StepOptimiser(Protocol):
    """What a step needs of an optimiser; those of the library have it."""

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 - as the library
        """Forgets the gradients of the last step."""

    def step(self) -> object:
        """Updates the parameters by their gradients."""


def total(values: Sequence[Tensor]) -> float:
    """Sum of numbers, each of one element, that waits for their device once."""
    listed: list[float] = torch.stack(list(values)).tolist() if values else []
    return sum(listed)


def backward(
    loss: Tensor, clipped: Iterable[nn.Parameter] = (), clip_norm: float | None = None
) -> float:
    """Leaves the loss's gradients behind and returns its value.

    Args:
        loss: One number.
        clipped: Parameters whose gradients together are cut to the length ``clip_norm``.
        clip_norm: That length; None leaves gradients as they are.
    """
    loss.backward()  # type: ignore[no-untyped-call]
    if clip_norm is not None:
        clip_grad_norm_(clipped, clip_norm)
    return float(loss.detach())


class MiniBatchSteps:
    """Steps of one optimiser, each on the loss of one batch.

    Args:
        optimiser: Whose parameters are trained.
        clipped: As in ``backward``.
        clip_norm: As there.
        rate: Schedule of the learning rate, stepped once per batch; None keeps the rate.
    """

    def __init__(
        self,
        optimiser: StepOptimiser,
        *,
        clipped: Iterable[nn.Parameter] = (),
        clip_norm: float | None = None,
        rate: LRScheduler | None = None,
    ) -> None:
        self._optimiser, self._rate = optimiser, rate
        self._clipped, self._clip_norm = list(clipped), clip_norm

    def update(self, loss: Tensor) -> Tensor:
        """Updates the parameters by the gradients of a loss; its value, still on its device."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._finish()
        return loss.detach()

    def step(self, loss: Tensor) -> float:
        """As ``update``; the value as a number, for which the program waits for a GPU."""
        return float(self.update(loss))

    def summed_step(self, losses: Iterable[Tensor]) -> float:
        """One step on the sum of the losses, without their graphs side by side; none without any.

        Args:
            losses: Made one after the other, all with the same parameters.

        Returns:
            The sum.
        """
        values = []
        self._optimiser.zero_grad(set_to_none=True)
        for loss in losses:
            loss.backward()  # type: ignore[no-untyped-call]
            values.append(loss.detach())
        if values:
            self._finish()
        return total(values)

    def total_loss(self, losses: Iterable[Tensor]) -> float:
        """One step per loss; their sum, 0 where there are none.

        Args:
            losses: Made one after the other, each with the parameters that the last step left.
        """
        return total([self.update(loss) for loss in losses])

    def mean_loss(self, losses: Iterable[Tensor]) -> float:
        """As ``total_loss``, over the number of losses."""
        values = [self.update(loss) for loss in losses]
        return total(values) / max(1, len(values))

    def _finish(self) -> None:
        if self._clip_norm is not None:
            clip_grad_norm_(self._clipped, self._clip_norm)
        self._optimiser.step()
        if self._rate is not None:
            self._rate.step()


def shuffled_batches(rows: Tensor, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows in random order, in batches of that many (the last may be smaller).

    Args:
        rows: [n, ...], on any device.
        batch_size: Rows of a batch.
        generator: On the CPU; draws one permutation of n.
    """
    order = torch.randperm(len(rows), generator=generator).to(rows.device)
    yield from torch.split(rows[order], batch_size)
