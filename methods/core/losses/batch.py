"""Losses on batches of aligned pairs.

Row ``i`` of the source is the partner of row ``i`` of the target; other rows are its negatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu
from torch.utils.checkpoint import checkpoint

from mmea_bench.methods.core.losses.contrastive import (
    batch_logits,
    contrastive_loss,
    pair_log_probabilities,
)

_KNOWN = -1e9
"""Logit of a true pair that is no negative."""
_ROWS_AT_ONCE = 1024


def nca_loss(
    cosines: Tensor,
    scale: float,
    attraction: float = 10.0,
    margin: float = 0.0,
    beta: Literal["outside", "inside"] = "outside",
) -> Tensor:
    """Neighbourhood component loss of EVA.

    With cosines ``S`` and scale ``a`` the mean over i of
    ``1/a log(1 + sum_{j != i} e^{a (S_ji - margin)})`` plus the same over columns, minus
    ``attraction * log(1 + ReLU(S_ii))``, or minus ``log(1 + attraction * ReLU(S_ii))``.

    The second is what EVA and SelfMEA print, without the ReLU: their logarithm is undefined for
    ``S_ii <= -1 / attraction``, which wrong seeds reach.

    Args:
        cosines: Of the source rows with the target rows, [b, b]; pairs on the diagonal.
        scale: ``a``.
        attraction: Weight of the attracting logarithm (beta of the paper).
        margin: Subtracted from the cosines of negatives.
        beta: Whether ``attraction`` stands outside that logarithm (code) or inside (papers).

    Reference: Liu et al., AAAI 2021, as the released code computes it.
    """
    own = cosines.diagonal()
    itself = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    # Masked before the exponential: one pass less than clearing the diagonal afterwards.
    others = torch.exp((cosines * scale - scale * margin).masked_fill_(itself, -torch.inf))
    repulsion = (torch.log1p(others.sum(dim=0)) + torch.log1p(others.sum(dim=1))) / scale
    return _nca_mean(repulsion, own, attraction, beta)


def nca_loss_in_rows(
    cosines_of: Callable[[slice], Tensor],
    n_pairs: int,
    scale: float,
    attraction: float = 10.0,
    margin: float = 0.0,
    beta: Literal["outside", "inside"] = "outside",
) -> Tensor:
    """``nca_loss`` of cosines that are made some rows at a time, and anew on the way back.

    Memory grows with the number of pairs, no longer with its square.

    Args:
        cosines_of: From rows of the source to their cosines with all targets, [n_rows, n_pairs].
        n_pairs: Pairs of the batch.
        scale: As for ``nca_loss``, like what follows.
        attraction: Weight of the attracting logarithm.
        margin: Subtracted from the cosines of negatives.
        beta: Whether ``attraction`` stands outside that logarithm.
    """

    def sums(start: int) -> tuple[Tensor, Tensor, Tensor]:
        cosines = cosines_of(slice(start, start + _ROWS_AT_ONCE))
        own = cosines.diagonal(start)
        itself = torch.zeros(cosines.shape, dtype=torch.bool, device=cosines.device)
        itself.diagonal(start).fill_(value=True)
        others = torch.exp((cosines * scale - scale * margin).masked_fill_(itself, -torch.inf))
        return others.sum(dim=0), others.sum(dim=1), own

    parts = [
        checkpoint(sums, start, use_reentrant=False) for start in range(0, n_pairs, _ROWS_AT_ONCE)
    ]
    of_columns, of_rows, own = zip(*parts, strict=True)
    columns = torch.stack(of_columns).sum(dim=0)
    repulsion = (torch.log1p(columns) + torch.log1p(torch.cat(of_rows))) / scale
    return _nca_mean(repulsion, torch.cat(own), attraction, beta)


def _nca_mean(
    repulsion: Tensor, own: Tensor, attraction: float, beta: Literal["outside", "inside"]
) -> Tensor:
    if beta == "outside":
        return (repulsion - attraction * torch.log1p(relu(own))).mean()
    return (repulsion - torch.log1p(attraction * relu(own))).mean()


def intra_modal_contrastive_loss(
    source: Tensor,
    target: Tensor,
    temperature: float,
    mean: Literal["of logs", "of probabilities"] = "of logs",
) -> Tensor:
    """ICL of MCLEA: each entity picks its partner among both graphs' rows of the batch.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: tau_1.
        mean: Released code: the mean of the two directions' negative logs. Paper (equation 10):
            the negative log of the mean of the two probabilities.
    """
    if mean == "of logs":
        return contrastive_loss(source, target, temperature)
    log_source, log_target = pair_log_probabilities(source, target, temperature)
    both = torch.logaddexp(log_source, log_target) - torch.log(torch.tensor(2.0))
    return -both.mean()


def one_way_contrastive_loss(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Each source row picks its partner among the target rows of the batch; mean negative log.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        temperature: tau.

    Reference: LoginMEA, ECAI 2024, as the released code computes equation 15: the partner stands
    in the denominator and the other targets of the batch are the negatives.
    """
    logits = source @ target.T / temperature
    return cross_entropy(logits, torch.arange(len(source), device=source.device))


