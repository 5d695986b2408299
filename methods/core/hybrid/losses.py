"""MEAformer's losses before and after the transformer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.hybrid.hybrid_encoder import HybridVectors
from mmea_bench.methods.core.inputs.encoded_parts import RELEASED_ORDER
from mmea_bench.methods.core.inputs.presence import loss_where_present
from mmea_bench.methods.core.losses.batch import intra_modal_contrastive_loss
from mmea_bench.methods.core.losses.uncertainty import UncertaintyWeighting

ALWAYS_WEIGHTED = RELEASED_ORDER[:6]
"""Modalities whose log-variances enter the loss even where the modality is off, as released."""

LATE_WEIGHT = {
    "image": "structure",
    "attribute": "relation",
    "relation": "attribute",
    "structure": "image",
}
"""Modality whose log-variance weighs a late token's loss: the released code reads the tokens of
the first four modalities in reverse order. Names and texts keep their own."""


class HybridLosses(nn.Module):
    """Contrastive losses of a batch before and after the transformer, sharing log-variances.

    Args:
        modalities: Those of the encoder.
        tau: Temperature.
    """

    def __init__(self, modalities: tuple[str, ...], tau: float) -> None:
        super().__init__()
        self._tau = tau
        weighted = tuple(dict.fromkeys([*ALWAYS_WEIGHTED, *modalities]))
        self._weighted = weighted
        self.weighting = UncertaintyWeighting(weighted, 1.0, learned=True)

    def forward(
        self,
        encoded: HybridVectors,
        positions: Tensor,
        kept: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Tensor:
        """Total loss of a batch of pairs.

        Args:
            encoded: Rows of the batch.
            positions: Source and target row of each pair, [b, 2].
            kept: Pairs that have a modality, where it is not all of them.
        """
        source, target = positions.unbind(dim=1)
        early = {
            name: loss_where_present(self._icl, name, kept, vectors[source], vectors[target])
            for name, vectors in encoded.early.items()
        }
        late = self.late(encoded, positions, kept)
        total = self._icl(encoded.joint[source], encoded.joint[target])
        for losses in (early, late):
            total = total + self.weighted(losses)
        return total

    def late(
        self, encoded: HybridVectors, positions: Tensor, kept: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Losses of the tokens, by the modality whose log-variance weighs them.

        Args:
            encoded: Rows of the batch.
            positions: Source and target row of each pair, [b, 2].
            kept: Pairs that have a modality, where it is not all of them.
        """
        source, target = positions.unbind(dim=1)
        return {
            LATE_WEIGHT.get(name, name): loss_where_present(
                self._icl, name, kept, vectors[source], vectors[target]
            )
            for name, vectors in encoded.late.items()
        }

    def weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Losses by modality under the log-variances; one that is off has loss 0."""
        none = torch.zeros((), device=self.weighting.log_variances.device)
        total: Tensor = self.weighting({name: losses.get(name, none) for name in self._weighted})
        return total

    def _icl(self, source: Tensor, target: Tensor) -> Tensor:
        return intra_modal_contrastive_loss(source, target, self._tau)
