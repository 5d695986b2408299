"""ICL with gradients worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from mmea_bench.methods.core.single_precision import in_float32, in_single, widened

_MASKED = -1e9
"""Logit of a vector with itself; finite, so that zero probabilities stay free of NaN."""
SHARPEST = 1 / 60
"""Temperature below which exponentials of cosines need a shift to stay finite in float32."""
_ROWS_AT_ONCE = 256
"""Rows of a strip on a CPU, whose elementwise work then stays within its caches."""
_ROWS_ON_DEVICE = 4096


def batch_logits(source: Tensor, target: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Cross-graph and same-graph similarities of a batch, one row per entity.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: Divides the cosines.

    Returns:
        For the source and for the target rows: [b, 2b], first the other graph, then the own graph
        in which an entity's similarity with itself is masked out.
    """
    across = source @ target.T / temperature
    itself = torch.eye(len(source), dtype=torch.bool, device=source.device)
    same_source = (source @ source.T / temperature).masked_fill(itself, _MASKED)
    same_target = (target @ target.T / temperature).masked_fill(itself, _MASKED)
    return torch.cat([across, same_source], dim=1), torch.cat([across.T, same_target], dim=1)


def pair_log_probabilities(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Log-probability with which each entity picks its partner among both graphs' rows.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: tau.

    Returns:
        Of source rows and of target rows, [2, b].
    """
    own = torch.arange(len(source), device=source.device)
    logits = batch_logits(source, target, temperature)
    return torch.stack([torch.log_softmax(each, dim=1)[own, own] for each in logits])


def contrastive_loss(
    source: Tensor,
    target: Tensor,
    temperature: float,
    weights: Tensor | None = None,
) -> Tensor:
    """``intra_modal_contrastive_loss`` (mean of logs) with fewer products and less memory.

    The similarities of all rows of both graphs are one symmetric matrix of which strips above the
    diagonal are made; gradients are formed with the loss, after which the strips are dropped.
    Equal up to rounding. Temperatures below 1/60 take the plain form.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: tau.
        weights: Of source rows and of target rows as anchors, [2, b], with a gradient; a row of
            weight 0 stays a negative, and sums are divided by ``b`` all the same. None is 1 each.
    """
    if temperature < SHARPEST:
        with in_float32(source.device):
            logs = pair_log_probabilities(widened(source), widened(target), temperature)
            return _mean(logs, weights)
    loss: Tensor = _ContrastiveLoss.apply(  # type: ignore[no-untyped-call]
        torch.cat([source, target]), temperature, weights
    )
    return loss


class _ContrastiveLoss(torch.autograd.Function):
    """Of all rows, those of the source first: ``[2b, dim]``."""

    @staticmethod
    @in_single
    def forward(ctx: Any, rows: Tensor, temperature: float, weights: Tensor | None) -> Tensor:
        size = len(rows) // 2
        scaled = rows * temperature**-0.5
        strips, totals = _exponentials(scaled)
        own = (scaled[:size] * scaled[size:]).sum(dim=1)
        logs = own - totals.view(2, size).log()
        shares = 1 / totals if weights is None else weights.flatten() / totals
        n_own: Tensor | int = 2 if weights is None else weights.sum(dim=0).unsqueeze(1)
        gradient = _product(strips, shares, rows)
        gradient[:size].sub_(n_own * rows[size:])
        gradient[size:].sub_(n_own * rows[:size])
        gradient.div_(2 * size * temperature)
        ctx.save_for_backward(gradient, None if weights is None else logs / (-2 * size))
        return _mean(logs, weights)

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_rows, to_weights = ctx.saved_tensors
        of_weights = None if to_weights is None else gradients[0] * to_weights
        return gradients[0] * to_rows, None, of_weights


def _mean(logs: Tensor, weights: Tensor | None) -> Tensor:
    return -(logs if weights is None else logs * weights).mean(dim=1).sum() / 2


def strips_of(rows: Tensor) -> Iterator[slice]:
    """Which rows of a symmetric matrix are made at once, [n_rows, dim] by themselves."""
    at_once = _ROWS_AT_ONCE if rows.device.type == "cpu" else _ROWS_ON_DEVICE
    for start in range(0, len(rows), at_once):
        yield slice(start, min(start + at_once, len(rows)))


def later(strip: Tensor, rows: slice) -> Tensor:
    """The columns of a strip after those of its own rows; they hold for both sides of the matrix.

    Args:
        strip: Its rows and all after them as columns, [..., n_rows, n_columns].
        rows: Of the strip.
    """
    return strip[..., rows.stop - rows.start :]


def _exponentials(scaled: Tensor) -> tuple[list[tuple[slice, Tensor]], Tensor]:
    """Exponentials of the products of rows with those at or after them, and all their row sums.

    A strip holds the products of its rows with themselves and all later rows; the diagonal is 0.
    """
    strips, totals = [], scaled.new_zeros(len(scaled))
    for chosen in strips_of(scaled):
        strip = (scaled[chosen] @ scaled[chosen.start :].T).exp_()
        strip.fill_diagonal_(0.0)
        totals[chosen] += strip.sum(dim=1)
        totals[chosen.stop :] += later(strip, chosen).sum(dim=0)
        strips.append((chosen, strip))
    return strips, totals


def _product(strips: list[tuple[slice, Tensor]], shares: Tensor, rows: Tensor) -> Tensor:
    """Rows times the symmetric matrix of the strips' entries by ``shares[i] + shares[j]``.

    Overwrites the strips.
    """
    product = torch.zeros_like(rows)
    for chosen, strip in strips:
        strip.mul_(shares[chosen].unsqueeze(1) + shares[chosen.start :])
        product[chosen].addmm_(strip, rows[chosen.start :])
        product[chosen.stop :].addmm_(later(strip, chosen).T, rows[chosen])
    return product