def symmetric_contrastive_loss(
    source: Tensor, target: Tensor, scale: Tensor | float, known: Tensor | None = None
) -> Tensor:
    """CLIP's loss: each row picks its partner among the other graph's rows, in both directions.

    Args:
        source: L2-normalised, [b, dim].
        target: L2-normalised, [b, dim].
        scale: Multiplies the cosines, one over the temperature.
        known: Cells that hold a true pair as well and hence are no negatives, (row, column)
            [2, n_cells], on the CPU; cells of the diagonal may be among them.

    Reference: Radford et al., ICML 2021, figure 3: the mean of both cross entropies.
    """
    logits = scale * (source @ target.T)
    own = torch.arange(len(source), device=source.device)
    if known is not None and known.shape[1]:
        rows, columns = known[:, known[0] != known[1]].to(logits.device)
        logits = logits.index_put((rows, columns), logits.new_tensor(_KNOWN))
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


def inter_modal_alignment_loss(
    joint: tuple[Tensor, Tensor],
    modality: tuple[Tensor, Tensor],
    temperature: float,
    reduction: Literal["entries", "rows"] = "entries",
) -> Tensor:
    """IAL of MCLEA: KL divergence from the joint similarity distribution to a modality's.

    Args:
        joint: L2-normalised joint vectors of source and target, [b, dim_joint] each; no gradient
            passes to them.
        modality: L2-normalised vectors of the modality, [b, dim] each.
        temperature: tau_2.
        reduction: Released code: mean over all entries of the two [b, 2b] distributions. Paper
            (equation 13): mean over rows of the KL divergence.
    """
    return distillation_loss(alignment_targets(*joint, temperature), *modality, reduction)


@dataclass(frozen=True, eq=False)
class AlignmentTargets:
    """Joint similarity distributions of one batch, made once for all modalities.

    Attributes:
        temperature: tau_2, of the modalities too.
        probabilities: Of the source and of the target rows, [b, 2b] each.
        negative_entropies: Sum of ``q log q`` of each.
    """

    temperature: float
    probabilities: tuple[Tensor, Tensor]
    negative_entropies: tuple[Tensor, Tensor]


@torch.no_grad()
def alignment_targets(source: Tensor, target: Tensor, temperature: float) -> AlignmentTargets:
    """The distributions that IAL hands down; no gradient passes to the joint vectors.

    Args:
        source: L2-normalised joint vectors, [b, dim].
        target: L2-normalised joint vectors, [b, dim].
        temperature: tau_2.
    """
    logs = [torch.log_softmax(each, dim=1) for each in batch_logits(source, target, temperature)]
    first, second = (log.exp() for log in logs)
    entropies = (torch.sum(first * logs[0]), torch.sum(second * logs[1]))
    return AlignmentTargets(temperature, (first, second), entropies)


def distillation_loss(
    targets: AlignmentTargets,
    source: Tensor,
    target: Tensor,
    reduction: Literal["entries", "rows"] = "entries",
) -> Tensor:
    """IAL of one modality against ready-made targets; see ``inter_modal_alignment_loss``.

    Args:
        targets: Of the same batch.
        source: L2-normalised vectors of the modality, [b, dim].
        target: L2-normalised vectors of the modality, [b, dim].
        reduction: As for ``inter_modal_alignment_loss``.
    """
    divergences = []
    students = batch_logits(source, target, targets.temperature)
    for student, q, entropy in zip(
        students, targets.probabilities, targets.negative_entropies, strict=True
    ):
        # KL as the difference of two sums: the part of the targets alone is not computed again.
        crossed = torch.dot(q.flatten(), torch.log_softmax(student, dim=1).flatten())
        divergences.append((entropy - crossed) / (q.numel() if reduction == "entries" else len(q)))
    return (divergences[0] + divergences[1]) / 2
