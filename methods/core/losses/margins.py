"""Losses that set the distance of a fact or a pair against the distances of its negatives.

Distances: lower is closer. What is summed and what is averaged decides how a learning rate and the
sum of Adagrad work, so every loss says it with ``reduction``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, relu, softplus

Norm = Literal["l1", "l2", "squared l2"]
Reduction = Literal["mean", "sum"]


def lengths(vectors: Tensor, norm: Norm) -> Tensor:
    """Length of each vector, [..., dim] to [...].

    Args:
        vectors: Differences of what is compared.
        norm: Sum of the absolute components, Euclidean length, or its square.
    """
    if norm == "l1":
        return vectors.abs().sum(dim=-1)
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return length.square() if norm == "squared l2" else length


def margin_loss(
    own: Tensor, others: Tensor, margin: float, reduction: Reduction = "mean"
) -> Tensor:
    """``[margin + d(own) - d(other)]+`` over all negatives.

    Args:
        own: Distances of the positives, [b].
        others: Of their negatives, [b, k].
        margin: gamma.
        reduction: Over all negatives of all positives.

    Reference: Bordes et al., NeurIPS 2013, equation 1.
    """
    return _reduced(relu(margin + own.unsqueeze(1) - others), reduction)


def limit_loss(
    own: Tensor,
    others: Tensor,
    limits: tuple[float, float],
    weight: float,
    reduction: Reduction = "sum",
) -> Tensor:
    """``[d(own) - lower]+`` and, weighted, ``[upper - d(other)]+``: two limits for distances.

    Args:
        own: Distances of the positives, any shape.
        others: Of negatives, any shape.
        limits: Largest distance of a positive and smallest distance of a negative that cost
            nothing; (0.01, 2) in BootEA.
        weight: Of the negatives' part, ``mu``; 0.2 in BootEA.
        reduction: Over the positives and, apart, over the negatives.

    Reference: Sun et al., IJCAI 2018, equation 4.
    """
    lower, upper = limits
    kept_near = _reduced(relu(own - lower), reduction)
    return kept_near + weight * _reduced(relu(upper - others), reduction)


def logistic_loss(
    own: Tensor,
    others: Tensor | None = None,
    weights: Tensor | None = None,
    reduction: Reduction = "sum",
) -> Tensor:
    """``log(1 + e^d)`` of positives and ``log(1 + e^-d)`` of negatives.

    Equal to ``-log sigmoid(-d)`` and ``-log sigmoid(d)``.

    Args:
        own: Distances of the positives, [b].
        others: Of negatives, any shape; None for a loss without them.
        weights: Of the positives, [b]; None is 1 each.
        reduction: Over the positives and, apart, over the negatives.

    Reference: Zhang et al. (MultiKE), IJCAI 2019; alignment loss of Sun et al., IJCAI 2018.
    """
    positives = softplus(own) if weights is None else weights * softplus(own)
    loss = _reduced(positives, reduction)
    return loss if others is None else loss + _reduced(softplus(-others), reduction)


def pair_margin_loss(
    vectors: Tensor,
    pairs: Tensor,
    negatives: Tensor,
    margin: float,
    norm: Norm = "l1",
    reduction: Reduction = "mean",
) -> Tensor:
    """Margin loss over aligned pairs and stand-ins for either end.

    ``[d(s, t) + margin - d(s, t')]+`` and ``[d(s, t) + margin - d(s', t)]+``, each reduced over
    pairs and stand-ins; the half of their sum as a mean, their sum as a sum.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [n_pairs, 2].
        negatives: Stand-ins for the targets and for the sources, [2, n_pairs, k] ids.
        margin: gamma.
        norm: What ``d`` is.
        reduction: Mean or sum.
    """
    source, target = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    own = lengths(source - target, norm)
    loss = torch.zeros((), device=vectors.device)
    for anchor, stand_ins in zip((source, target), negatives, strict=True):
        others = lengths(anchor.unsqueeze(1) - vectors[stand_ins], norm)
        loss = loss + margin_loss(own, others, margin, reduction)
    return loss / 2 if reduction == "mean" else loss


def hard_sample_loss(
    vectors: Tensor, pairs: Tensor, margin: float = 1.0, scale: float = 30.0, shift: float = 10.0
) -> Tensor:
    """Every entity is a negative of every pair, and the smooth maximum picks the hard ones.

    With squared Euclidean ``d`` and ``z_n = d(s, t) - d(s, n) + margin`` for all entities ``n`` of
    both graphs, zero for ``s`` and ``t`` themselves, a row is standardised by its mean and its
    population deviation (through which no gradient passes) and costs ``log sum_n e^(scale z_n +
    shift)``. The loss is the mean over pairs of the rows of ``s`` and of ``t``.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [b, 2].
        margin: gamma.
        scale: lambda.
        shift: tau.

    Reference: Mao et al. (Dual-AMN), WWW 2021, as the released code computes it.
    """
    ends = [embedding(pairs[:, side], vectors) for side in (0, 1)]
    own = (ends[0] - ends[1]).square().sum(dim=1, keepdim=True)  # [b, 1]
    squares = vectors.square().sum(dim=1)
    rows = []
    for anchor in ends:
        # The expansion needs one product where differences would need [b, n_entities, dim].
        distances = anchor.square().sum(dim=1, keepdim=True) + squares - 2 * anchor @ vectors.T
        gains = (own - distances + margin).scatter(1, pairs, 0.0)
        spread, mean = torch.std_mean(gains.detach(), dim=1, correction=0, keepdim=True)
        rows.append(
            torch.logsumexp(scale * ((gains - mean) / spread.clamp_min(1e-12)) + shift, dim=1)
        )
    return (rows[0] + rows[1]).mean()


def _reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    return losses.mean() if reduction == "mean" else losses.sum()
