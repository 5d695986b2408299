"""IBMEA's losses: divergence from a fixed Gaussian, and the multi-similarity loss of pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from mmea_bench.methods.core.losses.batch import one_way_contrastive_loss
from mmea_bench.methods.core.single_precision import in_single
from mmea_bench.methods.parts.ibmea.encoder import BottleneckEncoder, Latents

_LARGEST_SPREAD = 0.4
_BLOCK_ROWS = 1024
"""Anchors whose similarities are in memory at a time."""


def regularised_deviation(spreads: Tensor) -> Tensor:
    """``exp(0.1 + 0.9 softplus(min(s, 0.4)))``, the deviation that the divergence sees.

    Args:
        spreads: What noise is multiplied by, any shape; may be negative.
    """
    return torch.exp(0.1 + 0.9 * softplus(spreads.clamp_max(_LARGEST_SPREAD)))


PRIOR_DEVIATION = math.exp(0.1 + 0.9 * math.log1p(math.exp(_LARGEST_SPREAD)))
"""Of the fixed Gaussian: the largest that a latent can have, 2.514."""


def bottleneck_divergence(means: Tensor, spreads: Tensor) -> Tensor:
    """``KL(N(mu, sigma^2) || N(0, sigma_0^2))``, summed over columns, mean over rows.

    Args:
        means: [n, dim].
        spreads: [n, dim]; see ``regularised_deviation``.

    Reference: IBMEA, ACM MM 2024, as the released code computes it; ``sigma_0`` is not 1 there.
    """
    deviations = regularised_deviation(spreads)
    squares = (deviations.square() + means.square()) / (2 * PRIOR_DEVIATION**2)
    terms = math.log(PRIOR_DEVIATION) - deviations.log() + squares - 0.5
    return terms.sum(dim=1).mean()


def multi_similarity_loss(
    source: Tensor, target: Tensor, alpha: float, beta: float, base: float
) -> Tensor:
    """Each of the ``2b`` vectors is an anchor with one positive and ``2b - 2`` negatives.

    The mean over anchors of ``log(1 + e^(-alpha (s_p - base))) / alpha`` plus
    ``log(1 + sum_n e^(beta (s_n - base))) / beta``. Gradients are formed with the loss, some
    anchors at a time, so that no matrix of ``2b x 2b`` is kept.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised partners, [b, dim].
        alpha: Scale of the positive's term.
        beta: Scale of the negatives' term.
        base: Similarity (lambda) at which both turn.

    Reference: Wang et al., CVPR 2019, without mining; IBMEA, ACM MM 2024.
    """
    vectors = torch.cat([source, target])
    loss: Tensor = _MultiSimilarity.apply(  # type: ignore[no-untyped-call]
        vectors, alpha, beta, base
    )
    return loss


class _MultiSimilarity(torch.autograd.Function):
    @staticmethod
    @in_single
    def forward(ctx: Any, vectors: Tensor, alpha: float, beta: float, base: float) -> Tensor:
        size = len(vectors)
        rows = torch.arange(size, device=vectors.device)
        partners = rows.roll(size // 2)
        gradient = torch.zeros_like(vectors)
        total = torch.zeros((), dtype=vectors.dtype, device=vectors.device)
        for block in torch.split(rows, _BLOCK_ROWS):
            anchors, own = vectors[block], torch.arange(len(block), device=rows.device)
            cells = anchors @ vectors.T
            positive = cells[own, partners[block]]
            cells.sub_(base).mul_(beta)
            cells[own, block] = cells[own, partners[block]] = -torch.inf
            cells.exp_()
            sums = cells.sum(dim=1)
            logits = -alpha * (positive - base)
            total += softplus(logits).sum() / alpha + torch.log1p(sums).sum() / beta
            # From here on the loss's derivative by each similarity.
            cells.div_(1 + sums.unsqueeze(1))
            cells[own, partners[block]] = -torch.sigmoid(logits)
            gradient[block] += cells @ vectors
            gradient.addmm_(cells.T, anchors)
        ctx.save_for_backward(gradient / size)
        return total / size

    @staticmethod
    @in_single
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradients[0] * gradient, None, None, None


@dataclass(frozen=True)
class LossSettings:
    """Parameters of the losses.

    Attributes:
        tau: Temperature of each modality's contrastive loss.
        alpha: Of the joint multi-similarity loss.
        beta: Of it.
        base: Of it (lambda).
        joint_weight: Of it; 0 leaves it out.
        contrast_weight: Of each modality's contrastive loss; 0 leaves it out.
        divergence: Weight of the divergence of structure, images and attributes.
        relation_divergence: Weight of that of relations.
    """

    tau: float
    alpha: float
    beta: float
    base: float
    joint_weight: float
    contrast_weight: float
    divergence: float
    relation_divergence: float


class BottleneckLosses:
    """Losses of the batches of one epoch, which share one set of drawn latents.

    Args:
        encoder: Its fusion makes joint vectors.
        settings: Parameters.
    """

    def __init__(self, encoder: BottleneckEncoder, settings: LossSettings) -> None:
        self._encoder, self._settings = encoder, settings

    def __call__(self, latents: Mapping[str, Latents], batches: Iterator[Tensor]) -> list[Tensor]:
        """One loss per batch; each holds the divergences of all entities.

        Args:
            latents: Of all entities, by modality.
            batches: Joint ids of pairs, [b, 2] each.
        """
        fixed = self._divergences(latents)
        return [self._of_batch(latents, batch) + fixed for batch in batches]

    def _divergences(self, latents: Mapping[str, Latents]) -> Tensor:
        total = torch.zeros((), device=next(iter(latents.values())).means.device)
        for name, each in latents.items():
            settings = self._settings
            weight = settings.relation_divergence if name == "relation" else settings.divergence
            if weight:
                total = total + weight * bottleneck_divergence(each.means, each.spreads)
        return total

    def _of_batch(self, latents: Mapping[str, Latents], batch: Tensor) -> Tensor:
        settings = self._settings
        source, target = (
            {name: normalize(each.drawn[ids], dim=1) for name, each in latents.items()}
            for ids in batch.unbind(dim=1)
        )
        total = torch.zeros((), device=batch.device)
        if settings.contrast_weight:
            for name in latents:
                loss = one_way_contrastive_loss(source[name], target[name], settings.tau)
                total = total + settings.contrast_weight * loss
        if settings.joint_weight:
            fusion = self._encoder.fusion
            loss = multi_similarity_loss(
                normalize(fusion(source), dim=1),
                normalize(fusion(target), dim=1),
                settings.alpha,
                settings.beta,
                settings.base,
            )
            total = total + settings.joint_weight * loss
        return total
