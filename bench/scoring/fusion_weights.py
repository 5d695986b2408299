"""How much each modality counts in the fusion of a trained method."""

from __future__ import annotations

import math

from mmea_bench.bench.scoring.counterparts import NO_WORD
from mmea_bench.bench.scoring.scorers import Number
from mmea_bench.methods.core.base import Alignment, Embeddings
from mmea_bench.results.core.schema import WEIGHT, is_word


def fusion_weights(alignment: Alignment) -> tuple[list[Number], str]:
    """The share of each modality in the fusion, which adds up to 1.

    Methods whose weights are no shares already (a product of experts) have them divided by their
    sum, so that methods can stand side by side.

    Args:
        alignment: What the method returned.

    Returns:
        One number per modality, and a sentence if the method's weights cannot be shares (negative
        or not finite, or all 0) or a name cannot stand in a table; without weights neither.
    """
    weights = alignment.modality_weights
    if not weights:
        return [], ""
    total = sum(weights.values())
    if not math.isfinite(total) or total <= 0 or min(weights.values()) < 0:
        return [], f"modality weights left out, since they are no shares: {dict(weights)}"
    if not all(map(is_word, weights)):
        return [], f"modality weights left out, since {NO_WORD}: {dict(weights)}"
    if isinstance(alignment, Embeddings):
        n = len(alignment.source) + len(alignment.target)
    else:
        n = alignment.n_source + alignment.n_target
    return [
        Number({"modality": modality}, WEIGHT, "mean", weight / total, n)
        for modality, weight in weights.items()
    ], ""
