"""Losses over all combinations of aligned pairs, without the matrix of all combinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

from mmea_bench.methods.core.single_precision import in_single


def squared_contrastive_loss(
    source: Tensor,
    target: Tensor,
    margin: float,
    n_pairs: int | None = None,
    n_negatives: int | None = None,
    *,
    cosine: bool = True,
    chosen: Tensor | None = None,
) -> Tensor:
    """Contrastive loss of MSNEA, TMEA and CLAMEA on all n x n combinations of n pairs.

    Mean over i, j of ``cos_ij^2 / 2`` for i != j and ``max(0, margin - cos_ii)^2 / 2``: negatives
    become orthogonal, partners are pulled together. The squares of all cosines add up to
    ``<U^T U, V^T V>`` with U, V the normalised rows, so n x n is never made.

    Each partner stands against n - 1 negatives. Aligned rows spread evenly over all dimensions cost
    about ``n / dim + (margin - 1)^2`` a partner, sources orthogonal to every target ``margin^2``:
    with margin 2 and more than three negatives per dimension the loss is lowest where nothing is
    aligned. ``n_negatives`` weighs the negatives as if each partner stood against so many.

    Args:
        source: [n, dim].
        target: Row i is the partner of source row i, [n, dim].
        margin: Of partners; 2 in all three papers, so that partners always pull.
        n_pairs: Pairs that the n given ones were drawn from; negatives and partners then weigh as
            in the loss on all of them, which the result estimates without bias.
        n_negatives: Negatives per partner; None is all of the n (or ``n_pairs``) pairs.
        cosine: False takes inner products in place of cosines, so that lengths count.
        chosen: Which pairs count, [n] bool, where the rows of all others are zero; None is all.

    Reference: CLAMEA, EMNLP Findings 2025, equation 35. TMEA's code leaves out the 1/2 and
    takes inner products of the joint vectors.
    """
    if cosine:
        source, target = normalize(source, dim=1), normalize(target, dim=1)
    n = len(source) if chosen is None else int(chosen.sum())
    negatives, partners = _pull_and_push(source, target, margin, chosen)
    total = max(1, n) if n_pairs is None else max(1, n, n_pairs)
    k = total - 1 if n_negatives is None else n_negatives
    return (negatives / max(1, n - 1) * k + partners) / (2 * max(1, n) * (1 + k))


def _pull_and_push(
    source: Tensor, target: Tensor, margin: float, chosen: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sums of squares: products of other pairs' rows; what partners' products lack to a margin."""
    own = (source * target).sum(dim=1)
    lack = relu(margin - own)
    if chosen is not None:
        # Rows of pairs that do not count are zero, but still lack the whole margin.
        lack = lack * chosen
    return _SumOfSquaredProducts.apply(source, target) - own.square().sum(), lack.square().sum()  # type: ignore[no-untyped-call]


class _SumOfSquaredProducts(torch.autograd.Function):
    """``sum over i, j of (s_i . t_j)^2 = <S^T S, T^T T>``, [].

    Its gradient ``2 S T^T T`` is one product for each side; of a product with itself two would be
    taken.
    """

    @staticmethod
    @in_single
    def forward(ctx: Any, source: Tensor, target: Tensor) -> Tensor:
        of_source, of_target = source.T @ source, target.T @ target
        ctx.save_for_backward(source, target, of_source, of_target)
        return (of_source * of_target).sum()

    @staticmethod
    @in_single
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        source, target, of_source, of_target = ctx.saved_tensors
        return source @ (2 * gradient * of_target), target @ (2 * gradient * of_source)


@dataclass(frozen=True)
class ContrastiveForm:
    """How pairs are told from combinations; see ``squared_contrastive_loss``.

    Attributes:
        margin: Of partners.
        n_negatives: Per partner; None is all.
        joint_cosine: Whether joint vectors are compared by cosine; else by inner product.
    """

    margin: float
    n_negatives: int | None = None
    joint_cosine: bool = True


def modal_contrastive_loss(
    joint: Tensor,
    single: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    form: ContrastiveForm,
    n_pairs: Mapping[str, int] | None = None,
) -> Tensor:
    """L_mcl: the joint vectors and, of pairs that have it on both sides, each modality.

    Args:
        joint: Joint vectors of pairs: the sources, then in the same order their partners,
            [2 n, joint dim].
        single: Modality to their vectors, of length 1 or zero where lacking, [2 n, dim] each.
        present: Modality to which of them have it, [2 n]; ``structure`` stands for the joint
            vectors.
        form: Margin, negatives and similarity.
        n_pairs: Pairs that these were drawn from, by modality; None if these are all.

    Reference: CLAMEA, EMNLP Findings 2025, equation 35 for each.
    """
    totals = n_pairs or {}
    loss = squared_contrastive_loss(
        *halves(joint),
        form.margin,
        totals.get("structure"),
        form.n_negatives,
        cosine=form.joint_cosine,
    )
    for name, vectors in single.items():
        first, second = halves(present[name])
        both = first & second
        everyone = bool(both.all())
        if not everyone:
            vectors = vectors * both.repeat(2).unsqueeze(1)
        # Of unit vectors the inner product is the cosine.
        loss = loss + squared_contrastive_loss(
            *halves(vectors),
            form.margin,
            totals.get(name),
            form.n_negatives,
            cosine=False,
            chosen=None if everyone else both,
        )
    return loss


def halves(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The sources' and the targets' part of the rows of pairs, [2 n, ...]."""
    source, target = rows.reshape(2, len(rows) // 2, *rows.shape[1:]).unbind(0)
    return source, target


def orthogonality_loss(residual: Tensor, other: Tensor) -> Tensor:
    """Mean over entities of ``(mean over dimensions of residual * other)^2``.

    Args:
        residual: What a modality holds beyond its association with another, [n, dim].
        other: The other modality, [n, dim].

    Reference: CLAMEA, EMNLP Findings 2025, equation 24, scaled as in TMEA's code: printed is the
    squared inner product, ``dim^2`` times as much.
    """
    return (residual * other).mean(dim=1).square().mean()


def mean_square(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference over all elements; 0 where there are none."""
    if not first.numel():
        return torch.zeros((), device=first.device, dtype=first.dtype)
    return (first - second).square().mean()
