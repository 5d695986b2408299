"""MEAformer's encoder with a second joint vector, whose modality weights are global."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmea_bench.methods.core.hybrid.hybrid_encoder import (
    HybridEncoder,
    HybridVectors,
    unit_shares,
)
from mmea_bench.methods.core.hybrid.modality_attention import Dropout, weighted_concatenation
from mmea_bench.methods.core.layers.fusion import WeightedConcatenation


@dataclass(frozen=True, eq=False)
class GlobalHybridVectors(HybridVectors):
    """As ``HybridVectors``, where ``joint`` is the one with global weights.

    Attributes:
        dynamic_shares: As ``shares``, of the joint vectors that the transformer weighs.
    """

    dynamic_shares: Tensor

    @property
    def dynamic(self) -> Tensor:
        """Joint vectors weighted by the transformer, [n_rows, n_modalities * dim]."""
        return weighted_concatenation(list(self.early.values()), self.dynamic_shares)


class GlobalHybridEncoder(HybridEncoder):
    """The transformer weighs training only; vectors are compared under global weights.

    Reference: UMAEA (ISWC 2023), as the released code tests it. Its softmax runs over two more
    logits, of names that are off: they scale all joint vectors alike, which normalising undoes.
    """

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.fusion = WeightedConcatenation(self.modalities)

    def hybrid(
        self,
        rows: Tensor | None,
        chosen: Tensor | None = None,
        dropout: Dropout | None = None,
    ) -> GlobalHybridVectors:
        """Vectors of prepared rows, or of all entities; arguments as in ``HybridEncoder``."""
        encoded = super().hybrid(rows, chosen, dropout)
        early, late, weights = encoded.early, encoded.late, encoded.weights
        shares = unit_shares(early, self.fusion.shares())
        return GlobalHybridVectors(early, late, weights, shares, encoded.shares)

    def _weights(self, _encoded: HybridVectors) -> dict[str, float]:
        return self.fusion.weights()
