"""Cross entropy of answers among sampled negatives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


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
