"""Losses that set the distance of a fact or a pair against the distances of its negatives.

Distances: lower is closer. What is summed and what is averaged decides how a learning rate and the
sum of Adagrad work, so every loss says it with ``reduction``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid, relu, softplus

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
    own, others = pair_distances(vectors, pairs, negatives, norm)
    loss = torch.zeros((), device=vectors.device)
    for of_end in others:
        loss = loss + margin_loss(own, of_end, margin, reduction)
    return loss / 2 if reduction == "mean" else loss


def pair_distances(
    vectors: Tensor, pairs: Tensor, negatives: Tensor, norm: Norm = "l1"
) -> tuple[Tensor, Tensor]:
    """Distances of partners, [n_pairs], and from each to its stand-ins, [2, n_pairs, k].

    With ``limit_loss`` and the limits (0, 1.5) these make the alignment loss of AliNet.

    Args:
        vectors: [n_entities, dim].
        pairs: (source, target) ids, [n_pairs, 2].
        negatives: Stand-ins for the targets (compared with the sources) and for the sources, [2,
            n_pairs, k] ids.
        norm: How vectors are compared.
    """
    source, target = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    others = [
        lengths(anchor.unsqueeze(1) - vectors[stand_ins], norm)
        for anchor, stand_ins in zip((source, target), negatives, strict=True)
    ]
    return lengths(source - target, norm), torch.stack(others)


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


def likelihood_loss(
    source: Tensor, target: Tensor, labels: Tensor, block_rows: int = 1024
) -> Tensor:
    """``-sum_ij P_ij log sigmoid(s_i . t_j)`` over the pairs of all source and target rows.

    A labelled source has all its probability on its label, another spreads it evenly over the
    targets. Scores are made in row blocks, which bound memory where no gradient is wanted.

    Args:
        source: [n_source, dim].
        target: [n_target, dim].
        labels: Target row of each source, [n_source]; -1 where there is none.
        block_rows: Sources at once.

    Reference: Sun et al. (BootEA), IJCAI 2018, equation 9.
    """
    loss = source.new_zeros(())
    blocks = zip(torch.split(source, block_rows), torch.split(labels, block_rows), strict=True)
    for rows, wanted in blocks:
        logs = logsigmoid(rows @ target.T)
        own = logs.gather(1, wanted.clamp_min(0).unsqueeze(1)).squeeze(1)
        loss = loss - torch.where(wanted >= 0, own, logs.mean(dim=1)).sum()
    return loss


def _reduced(losses: Tensor, reduction: Reduction) -> Tensor:
    return losses.mean() if reduction == "mean" else losses.sum()
