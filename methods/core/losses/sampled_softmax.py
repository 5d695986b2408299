"""Cross entropy of answers among sampled negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy

from mmea_bench.methods.core.single_precision import in_single


def query_loss(answers: Tensor, others: Tensor, wrong: Tensor) -> Tensor:
    """Mean of ``-log p(answer | query)`` with sampled negatives.

    Args:
        answers: Logit of the answer of each query, [b].
        others: Logits of its negatives, [b, k].
        wrong: Which negatives are another entity than the answer, [b, k] bool.
    """
    logits = torch.cat([answers.unsqueeze(1), others.masked_fill(~wrong, -torch.inf)], dim=1)
    place = torch.zeros(len(answers), dtype=torch.int64, device=answers.device)
    return cross_entropy(logits, place)


def shared_query_loss(
    queries: Tensor, answers: Tensor, negatives: Tensor, ids: tuple[Tensor, Tensor]
) -> Tensor:
    """``query_loss`` of inner products, where all queries share their negatives.

    Equal up to rounding, in a third of the passes over the logits, which are never copied.

    Args:
        queries: Vectors, [b, dim].
        answers: Logit of the answer of each query, [b].
        negatives: Vectors, [k, dim].
        ids: Answers, [b], and negatives, [k]; a negative that is the answer does not count.
    """
    found: Tensor = _SharedQueryLoss.apply(queries, answers, negatives, *ids)  # type: ignore[no-untyped-call]
    return found


class _SharedQueryLoss(Function):
    @staticmethod
    @in_single
    def forward(
        ctx: Any,
        queries: Tensor,
        answers: Tensor,
        negatives: Tensor,
        answer_ids: Tensor,
        negative_ids: Tensor,
    ) -> Tensor:
        logits = queries @ negatives.T
        _leave_answers_out(logits, answer_ids, negative_ids)
        highest = torch.maximum(logits.amax(dim=1), answers)
        shares = logits.sub_(highest.unsqueeze(1)).exp_()
        of_answers = (answers - highest).exp_()
        sums = shares.sum(dim=1) + of_answers
        ctx.save_for_backward(queries, negatives, shares, of_answers / sums, sums)
        return (sums.log() + highest - answers).mean()

    @staticmethod
    @in_single
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        queries, negatives, shares, of_answers, sums = ctx.saved_tensors
        scale = gradients[0] / max(1, len(queries))
        # What divides a row of the logits' gradient divides the row's product as well.
        of_rows = (scale / sums).unsqueeze(1)
        of_queries = (shares @ negatives).mul_(of_rows)
        of_negatives = shares.T @ (queries * of_rows)
        return of_queries, (of_answers - 1) * scale, of_negatives, None, None


def _leave_answers_out(logits: Tensor, answer_ids: Tensor, negative_ids: Tensor) -> None:
    """Takes the negatives that are the answer, out of [b, k] in place."""
    if logits.device.type != "cpu":  # would have to wait to learn how many there are
        logits.masked_fill_(answer_ids.unsqueeze(1) == negative_ids, -torch.inf)
        return
    # Few queries meet their own answer: only those are compared with all negatives.
    some = torch.isin(answer_ids, negative_ids).nonzero().squeeze(1)
    row, column = (answer_ids[some].unsqueeze(1) == negative_ids).nonzero(as_tuple=True)
    logits[some[row], column] = -torch.inf
