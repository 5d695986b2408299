"""ICL of joint vectors and of the modalities that they concatenate, from the same cosines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmea_bench.methods.core.losses.contrastive import SHARPEST, later, strips_of
from mmea_bench.methods.core.single_precision import in_single


def joint_contrasts(
    parts: Tensor, shares: Sequence[Tensor], temperature: float, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``contrastive_loss`` of each concatenation of scaled parts, and of each part.

    The cosine of two joint vectors is the sum over modalities of the modality's cosine by both
    shares, so that joint vectors need no products of their own, neither here nor for gradients.
    Equal up to rounding.

    Args:
        parts: Unit vectors by modality, those of the sources first, [n_modalities, 2b, dim].
        shares: For each kind of joint vectors the factors of its parts, with which it has length
            1, [2b, n_modalities] each.
        temperature: tau, ``SHARPEST`` or more.
        weights: Of the modalities' anchors, [n_modalities, 2, b], with a gradient; None is 1 each.

    Returns:
        Losses of the joint vectors, [n_kinds], and of the modalities, [n_modalities].

    Raises:
        ValueError: If the temperature is lower.
    """
    if temperature < SHARPEST:
        raise ValueError(f"exponentials of cosines by {temperature} leave single precision")
    losses: Tensor = _JointContrasts.apply(  # type: ignore[no-untyped-call]
        parts, torch.stack(list(shares)), temperature, weights
    )
    return losses[: len(shares)], losses[len(shares) :]


class _JointContrasts(torch.autograd.Function):
    """The logits of one symmetric matrix a loss are kept, in strips above the diagonal."""

    @staticmethod
    @in_single
    def forward(
        ctx: Any, parts: Tensor, shares: Tensor, temperature: float, weights: Tensor | None
    ) -> Tensor:
        n_kinds, size = len(shares), parts.shape[1] // 2
        scaled = parts * temperature**-0.5
        totals = parts.new_zeros(n_kinds + len(parts), 2 * size)
        strips = []
        for rows in strips_of(parts[0]):
            logits = scaled[:, rows] @ scaled[:, rows.start :].transpose(1, 2)
            joint = torch.stack([_joint_logits(logits, share, rows) for share in shares])
            exponentials = _off_diagonal(torch.cat([joint, logits]).exp_())
            totals[:, rows] += exponentials.sum(dim=2)
            totals[:, rows.stop :] += later(exponentials, rows).sum(dim=1)
            strips += [logits, joint]
        own_parts = (scaled[:, :size] * scaled[:, size:]).sum(dim=2)
        both = shares[:, :size] * shares[:, size:]
        own = torch.cat([torch.einsum("kim,mi->ki", both, own_parts), own_parts])
        logs = own.unsqueeze(1) - totals.view(len(own), 2, size).log()
        ctx.temperature = temperature
        ctx.save_for_backward(parts, shares, weights, totals, own_parts, logs, *strips)
        of_joint, of_parts = logs[:n_kinds], logs[n_kinds:]
        if weights is not None:
            of_parts = of_parts * weights
        return -torch.cat([of_joint, of_parts]).mean(dim=2).sum(dim=1) / 2

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        parts, shares, weights, totals, own_parts, logs, *strips = ctx.saved_tensors
        n_kinds, size = len(shares), parts.shape[1] // 2
        by_loss = gradients[0] / (2 * size)
        anchors = torch.ones_like(logs)
        if weights is not None:
            anchors[n_kinds:] = weights
        slopes = by_loss.view(-1, 1) * anchors.flatten(1) / totals
        to_parts, to_shares = torch.zeros_like(parts), torch.zeros_like(shares)
        kept = zip(strips_of(parts[0]), strips[::2], strips[1::2], strict=True)
        for rows, logits, joint in kept:
            cells = _differentiated(logits, joint, slopes, shares, rows, to_shares)
            to_parts[:, rows].baddbmm_(cells, parts[:, rows.start :])
            to_parts[:, rows.stop :].baddbmm_(later(cells, rows).transpose(1, 2), parts[:, rows])
        pairs = by_loss.view(-1, 1) * anchors.sum(dim=1)
        _subtract_own(pairs, parts, shares, own_parts, to_parts, to_shares)
        to_weights = None
        if weights is not None:
            to_weights = -by_loss[n_kinds:].view(-1, 1, 1) * logs[n_kinds:]
        return to_parts.div_(ctx.temperature), to_shares, None, to_weights


def _joint_logits(logits: Tensor, share: Tensor, rows: slice) -> Tensor:
    """Logits of joint vectors out of those of their parts, in a strip."""
    joint = torch.zeros_like(logits[0])
    for part, cells in enumerate(logits):
        joint.addcmul_(cells, share[rows, part].unsqueeze(1) * share[rows.start :, part])
    return joint


def _differentiated(
    logits: Tensor,
    joint: Tensor,
    slopes: Tensor,
    shares: Tensor,
    rows: slice,
    to_shares: Tensor,
) -> Tensor:
    """Derivatives by the parts' logits in a strip, where those by the shares are added up, too.

    Args:
        logits: Of the parts, [n_modalities, n_rows, n_columns].
        joint: Of the joint vectors, [n_kinds, n_rows, n_columns].
        slopes: Of each loss by each anchor, over its sum of exponentials, [n_losses, 2b].
        shares: [n_kinds, 2b, n_modalities].
        rows: Of the strip, which begins at the diagonal.
        to_shares: As ``shares``; what is added to.
    """
    both = _off_diagonal(torch.cat([joint, logits]).exp_())
    both *= slopes[:, rows].unsqueeze(2) + slopes[:, rows.start :].unsqueeze(1)
    of_joint, of_parts = both[: len(joint)], both[len(joint) :]
    for part, cells in enumerate(logits):
        for kind, of_kind in enumerate(of_joint):
            of_rows, of_columns = shares[kind, rows, part], shares[kind, rows.start :, part]
            crossed = of_kind * cells
            to_shares[kind, rows, part] += crossed @ of_columns
            to_shares[kind, rows.stop :, part] += later(crossed, rows).T @ of_rows
            of_parts[part].addcmul_(of_kind, of_rows.unsqueeze(1) * of_columns)
    return of_parts


def _subtract_own(
    factors: Tensor,
    parts: Tensor,
    shares: Tensor,
    own_parts: Tensor,
    to_parts: Tensor,
    to_shares: Tensor,
) -> None:
    """Derivatives of the pairs' own logits, which the losses are less of.

    Args:
        factors: Of each loss by the logit of each pair, [n_losses, b].
        parts: [n_modalities, 2b, dim].
        shares: [n_kinds, 2b, n_modalities].
        own_parts: Logits of the pairs, [n_modalities, b].
        to_parts: As ``parts``; what is subtracted from.
        to_shares: As ``shares``; what is subtracted from.
    """
    n_kinds, size = len(shares), own_parts.shape[1]
    source, target = shares[:, :size], shares[:, size:]
    joint = factors[:n_kinds]
    of_parts = factors[n_kinds:] + torch.einsum("ki,kim,kim->mi", joint, source, target)
    to_parts[:, :size] -= of_parts.unsqueeze(2) * parts[:, size:]
    to_parts[:, size:] -= of_parts.unsqueeze(2) * parts[:, :size]
    of_shares = joint.unsqueeze(2) * own_parts.T
    to_shares[:, :size] -= of_shares * target
    to_shares[:, size:] -= of_shares * source


def _off_diagonal(strips: Tensor) -> Tensor:
    """Zeros where a row meets itself, in a strip of each of several matrices; the same strips."""
    strips.diagonal(dim1=1, dim2=2).zero_()
    return strips
