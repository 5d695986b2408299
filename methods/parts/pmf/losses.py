"""PMF's losses: ICL without frozen anchors, and a contrast between modalities of one entity."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.losses.contrastive import contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting
from mmea_bench.methods.core.single_precision import in_single

LOSS_ORDER = ("structure", "relation", "attribute", "image", "word", "bigram")
"""Order of the modalities' losses in the code of MEAformer, from which PMF's stems."""

_BLOCK_ROWS = 256
"""Anchors at once on a CPU."""

CROSSED = ("image", "structure", "relation", "attribute")
"""Modalities of the cross-modality loss; code."""


def masked_contrastive_loss(
    source: Tensor, target: Tensor, counts: tuple[Tensor, Tensor], temperature: float
) -> Tensor:
    """ICL in which only some entities are anchors; all of them stay negatives.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        counts: Which source and which target rows are anchors, [b] bool each.
        temperature: tau.

    Returns:
        Half the sum of both directions, each the sum over its anchors divided by ``b``.
    """
    everyone = all(bool(each.all()) for each in counts)
    weights = None if everyone else torch.stack(counts).to(source)
    return contrastive_loss(source, target, temperature, weights)


def cross_modal_loss(first: Tensor, second: Tensor, counted: Tensor, temperature: float) -> Tensor:
    """Each entity's first modality picks its second among those of the batch; one way.

    Gradients are formed with the loss, some anchors at a time, so that no [b, b] matrix is made and
    the passes over its cells stay in the processor's cache.

    Args:
        first: L2-normalised, [b, dim].
        second: L2-normalised, [b, dim].
        counted: Entities that are anchors, [b] bool; all of them are negatives.
        temperature: tau.

    Returns:
        Sum over anchors, divided by ``b``.
    """
    rows = torch.nonzero(counted).squeeze(1)
    loss: Tensor = _CrossModalLoss.apply(  # type: ignore[no-untyped-call]
        first, second, rows, temperature
    )
    return loss


class _CrossModalLoss(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(
        ctx: Any, first: Tensor, second: Tensor, rows: Tensor, temperature: float
    ) -> Tensor:
        to_first, to_second = torch.zeros_like(first), torch.zeros_like(second)
        total = torch.zeros((), dtype=first.dtype, device=first.device)
        size = _BLOCK_ROWS if first.device.type == "cpu" else max(1, len(rows))
        for block in torch.split(rows, size):
            anchors, itself = first[block], torch.arange(len(block), device=rows.device)
            cells = (anchors / temperature) @ second.T
            own, top = cells[itself, block], cells.amax(dim=1)
            # Exponentials, then probabilities, then derivatives by the logits, in place.
            sums = cells.sub_(top.unsqueeze(1)).exp_().sum(dim=1)
            total += (top + sums.log() - own).sum()
            cells.div_(sums.unsqueeze(1))[itself, block] -= 1
            to_first[block] = cells @ second
            to_second.addmm_(cells.T, anchors)
        scale = 1 / (temperature * len(first))
        ctx.save_for_backward(to_first.mul_(scale), to_second.mul_(scale))
        return total / len(first)

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        to_first, to_second = ctx.saved_tensors
        return gradients[0] * to_first, gradients[0] * to_second, None, None


def cross_pairs(modalities: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of modalities that are contrasted, the anchor's first."""
    return tuple(combinations([name for name in CROSSED if name in modalities], 2))


class CrossGraphLosses(nn.Module):
    """ICL of the joint vectors, and of every modality under a learned log-variance.

    A modality whose loss is exactly 0, because all of its anchors are frozen, is dropped, and later
    ones take the log-variances of those before them, as in the code.

    Args:
        modalities: Those of the encoder.
        tau: Temperature.
        masked: Whether frozen entities are no anchors.
    """

    def __init__(self, modalities: tuple[str, ...], tau: float, *, masked: bool) -> None:
        super().__init__()
        self._names = tuple(name for name in LOSS_ORDER if name in modalities)
        self._tau, self._masked = tau, masked
        self.weighting = UncertaintyWeighting(self._names, 1.0, learned=True)

    def joint(self, source: Tensor, target: Tensor) -> Tensor:
        """Loss of joint vectors, [b, dim] each, which need not be normalised."""
        pairs = normalize(source, dim=1), normalize(target, dim=1)
        return contrastive_loss(*pairs, self._tau)

    def of_modalities(
        self,
        source: Mapping[str, Tensor],
        target: Mapping[str, Tensor],
        counts: Mapping[str, tuple[Tensor, Tensor]],
    ) -> Tensor:
        """Weighted loss of all modalities.

        Args:
            source: Modality to unit vectors of the pairs' source ends, [b, dim].
            target: Of their target ends, [b, dim].
            counts: Modality to which of both are alive, [b] bool each.
        """
        losses = []
        for name in self._names:
            if self._masked:
                found = masked_contrastive_loss(source[name], target[name], counts[name], self._tau)
            else:
                found = contrastive_loss(source[name], target[name], self._tau)
            if float(found.detach()) != 0:
                losses.append(found)
        total: Tensor = self.weighting(dict(zip(self._names, losses, strict=False)))
        return total


class CrossModalLosses(nn.Module):
    """Contrast between all pairs of modalities under learned log-variances.

    Args:
        modalities: Those of the encoder.
        tau: Temperature.
        weights: Modality to its weight; a pair weighs the product of both.
        masked: Whether entities with either modality frozen are no anchors.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        tau: float,
        weights: Mapping[str, float],
        *,
        masked: bool,
    ) -> None:
        super().__init__()
        self.pairs = cross_pairs(modalities)
        self._tau, self._weights, self._masked = tau, dict(weights), masked
        self.weighting = UncertaintyWeighting(
            tuple(" ".join(pair) for pair in self.pairs), 1.0, learned=True
        )

    def forward(
        self,
        sides: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
        counts: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    ) -> Tensor:
        """Loss of entities of either KG, each KG by itself.

        Args:
            sides: For each KG: modality to unit vectors, [b, dim].
            counts: For each KG: modality to whether it is alive, [b] bool.
        """
        losses = {}
        for first, second in self.pairs:
            loss = torch.zeros((), device=self.weighting.log_variances.device)
            for vectors, alive in zip(sides, counts, strict=True):
                counted = alive[first] & alive[second]
                if not self._masked:
                    counted = torch.ones_like(counted)
                loss = loss + cross_modal_loss(vectors[first], vectors[second], counted, self._tau)
            losses[f"{first} {second}"] = self._weights[first] * self._weights[second] * loss
        total: Tensor = self.weighting(losses)
        return total
